#!/bin/bash
# stress-ng: its allocation stressors, which check what they wrote; a fixed number of operations.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require stress-ng

# stress NAME OPTION...: the report has to count every operation and no failure.
stress() {
    local name=$1
    shift
    on_hakmem "$name" stress-ng --verify --metrics-brief --timeout 25 --no-rand-seed --temp-path . "$@"
    cat "$work/$name.hakmem.out" "$work/$name.hakmem.err" >"$work/$name.report"
    if [ "$(cat "$work/$name.hakmem.status")" != 0 ] || grep -qiE 'fail:|error:|unexpected' "$work/$name.report"; then
        cat "$work/$name.report" >&2
        fail "$name: stress-ng found an error"
    fi
    grep -qE 'successful run completed' "$work/$name.report" || {
        cat "$work/$name.report" >&2
        fail "$name: stress-ng did not complete"
    }
}

stress malloc --malloc 2 --malloc-bytes 64M --malloc-ops 200000
stress threads --malloc 1 --malloc-pthreads 4 --malloc-bytes 64M --malloc-ops 200000
stress structures --tree 1 --tree-ops 20 --list 1 --list-ops 40 --hsearch 1 --hsearch-ops 300
