#!/bin/bash
# stress-ng: its allocation stressors, which check what they wrote; a fixed number of operations.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require stress-ng

# stress NAME STRESSOR OPERATIONS OPTION...: the report has to count every operation, and no failure.
stress() {
    local name=$1 stressor=$2 operations=$3 counted
    shift 3
    on_hakmem "$name" stress-ng --verify --metrics-brief --timeout 100 --no-rand-seed --temp-path . \
        "$@" "--$stressor-ops" "$operations"
    cat "$work/$name.hakmem.out" "$work/$name.hakmem.err" >"$work/$name.report"
    counted=$(sed -nE "s/.* metrc: \[[0-9]+\] $stressor +([0-9]+) .*/\1/p" "$work/$name.report")
    if [ "$(cat "$work/$name.hakmem.status")" != 0 ] || grep -qiE 'fail:|error:|unexpected' "$work/$name.report" ||
        [ "${counted:-0}" -lt "$operations" ]; then
        cat "$work/$name.report" >&2
        fail "$name: ${counted:-0} of $operations operations, or an error"
    fi
}

stress malloc malloc 20000 --malloc 2 --malloc-bytes 64M
stress threads malloc 20000 --malloc 1 --malloc-pthreads 4 --malloc-bytes 64M
stress bigheap bigheap 500 --bigheap 1 --bigheap-growth 256K
stress tree tree 2 --tree 1 --tree-size 20000
