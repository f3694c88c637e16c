#!/bin/bash
# test/bench/workloads_apps.sh
# Purpose.     Every program of bench/apps gives the same result on libc and on hakmem, and hakmem serves all of it.
# Design.      One run on each, two apps at a time. What decides is shown to be able to fail: a program whose output
#              depends on the allocator, and one that leaves hakmem behind.
# timeout: 240
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
apps=${SOURCE_DIR:?}/bench/apps
PATH=/usr/sbin:/usr/bin:/sbin:/bin require python3 perl sqlite3 gcc g++ gs redis-server redis-benchmark node git

# check APP...: one after the other.
check() {
    local app name
    for app in "$@"; do
        name=$(basename "$app" .sh)
        grep -q '^# summary: .' "$app" || fail "$name: no summary"
        "$app" prepare "$work/input.$name" || fail "$name: prepare"
        both "$name" "$app" run "$work/input.$name"
        [ -s "$work/$name.libc.out" ] || fail "$name: no result"
    done
}

even=() odd=()
for app in "$apps"/*.sh; do
    if [ ${#even[@]} -gt ${#odd[@]} ]; then odd+=("$app"); else even+=("$app"); fi
done
[ ${#odd[@]} -ge 5 ] || fail "found only ${#odd[@]} and ${#even[@]} apps"
(run_dir=$work/run.odd check "${odd[@]}") &
other=$!
(run_dir=$work/run.even check "${even[@]}")
wait $other

# shellcheck disable=SC2016
if (both differs sh -c 'echo "${LD_PRELOAD:-none}"') >/dev/null 2>&1; then
    fail "not found: output that depends on the allocator"
fi
if (both leaves env -u LD_PRELOAD true) >/dev/null 2>&1; then
    fail "not found: a program that hakmem does not serve"
fi

# refused STATUS TEXT COMMAND...
refused() {
    local wanted=$1 text=$2 status=0
    shift 2
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$wanted" ] && grep -q -- "$text" "$work/err" || fail "$*: status $status, $(cat "$work/err")"
}
refused 2 'usage: perl.sh' "$apps/perl.sh"
refused 2 'usage: perl.sh' "$apps/perl.sh" walk "$work"
refused 2 "no directory $work/none" "$apps/perl.sh" run "$work/none"
mkdir "$work/empty"
refused 2 'nothing prepared in' "$apps/perl.sh" run "$work/empty"
