#!/bin/bash
# verify: every process that a command starts is seen once, however it is started and however it ends; the command
# itself notices nothing.
. "$(dirname "$0")/support.bash"

proved() {
    expect 0 verify --json -- "$@"
}
programs_are() {
    local found
    found=$(values program | sed 's|.*/||' | sort | paste -sd ' ')
    [ "$found" = "$1" ] || fail "programs are '$found' instead of '$1'"
}

# A pipeline: the shell, two forks of it that call exec, the two programs.
proved sh -c 'echo text | cat | wc -c; true'
[ "$(values pid | sort -u | wc -l)" = "$(values end | grep -vc exec)" ] || fail "a process that ended not once"
values program | grep -q '/cat$' || fail "no cat"
values program | grep -q '/wc$' || fail "no wc"
is exit_status 0

# The command's own exit status and death by signal are told, and do not decide.
proved sh -c 'exit 9'
is exit_status 9
proved sh -c 'kill -TERM $$'
is signal 15
is end 'signal 15'

# fork, vfork, clone, posix_spawn: memory shared with the parent is looked at once.
compile start <<'C'
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static char stack[65536];
static int child(void *unused) { return 0; }
int main(int count, char **arguments) {
    const char *how = arguments[1];
    char *program[] = {"true", NULL};
    pid_t pid = 0;
    free(malloc(10));
    if (!strcmp(how, "fork") && (pid = fork()) == 0) exit(3);
    if (!strcmp(how, "vfork") && (pid = vfork()) == 0) _exit(3);
    if (!strcmp(how, "vfork-exec") && (pid = vfork()) == 0) { execvp("true", program); _exit(3); }
    if (!strcmp(how, "clone-vm")) pid = clone(child, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    if (!strcmp(how, "clone")) pid = clone(child, stack + sizeof stack, SIGCHLD, NULL);
    if (!strcmp(how, "spawn")) posix_spawnp(&pid, "true", NULL, NULL, program, environ);
    if (!strcmp(how, "failed-exec")) { execvp("no-such-program", program); execv("/", program); }
    if (!strcmp(how, "self")) { if (count > 2) return 0; execl("/proc/self/exe", "start", "self", "again", NULL); }
    if (pid != 0) waitpid(pid, NULL, __WALL);
}
C
proved "$work/start" fork
is end 'exit 0 exit 3'
proved "$work/start" vfork
is end 'exit 0'
proved "$work/start" vfork-exec
programs_are 'start true'
proved "$work/start" clone-vm
is end 'exit 0'
proved "$work/start" clone
is end 'exit 0 exit 0'
proved "$work/start" spawn
programs_are 'start true'
proved "$work/start" failed-exec
is end 'exit 0'
proved "$work/start" self
is end 'exec exit 0'

# Ends of threads and with threads: the last state of the memory is what is seen, whoever goes last.
compile ends -pthread <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char *how;
static pthread_barrier_t barrier;
static void *work(void *first) {
    for (int i = 0; i < 1000; i++)
        free(malloc(i));
    pthread_barrier_wait(&barrier);
    if (first != NULL && !strcmp(how, "exit")) exit(4);
    if (first != NULL && !strcmp(how, "exec")) execlp("true", "true", NULL);
    if (first != NULL && !strcmp(how, "crash")) *(volatile int *)1 = 1;
    if (first != NULL && !strcmp(how, "abort")) abort();
    if (!strcmp(how, "leader")) return NULL;
    if (!strcmp(how, "busy")) for (;;) free(malloc(10));
    for (;;) pause();
}
int main(int count, char **arguments) {
    pthread_t thread;
    how = arguments[1];
    pthread_barrier_init(&barrier, NULL, 9);
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, work, i == 0 ? how : NULL);
    pthread_barrier_wait(&barrier);
    if (!strcmp(how, "main") || !strcmp(how, "busy")) return 5;
    if (!strcmp(how, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(how, "leader")) pthread_exit(NULL);
    for (;;) pause();
}
C
for how in 'main exit 5' 'busy exit 5' 'exit exit 4' 'exec exec exit 0' 'crash signal 11' 'abort signal 6' \
    'leader exit 0' 'kill signal 9'; do
    for attempt in 1 2 3 4 5; do
        proved "$work/ends" "${how%% *}"
        is end "${how#* }"
        [ "$(values allocations | head -1)" -ge 8000 ] || fail "allocations of all threads"
    done
done

# Births in the moment in which the process ends or becomes another program.
compile storm -pthread <<'C'
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char *how;
static void *leaf(void *unused) { free(malloc(10)); return unused; }
static void *spawn(void *unused) {
    for (;;) {
        pthread_t thread;
        pid_t pid;
        if (!strcmp(how, "forks")) {
            if ((pid = fork()) == 0) _exit(0);
            waitpid(pid, NULL, 0);
        } else if (pthread_create(&thread, NULL, leaf, NULL) == 0) {
            pthread_detach(thread);
        }
    }
}
int main(int count, char **arguments) {
    pthread_t thread;
    how = arguments[1];
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, spawn, NULL);
    usleep(3000);
    if (!strcmp(how, "exec")) execlp("true", "true", NULL);
    exit(0);
}
C
for how in threads exec forks; do
    for attempt in 1 2 3 4 5; do
        proved "$work/storm" $how
    done
done

compile many -pthread <<'C'
#include <pthread.h>
#include <stdlib.h>
static void *work(void *unused) { free(malloc(100)); return malloc(10); }
int main(void) {
    for (int i = 0; i < 1000; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, work, NULL);
        pthread_join(thread, NULL);
    }
}
C
proved "$work/many"
[ $(($(values malloc | head -1) / 100)) = 20 ] || fail "1000 threads with 2 mallocs each, and their start"

# Signals, stops and continuations pass through.
compile signals <<'C'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile sig_atomic_t seen;
static void note(int number) { seen++; }
int main(void) {
    int status;
    signal(SIGUSR1, note);
    signal(SIGTRAP, note);
    raise(SIGUSR1);
    raise(SIGTRAP);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0); /* SIGTSTP does not stop a process of an orphaned group */
        raise(SIGSTOP);
        raise(SIGTSTP);
        _exit(6);
    }
    waitpid(child, &status, WUNTRACED);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) return 1;
    kill(child, SIGCONT);
    waitpid(child, &status, WUNTRACED | WCONTINUED);
    if (WIFCONTINUED(status)) waitpid(child, &status, WUNTRACED);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTSTP) return 2;
    kill(child, SIGCONT);
    do waitpid(child, &status, 0); while (!WIFEXITED(status));
    printf("seen %d, child %d\n", seen, WEXITSTATUS(status));
    return seen == 2 ? 0 : 3;
}
C
expect 0 verify -- "$work/signals"
out_has '^seen 2, child 6$'
out_has 'ended    with exit status 0'

# A signal sent to the command `hakmem` reaches the program; what it leaves running is waited for.
compile waits <<'C'
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void stop(int number) { _exit(8); }
int main(int count, char **arguments) {
    signal(SIGTERM, stop);
    creat(arguments[1], 0600);
    for (;;) pause();
}
C
"$TEST_CLI" verify --lib "$TEST_SO" --json -- "$work/waits" "$work/started" >"$work/out" 2>"$work/err" &
verifier=$!
until [ -e "$work/started" ]; do sleep 0.01; done
kill -TERM $verifier
wait $verifier || fail "verify of a program that was sent a signal"
is exit_status 8
expect 0 verify --json -- sh -c 'sleep 0.3 & exit 0'
values program | grep -q '/sleep$' || fail "the process that was left running"

# Nothing of the proof is left behind, and nothing changes what the program prints.
[ "$(verify --output "$work/report" -- printf 'a\nb')" = $'a\nb' ] || fail "output of the command"
grep -q '^PROVED' "$work/report" || fail "no report in the file"
[ "$(echo text | verify --output "$work/report" -- cat)" = text ] || fail "input of the command"
