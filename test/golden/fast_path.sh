#!/bin/sh
# test/golden/fast_path.sh [--control]
# Purpose.     Fails when the instructions per malloc+free pair inside the shipped library grow beyond the golden ones.
# Design.      callgrind runs the benchmark program with N and with 2N pairs; the difference, per pair, is free of
#              start-up. Everything inside the library counts, slow paths too. A second look at the machine code
#              (disasm.py) fails on a spill or a call on the straight way through malloc and free.
#              Before it judges, the test shows that it is able to fail: a run on libc must not pass as the library's,
#              and a limit one below the measured value must be exceeded.
# Not here.    Time (bench/run.py).
#
# TEST_SO (default BUILD_DIR/libhakmem.so), BUILD_DIR (default build). FAST_PATH_OBJECT_CHECK=0 counts a library that
# is not hakmem, without golden values. --control lowers the limits so that the test must fail.
# Exit status: 0 within the limits, 1 not, 2 cannot run, 77 no golden file for this machine.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD_DIR:-$root/build}
library=${TEST_SO:-$build/libhakmem.so}
micro=$build/bench/micro
golden=$here/fast_path.$(uname -m)
control=0
case "${1:-}" in
    '') ;;
    --control) control=1 ;;
    *) echo "usage: fast_path.sh [--control]" >&2; exit 2 ;;
esac

cannot() { echo "fast_path.sh: $1" >&2; exit 2; }
for tool in valgrind python3 objdump nm; do
    command -v "$tool" >/dev/null 2>&1 || cannot "$tool is not installed"
done
[ -f "$library" ] || cannot "no library at $library"
[ -x "$micro" ] || cannot "no benchmark program at $micro"
[ -f "$golden" ] || { echo "fast_path.sh: no golden values for $(uname -m)"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# profile WORKLOAD SIZE PAIRS PRELOAD: a callgrind profile in $work/out, the program's report in $work/report.
profile() {
    rm -f "$work/out"
    LD_PRELOAD=$4 valgrind --quiet --tool=callgrind --dump-instr=yes --compress-strings=no \
        --compress-pos=no --callgrind-out-file="$work/out" "$micro" "$1" "$2" "$3" >"$work/report" 2>"$work/errors" ||
        { cat "$work/errors" >&2; cannot "$1 failed under callgrind"; }
    [ -s "$work/out" ] || cannot "callgrind left no profile of $1"
}

# instructions WORKLOAD SIZE PAIRS: what the library executed.
instructions() {
    profile "$1" "$2" "$3" "$library"
    if [ "${FAST_PATH_OBJECT_CHECK:-1}" = 1 ] && ! grep -q '"hakmem_mallocs": [1-9]' "$work/report"; then
        cat "$work/report" >&2
        cannot "hakmem's own books know nothing of the $1 run"
    fi
    python3 "$here/callgrind_count.py" "$work/out" "$work/report" "$library" || cannot "no count for the $1 run"
}

# per_pair WORKLOAD SIZE PAIRS: instructions per pair, two decimals.
per_pair() {
    once=$(instructions "$1" "$2" "$3") || exit 2
    twice=$(instructions "$1" "$2" $(($3 * 2))) || exit 2
    awk -v a="$once" -v b="$twice" -v n="$3" 'BEGIN { printf "%.2f\n", (b - a) / n }'
}

# exceeds MEASURED LIMIT
exceeds() { awk -v m="$1" -v l="$2" 'BEGIN { exit !(m > l) }'; }

limit_of() { awk -v name="$1" '$1 == name { print $2 }' "$golden"; }

# judge NAME MEASURED: prints the verdict; status 1 if the limit is exceeded.
judge() {
    limit=$(limit_of "$1")
    [ -n "$limit" ] || cannot "$golden has no line for $1"
    [ "$control" = 0 ] || limit=1
    exceeds "$2" "$(awk -v m="$2" 'BEGIN { print m - 1 }')" || cannot "the comparison is not able to fail"
    if exceeds "$2" "$limit"; then
        echo "$1: $2 instructions, limit $limit: TOO MANY"
        return 1
    fi
    echo "$1: $2 instructions, limit $limit: ok"
    if ! exceeds "$2" "$(awk -v l="$limit" 'BEGIN { print l - 1 }')"; then
        echo "$1: the golden value can be tightened"
    fi
}

profile lifo 16 100 ''
status=0
python3 "$here/callgrind_count.py" "$work/out" "$work/report" "$library" >/dev/null 2>&1 || status=$?
[ "$status" = 3 ] || cannot "a run on libc was not told from one on $library"

[ "$control" = 0 ] && shorter=1 || shorter=10
lifo16=$(per_pair lifo 16 $((200000 / shorter))) || exit 2
mixed=$(per_pair mixed 8192 $((500000 / shorter))) || exit 2
if [ "${FAST_PATH_OBJECT_CHECK:-1}" != 1 ]; then
    echo "$library: lifo16 $lifo16 mixed $mixed"
    exit 0
fi
failed=0
judge lifo16 "$lifo16" || failed=1
judge mixed "$mixed" || failed=1
for function in malloc free; do
    straight=$(python3 "$here/disasm.py" "$library" "$function") || { failed=1; continue; }
    judge "straight_$function" "$straight" || failed=1
done
exit "$failed"
