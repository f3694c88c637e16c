#!/bin/bash
# test/bench/engine_publish.sh
# Purpose.     README.md and doc/BENCHMARKS.md say what the records in bench/results say; a number changed by hand is
#              noticed.
# Not here.    Goals and their reasons (engine_goals.sh).
. "$SOURCE_DIR/test/cli/support.bash"

cp -r "$SOURCE_DIR/bench" "$SOURCE_DIR/README.md" "$work"
mkdir -p "$work/doc"
cp -r "$SOURCE_DIR"/doc/BENCHMARKS.md "$SOURCE_DIR"/doc/charts "$work/doc"
publish() { python3 -B "$work/bench/run.py" --publish "$@"; }

# Up to date, with a reason for every goal that is not reached.
expect 0 publish --check

sed -i 's/\(| [a-z]* | libc | \)/\19/' "$work/README.md"
expect 1 publish --check
out_has '^out of date: README.md$'
expect 0 publish
cmp -s "$work/README.md" "$SOURCE_DIR/README.md" || fail "published again, README.md is another"

echo 'by hand' >>"$work/doc/BENCHMARKS.md"
expect 1 publish --check
out_has '^out of date: doc/BENCHMARKS.md$'
