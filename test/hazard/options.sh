#!/bin/sh
# options.sh
# timeout: 300
# Purpose.     The allocator keeps its promises under every option, not only as it comes: tests of contents, threads and
#              thread ends run again with each.
# Design.      HAKMEM_CONFIRM=1 must show the option in force, so that a renamed one does not pass unseen.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
failures=0

# check ENVIRONMENT PROGRAM: runs a test program, which is quiet if all is well
check() {
    if ! env "$1" TEST_PROVIDER=1 LD_PRELOAD="$TEST_SO" "$BUILD_DIR/test/$2" > "$directory/output" 2>&1; then
        echo "FAILED with $1: $2"
        tail -n 5 "$directory/output"
        failures=$((failures + 1))
    fi
}

for option in purge_delay=0 thp=always thp=never heaps=1 cache_bytes=0 cache_bytes=1000000 background_thread=1 \
    limit_soft=1 limit_hard=4294967296 wrap_tiny=0 tiny_use_superslab=0; do
    name=$(echo "${option%%=*}" | tr '[:lower:]' '[:upper:]')
    environment="HAKMEM_$name=${option#*=}"
    confirmed=$(env "$environment" HAKMEM_CONFIRM=1 LD_PRELOAD="$TEST_SO" "$BUILD_DIR/test/hazard/early" 2>&1)
    case $confirmed in
    *"$option"*) ;;
    *)
        echo "FAILED: $environment is not in force: $confirmed"
        failures=$((failures + 1))
        ;;
    esac
    for program in api/realloc hazard/late_thread hazard/thread_churn; do
        check "$environment" "$program"
    done
done
[ "$failures" -eq 0 ]
