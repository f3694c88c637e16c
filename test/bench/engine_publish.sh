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

# Up to date; what it may complain of are goals without a reason, those that the document says so of.
status=0
publish --check >"$work/out" 2>"$work/err" || status=$?
out_lacks '^out of date'
missing=$(grep -c '^no reason in bench/results/reasons.txt: ' "$work/out" || true)
[ "$missing" = "$(wc -l <"$work/out")" ] || fail "complaints of another kind"
[ "$missing" = "$(grep -c '| no reason given |$' "$work/doc/BENCHMARKS.md" || true)" ] || fail "the document has others"
[ "$status" = "$((missing > 0))" ] || fail "exit status $status with $missing reasons missing"

sed -i 's/\(| [a-z]* | libc | \)/\19/' "$work/README.md"
expect 1 publish --check
out_has '^out of date: README.md$'
expect 0 publish
cmp -s "$work/README.md" "$SOURCE_DIR/README.md" || fail "published again, README.md is another"

echo 'by hand' >>"$work/doc/BENCHMARKS.md"
expect 1 publish --check
out_has '^out of date: doc/BENCHMARKS.md$'
