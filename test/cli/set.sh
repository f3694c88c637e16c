#!/bin/bash
# set: options of a running program, each with the effect that it has; what may not be set, or not to that; one that is
# left for later, in a program that sleeps.
. "$(dirname "$0")/support.bash"

# Comes by every few ms, with a second argument only when the file "go" is there. Frees what is not hakmem's when the
# file "misuse" is there.
compile program <<'C'
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { BLOCKS = 30000 };
static char *blocks[BLOCKS];
int main(int count, char **arguments) {
    int local, misused = 0;
    for (int i = 0; i < BLOCKS; i++)
        memset(blocks[i] = malloc(1000), 1, 1000);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    if (chdir(arguments[1]) != 0)
        return 1;
    creat("ready", 0600);
    while (count > 2 && access("go", F_OK) != 0)
        usleep(2000);
    for (;;) {
        free(malloc(100000));
        if (!misused && access("misuse", F_OK) == 0) {
            free((void *)&local);
            creat("misused", 0600);
            misused = 1;
        }
        usleep(2000);
    }
}
C
begin() {
    start "$work/ready" env LD_PRELOAD="$TEST_SO" HAKMEM_PURGE_DELAY=86400000 "$work/program" "$work" "$@" \
        2>"$work/said"
    expect 0 "$TEST_CLI" stat --json "$process"
    holds 'r["allocations"] >= 30000 and r["retained_bytes"] >= 20 * 2**20'
}
set_it() { expect "$1" "$TEST_CLI" set --timeout 60 "$process" "$2"; }

begin
set_it 0 purge_delay=0
out_has "^process $process: purge_delay 86400000 -> 0$"
for ((i = 0; i < 2000; i++)); do
    expect 0 "$TEST_CLI" stat --json "$process"
    [ "$(field 'r["retained_bytes"] > 200000')" = True ] || break
    sleep 0.01
done
[ "$i" -lt 2000 ] || fail "purge_delay=0 has no effect"

set_it 0 thp=never
out_has "^process $process: thp adaptive -> never$"
set_it 0 thp=always
out_has "^process $process: thp never -> always$"
set_it 0 cache_bytes=4096
out_has "^process $process: cache_bytes 1048576 -> 4096$"

set_it 0 on_error=report
out_has "^process $process: on_error abort -> report$"
touch "$work/misuse"
until [ -e "$work/misused" ]; do
    kill -0 "$process" || fail "on_error=report has no effect"
    sleep 0.01
done
grep -q 'not a block of hakmem' "$work/said" || fail "the bad free was not reported"
expect 0 "$TEST_CLI" stat --json "$process"
holds 'r["errors"] == 1'

# At the same time: none is lost, so each but the first finds what another one has set.
pids=()
for i in 1 2 3 4 5 6; do
    "$TEST_CLI" set --timeout 60 "$process" "purge_delay=$i" >"$work/out.$i" 2>&1 &
    pids+=($!)
done
for i in 1 2 3 4 5 6; do
    wait "${pids[i - 1]}" || fail "one of six requests at the same time: $(cat "$work/out.$i")"
done
sed -E 's/.* purge_delay ([0-9]+) -> .*/\1/' "$work"/out.[1-6] | sort >"$work/found"
last=$(printf '%s\n' 0 1 2 3 4 5 6 | comm -23 - "$work/found")
[ "$(wc -w <<<"$last")" = 1 ] || fail "not each found what another one has set: $(paste -sd ' ' "$work/found")"
set_it 0 purge_delay=1000
out_has "purge_delay $last -> 1000$"

# What cannot be set.
set_it 2 heaps=3
err_has "^hakmem: heaps is only read when a program starts: 'hakmem run --set heaps=3 -- COMMAND'$"
set_it 2 stats=exit
err_has 'stats is only read when a program starts'
set_it 2 thp=sometimes
err_has '^hakmem: bad value thp=sometimes: one of never\|adaptive\|always$'
set_it 2 purge_delay=86400001
err_has '^hakmem: bad value purge_delay=86400001: a number from 0 to 86400000$'
set_it 2 purge=1
err_has '^hakmem: there is no option purge; '
set_it 2 purge_delay
err_has '^hakmem: set takes NAME=VALUE, not purge_delay$'
expect 2 "$TEST_CLI" set "$process"
err_has '^usage: hakmem set '
set_it 0 purge_delay=1000
out_has "purge_delay 1000 -> 1000$"
stop

# Left for later, in order.
rm -f "$work/misuse" "$work/misused" "$work/go"
begin sleep
for value in 5 6 7; do
    expect 3 "$TEST_CLI" set --timeout 0 "$process" purge_delay=$value
    err_has 'the request is carried out at its next slow path$'
done
touch "$work/go"
set_it 0 purge_delay=8
out_has "purge_delay 7 -> 8$"
stop

expect 1 "$TEST_CLI" set $$ purge_delay=1
err_has 'does not run on hakmem'
expect 0 "$TEST_CLI" set --help
out_has '^usage: hakmem set '
