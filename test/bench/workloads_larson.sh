#!/bin/bash
# test/bench/workloads_larson.sh
# Purpose.     bench/larson.sh asks `hakmem bench` for rows that exist, names the fixed settings as the workload has
#              them, and says what is wrong with bad arguments. What prints its arguments stands in for hakmem.
set -eu
larson=$SOURCE_DIR/bench/larson.sh
micro=$BUILD_DIR/bench/micro
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#!/bin/sh\necho "ran $*"\n' >"$work/hakmem"
chmod +x "$work/hakmem"

fail() {
    echo "FAILED: $*" >&2
    cat "$work/out" >&2
    exit 1
}
# says STATUS TEXT [ARGUMENT]...
says() {
    local wanted=$1 text=$2 status=0
    shift 2
    BUILD_DIR=${build-$work} "$larson" "$@" >"$work/out" 2>&1 || status=$?
    [ "$status" = "$wanted" ] || fail "larson.sh $*: status $status instead of $wanted"
    grep -qxF -- "$text" "$work/out" || fail "larson.sh $*: no line '$text'"
}

says 0 'ran bench --repeats 30 --no-latency larson/128@2 larson/1024@2'
says 0 'ran bench --repeats 30 --no-latency larson/128@4 larson/1024@4' throughput 4
says 0 'ran bench --repeats 10 --no-latency larson/32768@8 --html page' footprint 8 --html page
says 0 'ran bench --repeats 10 larson/1024@2' latency
says 2 "larson.sh: no profile 'speed': throughput, footprint or latency" speed
says 2 "larson.sh: threads '3': 1, 2, 4 or 8" latency 3
build=$work/none says 2 "larson.sh: no command $work/none/hakmem: make bench builds it"

# What it says of the workload is in the workload.
"$micro" --list | grep '"name": "larson"' >"$work/out"
grep -qF '"sizes": [128, 1024, 32768], "threads": [1, 2, 4, 8], "pairs": 1000000' "$work/out" || fail "other rows"
grep -q 'SLOT_COUNT = 1000, LIFE_PAIRS = 20000' "$SOURCE_DIR/bench/workload/larson.c" || fail "other fixed settings"
