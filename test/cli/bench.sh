#!/bin/bash
# The verb bench: finds its program beside itself, and tells it which command, library and workloads to use.
. "$(dirname "$0")/support.bash"

mkdir -p "$work/prefix/bin" "$work/prefix/lib" "$work/prefix/share/hakmem/bench" "$work/prefix/libexec/hakmem"
cp "$TEST_CLI" "$work/prefix/bin/hakmem"
cp "$TEST_SO" "$work/prefix/lib/libhakmem.so"
: >"$work/prefix/libexec/hakmem/micro"
cat >"$work/prefix/share/hakmem/bench/run.py" <<'P'
import os, sys
print(sys.argv[1:], *(os.environ.get("HAKMEM_BENCH_" + name) for name in ("COMMAND", "LIBRARY", "MICRO")))
sys.exit(7)
P
prefix=$(realpath "$work/prefix")
expect 7 "$prefix/bin/hakmem" bench --json 'two words' -- true
[ "$(cat "$work/out")" = "['--json', 'two words', '--', 'true'] $prefix/bin/hakmem $prefix/lib/libhakmem.so \
$prefix/libexec/hakmem/micro" ] || fail "what it is told"

# Through a link in PATH, it is still itself that it names.
mkdir "$work/bin"
ln -s "$prefix/bin/hakmem" "$work/bin/hakmem"
PATH=$work/bin:$PATH expect 7 hakmem bench
out_has "^\[\] $prefix/bin/hakmem "

# Without it, that of the source tree; without a library or Python there is nothing to measure with.
rm -r "$prefix/share"
expect 0 "$prefix/bin/hakmem" bench --help
out_has '^usage: '
PATH=$work/none expect 2 "$prefix/bin/hakmem" bench --help
err_has 'cannot run python3: No such file'
