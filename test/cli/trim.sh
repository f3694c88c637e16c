#!/bin/bash
# trim: done by whoever comes by, in a program that calls malloc now and then, and in one that sleeps and has the
# background thread; said to be waiting, and done later, in one that sleeps. Requests at the same time are all carried
# out. What cannot be trimmed is told.
. "$(dirname "$0")/support.bash"

# Holds 30 MB that it has freed. Then: "now-and-then" takes and gives a large block every few ms, "sleep" does nothing
# until the file "go" is there, and comes by once then.
compile holder <<'C'
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { BLOCKS = 30000 };
static char *blocks[BLOCKS];
int main(int count, char **arguments) {
    for (int i = 0; i < BLOCKS; i++)
        memset(blocks[i] = malloc(1000), 1, 1000);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    if (chdir(arguments[2]) != 0)
        return 1;
    creat("ready", 0600);
    while (arguments[1][0] == 'n') {
        free(malloc(100000));
        usleep(2000);
    }
    while (access("go", F_OK) != 0)
        usleep(2000);
    free(malloc(100000));
    creat("gone", 0600);
    for (;;)
        pause();
}
C
# hold HOW [NAME=VALUE]...: nothing goes back by itself.
hold() {
    local how=$1
    shift
    rm -f "$work/go" "$work/gone"
    start "$work/ready" env LD_PRELOAD="$TEST_SO" HAKMEM_PURGE_DELAY=86400000 "$@" "$work/holder" "$how" "$work"
    # Who serves it, and that there is something to give back.
    expect 0 "$TEST_CLI" stat --json "$process"
    holds 'r["allocations"] >= 30000 and r["retained_bytes"] >= 20 * 2**20'
}
retained() {
    expect 0 "$TEST_CLI" stat --json "$process"
    field 'r["retained_bytes"]'
}
# The effect that the last command told of.
has_shrunk() {
    out_has "^process $process: trimmed; RSS [0-9]+ KiB -> [0-9]+ KiB$"
    local before after
    read -r before after < <(sed -E 's/.*RSS ([0-9]+) KiB -> ([0-9]+) KiB/\1 \2/' "$work/out")
    [ $((before - after)) -gt 20000 ] || fail "RSS has not shrunk"
}

hold now-and-then
expect 0 "$TEST_CLI" trim --timeout 60 "$process"
has_shrunk
expect 0 "$TEST_CLI" trim --timeout 60 "$process"
out_has "RSS [0-9]+ KiB -> [0-9]+ KiB$"

# At the same time: each of them is answered.
pids=()
for i in 1 2 3 4 5 6; do
    "$TEST_CLI" trim --timeout 60 "$process" >"$work/out.$i" 2>&1 &
    pids+=($!)
done
for i in 1 2 3 4 5 6; do
    wait "${pids[i - 1]}" || fail "one of six requests at the same time: $(cat "$work/out.$i")"
done
stop

hold sleep HAKMEM_BACKGROUND_THREAD=1
expect 0 "$TEST_CLI" trim --timeout 60 "$process"
has_shrunk
stop

# Nobody comes by: said, and not forgotten.
hold sleep
expect 3 "$TEST_CLI" trim --timeout 0.2 "$process"
err_has "^hakmem: no thread of process $process came by within 0.2 s: the request is carried out at its next slow path$"
out_is_empty
[ "$(retained)" -gt 20000000 ] || fail "trimmed by nobody"
# Eight fit, and the ninth is told so.
for i in 2 3 4 5 6 7 8; do
    expect 3 "$TEST_CLI" trim --timeout 0 "$process"
    err_has 'no thread of process'
done
expect 3 "$TEST_CLI" trim --timeout 0 "$process"
err_has "^hakmem: 8 requests wait in process $process already: none was added$"
touch "$work/go"
until [ -e "$work/gone" ]; do sleep 0.01; done
[ "$(retained)" -lt 200000 ] || fail "the request was forgotten"
expect 3 "$TEST_CLI" trim --timeout 0 "$process"
err_has 'no thread of process'
# Whoever is writing a request keeps others from doing so.
exec 9<"/proc/$process"
flock -x 9
expect 3 "$TEST_CLI" trim --timeout 0.1 "$process"
err_has "^hakmem: another request to process $process is being made: none was added$"
exec 9<&-
stop

# Who is not there, not on hakmem, or not asked well.
expect 1 "$TEST_CLI" trim $$
err_has "^hakmem: process $$ does not run on hakmem; "
expect 2 "$TEST_CLI" trim 99999999
err_has 'there is no process 99999999'
expect 2 "$TEST_CLI" trim
err_has '^usage: hakmem trim '
expect 2 "$TEST_CLI" trim --timeout soon 1
err_has "^hakmem: trim: --timeout takes a number of seconds up to 86400, not 'soon'$"
expect 2 "$TEST_CLI" trim --timeout -1 1
expect 2 "$TEST_CLI" trim --timeout
err_has 'trim: a value is missing after --timeout'
expect 2 "$TEST_CLI" trim --now 1
err_has 'trim: unknown option --now'
expect 0 "$TEST_CLI" trim --help
out_has '^usage: hakmem trim '
