#!/bin/bash
# stat, explain and top where they cannot answer: another allocator, no process, no right to look, bad usage. And where
# the library is not where it is usually: linked in statically, in a process whose first thread has ended.
. "$(dirname "$0")/support.bash"

compile sleeper -pthread <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
static char *kept[1000];
static void *work(void *path) {
    for (int i = 0; i < 1000; i++)
        kept[i] = malloc(200);
    creat(path, 0600);
    for (;;)
        pause();
}
int main(int count, char **arguments) {
    pthread_t thread;
    if (count == 3)
        prctl(PR_SET_DUMPABLE, 0);
    pthread_create(&thread, NULL, work, arguments[1]);
    if (count > 3)
        pthread_exit(NULL);
    for (;;)
        pause();
}
C
chmod 777 "$work"
all() {
    local verb
    for verb in stat explain top; do
        expect "$1" "$TEST_CLI" $verb "$process"
        [ "$1" = 0 ] || { err_has "$2" && out_is_empty; }
    done
}

# On libc; and what may not be looked at.
start "$work/ready" "$work/sleeper" "$work/ready"
all 1 "^hakmem: process $process does not run on hakmem; 'hakmem verify --pid $process' says who serves it$"
if [ "$(id -u)" = 0 ]; then
    for verb in stat explain top; do
        expect 2 setpriv --reuid=65534 --regid=65534 --clear-groups "$TEST_CLI" "$verb" "$process"
        err_has "^hakmem: process $process belongs to another user: run this command as root \(sudo\)$"
        out_is_empty
    done
fi
stop
as_user=
[ "$(id -u)" != 0 ] || as_user="setpriv --reuid=65534 --regid=65534 --clear-groups"
# shellcheck disable=SC2086
start "$work/ready" env LD_PRELOAD="$TEST_SO" $as_user "$work/sleeper" "$work/ready" undumpable
for verb in stat explain top; do
    # shellcheck disable=SC2086
    expect 2 $as_user "$TEST_CLI" "$verb" "$process"
    err_has 'run this command as root'
    out_is_empty
done
stop

# A user's own process.
# shellcheck disable=SC2086
start "$work/ready" env LD_PRELOAD="$TEST_SO" $as_user "$work/sleeper" "$work/ready"
for verb in stat explain top; do
    # shellcheck disable=SC2086
    expect 0 $as_user "$TEST_CLI" "$verb" "$process"
done
stop

# A first thread that is gone shows no memory; another one does.
start "$work/ready" env LD_PRELOAD="$TEST_SO" "$work/sleeper" "$work/ready" - leave
until grep -q '^State:.Z' "/proc/$process/status"; do sleep 0.01; done
all 0
expect 0 "$TEST_CLI" explain --json "$process"
holds 'abs(r["sum_bytes"] - r["kernel_rss_bytes"]) <= r["kernel_rss_bytes"] / 100'
holds '[c["blocks"] for c in r["live_blocks"] if c["block_bytes"] == 208][0] >= 1000'
stop

# Linked statically: found by its magic number.
archive=$(dirname "$TEST_SO")/libhakmem.a
[ -e "$archive" ] || fail "no libhakmem.a beside the shared library"
compile static -static "$archive" -pthread <<'C'
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static char *kept[1000];
int main(int count, char **arguments) {
    for (int i = 0; i < 1000; i++)
        kept[i] = malloc(200);
    creat(arguments[1], 0600);
    for (;;)
        pause();
}
C
start "$work/ready" "$work/static" "$work/ready"
all 0
expect 0 "$TEST_CLI" stat --json "$process"
holds '[c["live_blocks"] for c in r["classes"] if c["block_bytes"] == 208] == [1000]'
stop

# No process, and no number of one.
for verb in stat explain top; do
    expect 2 "$TEST_CLI" $verb 4194304
    err_has '^hakmem: there is no process 4194304$'
    for wrong in 0 -5 '' 99999999999999999999; do
        expect 2 "$TEST_CLI" $verb -- "$wrong"
        err_has "^hakmem: $verb takes the number of a process, not '$wrong'$"
    done
    for wrong in abc 12x; do
        expect 2 "$TEST_CLI" $verb -- "$wrong"
        [ $verb = top ] || err_has "^hakmem: cannot look at core file $wrong: No such file or directory$"
        [ $verb != top ] || err_has "^hakmem: top takes the number of a process, not '$wrong'$"
    done
    expect 2 "$TEST_CLI" $verb 1 2
    err_has "^usage: hakmem $verb "
    expect 2 "$TEST_CLI" $verb --bogus 1
    err_has "^hakmem: $verb: unknown option --bogus$"
    expect 0 "$TEST_CLI" $verb --help
    out_has "^usage: hakmem $verb "
done
for verb in stat explain; do
    expect 2 "$TEST_CLI" $verb
    err_has "^usage: hakmem $verb "
done
expect 2 "$TEST_CLI" stat --json --watch 1
err_has 'exclude each other'
expect 2 "$TEST_CLI" stat --interval 1 1
err_has '^hakmem: stat: --interval says how often --watch looks, which is missing$'
for wrong in 0 -1 x '' 1e9 nan; do
    for verb in 'stat --watch' 'top --once'; do
        # shellcheck disable=SC2086
        expect 2 "$TEST_CLI" $verb --interval "$wrong" 1
        err_has "^hakmem: ${verb% *}: --interval takes a number of seconds up to 86400, not '$wrong'$"
    done
done
for verb in stat top; do
    expect 2 "$TEST_CLI" $verb --interval
    err_has "^hakmem: $verb: a value is missing after --interval$"
done
