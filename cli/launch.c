/* launch.c
 * Purpose.     Starts the command under trace. See trace.h.
 * Design.      The child waits until it is traced, installs the filter and becomes the program. What keeps it from
 *              doing so travels over a pipe that closes itself on exec.
 */
#include "trace.h"

#include "arch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACE_OPTIONS                                                                                                  \
    (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP |      \
     PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

#define FILTER_MAX 64

struct filter {
    struct sock_filter code[FILTER_MAX];
    unsigned short length;
};

static void emit(struct filter *filter, struct sock_filter instruction) {
    filter->code[filter->length++] = instruction;
}

static void emit_load(struct filter *filter, size_t offset) {
    emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* `test` is BPF_JEQ or BPF_JSET: if it holds for `value`, the filter's answer is `answer`. */
static void emit_answer_if(struct filter *filter, unsigned test, uint32_t value, uint32_t answer) {
    emit(filter, (struct sock_filter)BPF_JUMP((unsigned short)(BPF_JMP | test | BPF_K), value, 0, 1));
    emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

/* clone3 has its flags in memory, where no filter can look: the C library then takes clone. A process that tells its
 * parent of its end by another signal than SIGCHLD would be reported as a thread. */
static void emit_forks(struct filter *filter) {
    static const uint32_t calls[] = {ARCH_FORK_CALLS SYS_clone};
    const uint32_t refuse = SECCOMP_RET_ERRNO | ENOSYS, report = SECCOMP_RET_TRACE | FILTER_FORK;
    size_t plain = sizeof calls / sizeof *calls - 1;
    for (size_t i = 0; i < plain; i++)
        emit_answer_if(filter, BPF_JEQ, calls[i], report);
    emit_answer_if(filter, BPF_JEQ, SYS_clone3, refuse);
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[plain], 1, 0));
    emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    emit_load(filter, offsetof(struct seccomp_data, args[0]));
    emit_answer_if(filter, BPF_JSET, CLONE_THREAD, SECCOMP_RET_ALLOW);
    emit(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CSIGNAL));
    emit_answer_if(filter, BPF_JEQ, SIGCHLD, report);
    emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refuse));
}

static bool install_filter(bool leave_threads) {
    struct filter filter = {.length = 0};
    emit_load(&filter, offsetof(struct seccomp_data, arch));
    emit(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_AUDIT, 1, 0));
    emit(&filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    emit_load(&filter, offsetof(struct seccomp_data, nr));
    emit_answer_if(&filter, BPF_JEQ, SYS_execve, SECCOMP_RET_TRACE | FILTER_EXEC);
    emit_answer_if(&filter, BPF_JEQ, SYS_execveat, SECCOMP_RET_TRACE | FILTER_EXEC);
    if (leave_threads)
        emit_forks(&filter);
    else
        emit(&filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    struct sock_fprog program = {.len = filter.length, .filter = filter.code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        return true;
    return errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

_Noreturn static void become_program(const struct launch *launch, int go, int reason, const sigset_t *signals) {
    char byte;
    int failure[2] = {LAUNCH_FILTER, 0};
    sigprocmask(SIG_SETMASK, signals, NULL);
    if (read(go, &byte, 1) != 1)
        _exit(EXIT_USAGE);
    if (launch->quiet_stdout && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(EXIT_USAGE);
    if (install_filter(launch->leave_threads)) {
        failure[0] = LAUNCH_EXEC;
        execv(launch->path, launch->arguments);
    }
    failure[1] = errno;
    ssize_t written = write(reason, failure, sizeof failure);
    _exit(written == sizeof failure ? 127 : EXIT_USAGE);
}

/* The signals that somebody may send to the command: they are passed on, so they wait until they are asked for. */
static void block_signals(sigset_t *before) {
    static const int passed_on[] = {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
        sigaddset(&blocked, passed_on[i]);
    sigprocmask(SIG_BLOCK, &blocked, before);
}

static void close_both(const int ends[2]) {
    close(ends[0]);
    close(ends[1]);
}

pid_t launch_traced(struct launch *launch) {
    int go[2], reason[2];
    sigset_t signals;
    long options = TRACE_OPTIONS | (launch->leave_threads ? 0 : PTRACE_O_TRACECLONE);
    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(reason, O_CLOEXEC) != 0) {
        say("cannot start the command: %s", strerror(errno));
        return -1;
    }
    block_signals(&signals);
    pid_t child = fork();
    if (child == 0)
        become_program(launch, go[0], reason[1], &signals);
    launch->reason_pipe = reason[0];
    close(reason[1]);
    if (child < 0) {
        say("cannot start the command: %s", strerror(errno));
    } else if (ptrace(PTRACE_SEIZE, child, NULL, options) != 0 || write(go[1], "", 1) != 1) {
        say("cannot trace the command: %s%s", strerror(errno),
            errno == EPERM ? " (a container or another tracer forbids ptrace)" : "");
        kill(child, SIGKILL);
        waitpid(child, NULL, __WALL);
        child = -1;
    }
    close_both(go);
    if (child < 0)
        close(reason[0]);
    return child;
}

void launch_say_reason(const struct launch *launch) {
    int failure[2];
    if (read(launch->reason_pipe, failure, sizeof failure) != sizeof failure)
        say("cannot run %s: the child ended before it", launch->path);
    else if (failure[0] == LAUNCH_FILTER)
        say("cannot watch %s: the seccomp filter for exec is refused: %s", launch->path, strerror(failure[1]));
    else
        say("cannot run %s: %s", launch->path, strerror(failure[1]));
}
