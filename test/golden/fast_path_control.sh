#!/bin/sh
# test/golden/fast_path_control.sh: fast_path.sh has to fail, with a verdict on each value, when the limits are too low.
set -u
output=$("$(dirname "$0")/fast_path.sh" --control 2>&1)
status=$?
echo "$output"
[ "$status" = 77 ] && exit 77
[ "$status" = 1 ] || { echo "expected exit status 1, got $status"; exit 1; }
[ "$(echo "$output" | grep -c 'limit 1: TOO MANY$')" = 4 ] || { echo "expected four values above their limit"; exit 1; }
