#!/bin/bash
# verify --leave-threads: threads are proved as ever, and no process escapes through those that are not traced.
. "$(dirname "$0")/support.bash"

compile threads -pthread <<'C'
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static char *how;
static char stack[65536];
static int child(void *unused) { return 0; }
static void start(void) {
    char *program[] = {"true", NULL};
    pid_t pid = -1;
    if (!strcmp(how, "fork") && (pid = fork()) == 0) _exit(0);
    if (!strcmp(how, "vfork") && (pid = vfork()) == 0) _exit(0);
    if (!strcmp(how, "clone")) pid = clone(child, stack + sizeof stack, SIGCHLD, NULL);
    if (!strcmp(how, "odd-clone")) pid = clone(child, stack + sizeof stack, SIGUSR1, NULL);
    if (!strcmp(how, "spawn") && (errno = posix_spawnp(&pid, "true", NULL, NULL, program, environ)) != 0) pid = -1;
    if (!strcmp(how, "exec")) execvp("true", program);
    if (pid < 0) perror(how);
    else waitpid(pid, NULL, __WALL);
}
static void *work(void *other) {
    for (int i = 0; i < 100; i++) free(malloc(100));
    if (other != NULL) start();
    return NULL;
}
int main(int count, char **words) {
    pthread_t thread;
    how = words[1];
    for (int i = 0; i < 100; i++) {
        pthread_create(&thread, NULL, work, count > 2 && i == 0 ? how : NULL);
        pthread_join(thread, NULL);
    }
    if (count == 2) start();
}
C
expect 0 verify --leave-threads --json -- "$work/threads" nothing
[ "$(values malloc | head -1)" -ge 10000 ] || fail "calls of threads that are gone"
expect 0 verify --leave-threads --usage --json -- "$work/threads" nothing
[ "$(values minor_faults)" -gt 0 ] || fail "no usage"

# The first thread may start processes, and each is seen.
for how in fork clone spawn; do
    expect 0 verify --leave-threads --json -- "$work/threads" $how
    [ "$(values pid | wc -l)" = 2 ] || fail "$how: processes"
done
for how in vfork exec; do
    expect 0 verify --leave-threads --json -- "$work/threads" $how
done
values program | grep -q '/true$' || fail "the program that was executed"
expect 0 verify --leave-threads --json -- sh -c 'echo text | cat; true'
[ "$(values program | grep -c '/cat$')" = 1 ] || fail "cat"

# Other threads cannot, which the program is told; without the option they can.
for how in fork vfork clone spawn exec; do
    expect 0 verify --leave-threads --json -- "$work/threads" $how in-thread
    err_has "^$how: Function not implemented"
    [ "$(values pid | wc -l)" = 1 ] || fail "$how: a process that should not be"
    expect 0 verify --json -- "$work/threads" $how in-thread
    [ ! -s "$work/err" ] || fail "$how in a thread that is traced"
done
expect 0 verify --leave-threads --json -- "$work/threads" odd-clone
err_has 'odd-clone: Function not implemented'

# What happens after the first thread is gone cannot be seen, and is not taken for proved.
compile headless -pthread <<'C'
#include <pthread.h>
#include <unistd.h>
static pthread_t first;
static void *work(void *unused) { pthread_join(first, NULL); _exit(0); }
int main(void) {
    pthread_t thread;
    first = pthread_self();
    pthread_create(&thread, NULL, work, NULL);
    pthread_exit(NULL);
}
C
expect 1 verify --leave-threads -- "$work/headless"
out_has 'culprit: .*its first thread ended before the others'
expect 0 verify -- "$work/headless"
