#!/bin/bash
# verify --pid: a process that runs already, on hakmem and not, and those that may not be looked at.
. "$(dirname "$0")/support.bash"

compile sleeper -pthread <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
static void *work(void *unused) {
    for (int i = 0; i < 500; i++)
        free(malloc(20));
    for (;;) pause();
}
int main(int count, char **arguments) {
    pthread_t thread;
    for (int i = 0; i < 1000; i++)
        free(malloc(10));
    pthread_create(&thread, NULL, work, NULL);
    if (count == 3)
        prctl(PR_SET_DUMPABLE, 0);
    usleep(10000);
    creat(arguments[1], 0600);
    if (count > 3)
        pthread_exit(NULL);
    for (;;) pause();
}
C
chmod 777 "$work"
start "$work/sleeps" "$TEST_CLI" run --lib "$TEST_SO" -- "$work/sleeper" "$work/sleeps"
expect 0 "$TEST_CLI" verify --pid $process
out_has '^PROVED: hakmem served every allocation of 1 process$'
out_has "$process running .*$work/sleeper  hakmem"
[ "$(sed -n 's/^ *\([0-9]*\)  malloc$/\1/p' "$work/out")" -ge 1500 ] || fail "calls of both threads"
expect 0 "$TEST_CLI" verify --json --pid $process
is pid $process
is end running
kill -0 $process || fail "the process was disturbed"
stop

# One whose first thread is gone.
start "$work/sleeps" "$TEST_CLI" run --lib "$TEST_SO" -- "$work/sleeper" "$work/sleeps" - leave
until grep -q '^State:.Z' /proc/$process/status; do sleep 0.01; done
expect 0 "$TEST_CLI" verify --pid $process
out_has "$process running .*$work/sleeper  hakmem"
stop

start "$work/sleeps" "$work/sleeper" "$work/sleeps"
expect 1 "$TEST_CLI" verify --pid $process
out_has 'culprit: .*hakmem is not loaded: nothing preloaded it; libc\.so\.6 serves it'
if [ "$(id -u)" = 0 ]; then
    expect 2 setpriv --reuid=65534 --regid=65534 --clear-groups "$TEST_CLI" verify --pid $process
    err_has "process $process belongs to another user: run this command as root"
fi
stop

as_user=
[ "$(id -u)" != 0 ] || as_user="setpriv --reuid=65534 --regid=65534 --clear-groups"
start "$work/sleeps" $as_user "$work/sleeper" "$work/sleeps" undumpable
expect 2 $as_user "$TEST_CLI" verify --pid $process
err_has 'run this command as root'
out_is_empty
stop

# One that is not there, one of the kernel, things that are no process.
expect 2 "$TEST_CLI" verify --pid 4194304
err_has 'no process 4194304'
for wrong in abc 0 -5 '' 12x 99999999999999999999; do
    expect 2 "$TEST_CLI" verify --pid "$wrong"
    err_has 'takes the number of a process'
done
kthread=$(ps -e -o pid=,ppid= | awk '$2 == 2 { print $1; exit }')
if [ -n "$kthread" ] && [ "$(id -u)" = 0 ]; then
    expect 2 "$TEST_CLI" verify --pid "$kthread"
    err_has 'thread of the kernel'
fi
