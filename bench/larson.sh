#!/bin/sh
# bench/larson.sh [PROFILE] [THREADS] [OPTION OF hakmem bench]...
# Purpose.     The larson workload for one question: throughput (default), footprint or latency.
# Design.      A profile is a choice of rows and of passes of `hakmem bench`, which measures and proves; it is printed
#              with every setting before the measurement. No setting of an allocator is changed by any profile. The
#              fixed settings (blocks per thread, life of a thread, work) are those of bench/workload/larson.c.
# Not here.    All rows of larson at once: `hakmem bench larson`.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
hakmem=${BUILD_DIR:-$root/build}/hakmem

stop() {
    echo "larson.sh: $1" >&2
    exit 2
}

profile=${1:-throughput}
threads=${2:-2}
[ $# -lt 2 ] || shift
[ $# -lt 1 ] || shift
case $profile in
    throughput) sizes='128 1024' repeats=30 passes=--no-latency look='nanoseconds per pair' ;;
    footprint) sizes='32768' repeats=10 passes=--no-latency look='peak and mean resident memory, page faults' ;;
    latency) sizes='1024' repeats=10 passes= look='percentiles of single calls' ;;
    *) stop "no profile '$profile': throughput, footprint or latency" ;;
esac
case $threads in
    1 | 2 | 4 | 8) ;;
    *) stop "threads '$threads': 1, 2, 4 or 8" ;;
esac
[ -x "$hakmem" ] || stop "no command $hakmem: make bench builds it"

rows=
for size in $sizes; do
    rows="$rows larson/$size@$threads"
done
cat <<SETTINGS
profile            $profile: look at $look
threads            $threads at a time
live blocks        1000 per thread
block size         16 B to $(echo "$sizes" | sed 's/ / B, and 16 B to /g') B, drawn evenly
life of a thread   20,000 pairs of malloc and free; the next one inherits the blocks of its neighbour
work of a run      1,000,000 pairs, rounded up to whole lives
runs               $repeats of each allocator, in random order, each a fresh process
single calls       $([ -n "$passes" ] && echo 'not timed' || echo 'timed in a pass of their own')
allocators         all that are installed, with the settings that they come with
command            hakmem bench --repeats $repeats${passes:+ $passes}$rows${*:+ $*}

SETTINGS
# shellcheck disable=SC2086
exec "$hakmem" bench --repeats $repeats $passes $rows "$@"
