/* trace.c
 * Purpose.     See trace.h. The events of ptrace, one function each.
 * Design.      When a whole process exits, the kernel kills its other threads, and not all of those report their exit.
 *              So the first thread that reports such an exit is held until the others are gone: through it the memory
 *              is seen in its final state.
 */
#include "trace.h"

#include "arch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* So long after the command's end it says that it waits for others. */
#define PATIENCE_NANOSECONDS 2000000000

/* How often a first thread is looked for that died unreported: while another is held, the kernel is silent on it. */
#define POLL_NANOSECONDS 2000000

void trace_resume(pid_t tid, int signal) {
    ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)signal);
}

static struct proof *look(const struct trace *trace, pid_t tid) {
    uint64_t start_ns = usage_now();
    struct proof *proof = inspect_process(tid, trace->wanted);
    usage_looked(trace->usage, start_ns);
    return proof;
}

static void keep_proof(struct image *image, struct proof *proof) {
    proof_free(image->proof);
    image->proof = proof;
    if (proof != NULL)
        counts_subtract(&proof->counts, &image->before);
}

static void forget_exec(struct process *process) {
    proof_free(process->before_exec);
    process->before_exec = NULL;
    process->in_exec = false;
}

/* The process asks for another program. Memory that it shares with its parent stays. */
static void on_exec_call(struct trace *trace, const struct task *task) {
    struct process *process = task->process;
    forget_exec(process);
    process->in_exec = true;
    if (!process->image->hidden && process->image->live == process->live)
        process->before_exec = look(trace, task->tid);
    ptrace(PTRACE_SYSCALL, task->tid, NULL, NULL);
}

/* The filter reports a call. */
static void on_filtered(struct trace *trace, const struct task *task) {
    unsigned long call = 0;
    if (ptrace(PTRACE_GETEVENTMSG, task->tid, NULL, &call) == 0 && call == FILTER_EXEC)
        on_exec_call(trace, task);
    else
        trace_resume(task->tid, 0);
}

struct others {
    struct task_table *table;
    const struct task *survivor;
};

static void remove_other(void *context, struct task *task) {
    const struct others *others = context;
    if (task != others->survivor && task->process == others->survivor->process)
        task_remove(others->table, task);
}

/* The process runs another program. Its other threads are gone; the one left has the id of the process. */
static void on_exec(struct trace *trace, struct task *task) {
    struct process *process = task->process;
    struct image *old = process->image;
    struct others others = {.table = &trace->tasks, .survivor = task};
    tasks_each(&trace->tasks, remove_other, &others);
    task_leave(task);
    if (old->live == 0) {
        keep_proof(old, process->before_exec);
        old->end = END_EXEC;
        process->before_exec = NULL;
    }
    forget_exec(process);
    if (!trace->started && trace->usage != NULL)
        usage_begin(trace->usage, process->pid);
    trace->started = true;
    struct image *image = trace_add_image(trace, process->pid, process->parent);
    image_identify(image, process->pid);
    process->image = image;
    process->live = image->live = 1;
    task->leaving = false;
}

/* True if the thread, which is about to exit, takes its whole process along: it was killed, or did anything but end
 * itself alone. */
static bool ends_process(pid_t tid) {
    unsigned long status = 0;
    struct user_regs_struct registers = {0};
    struct iovec where = {.iov_base = &registers, .iov_len = sizeof registers};
    if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &status) == 0 && (status & 0x7f) != 0)
        return true;
    return ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &where) == 0 && ARCH_SYSCALL_OF(&registers) != SYS_exit;
}

/* Looks at the memory through a thread that is stopped at its exit. A thread that the kernel kills meanwhile shows
 * nothing; what was seen before is kept then. */
static bool look_through(struct trace *trace, struct image *image, pid_t tid) {
    struct proof *proof = look(trace, tid);
    if (proof->failure != NULL && image->proof != NULL) {
        proof_free(proof);
        return false;
    }
    keep_proof(image, proof);
    return proof->failure == NULL;
}

/* All threads of the process have left. `reported` is one that is stopped at its exit, 0 for none. If no thread of
 * another process shares the memory, this is its final state. */
static void on_last(struct trace *trace, struct process *process, pid_t reported) {
    struct image *image = process->image;
    pid_t held = process->held;
    bool last = image->live == 0 && !image->hidden;
    bool seen = last && reported != 0 && look_through(trace, image, reported);
    if (last && !seen && held != 0)
        look_through(trace, image, held);
    if (held == 0)
        return;
    process->held = 0;
    trace->held--;
    trace_resume(held, 0);
}

/* The resident memory of all processes. That of a process whose first thread has ended shows through the others. */
static void take_sample(struct trace *trace) {
    uint64_t kib = 0;
    for (size_t i = 0; i < trace->image_count; i++) {
        const struct image *image = trace->image[i];
        if (image->live == 0 || image->hidden)
            continue;
        uint64_t own = usage_rss_kib(image->pid);
        kib += own != 0 ? own : usage_rss_kib(proc_living_thread(image->pid));
    }
    usage_add_sample(trace->usage, kib);
}

/* A process is about to end. A command that ends before the first sample is due is seen at least once. */
static void note_leave(struct trace *trace) {
    if (trace->started && trace->usage->interval_ns != 0 && trace->usage->count == 0)
        take_sample(trace);
    usage_leave(trace->usage);
}

/* A thread is about to exit. */
static void on_leaving(struct trace *trace, struct task *task) {
    struct process *process = task->process;
    birth_settle_all(trace);
    if (process->live == 1 && trace->usage != NULL)
        note_leave(trace);
    task_leave(task);
    if (process->live != 0 && process->held == 0 && !process->in_exec && ends_process(task->tid)) {
        process->held = task->tid;
        trace->held++;
        return;
    }
    if (trace->leave_threads && !ends_process(task->tid))
        process->image->beheaded = proc_status_number(task->tid, "Threads:") > 1;
    if (process->live == 0)
        on_last(trace, process, task->tid);
    trace_resume(task->tid, 0);
}

/* A thread is gone that may not have reported its exit. */
static void on_gone(struct trace *trace, struct task *task) {
    struct process *process = task->process;
    if (process->held == task->tid) {
        process->held = 0;
        trace->held--;
    }
    if (task->leaving)
        return;
    task_leave(task);
    if (process->live == 0)
        on_last(trace, process, 0);
}

/* A process's first thread stays as a zombie until the others are gone, and nobody is told. */
static void find_dead_leader(void *context, struct task *task) {
    struct process *process = task->process;
    if (process == NULL || process->held == 0 || task->tid != process->pid || task->leaving)
        return;
    char state = proc_state(task->tid);
    if (state == 'Z' || state == 'X')
        on_gone(context, task);
}

static void note_end(struct image *image, pid_t tid, int status) {
    if (image->pid != tid || image->end != END_NONE)
        return;
    image->end = WIFSIGNALED(status) ? END_SIGNAL : END_EXIT;
    image->end_value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void on_end(struct trace *trace, pid_t tid, int status) {
    struct task *task = task_find(&trace->tasks, tid);
    if (tid == trace->command) {
        trace->status = status;
        trace->command_ended = true;
        trace->patience_ns = usage_now() + PATIENCE_NANOSECONDS;
    }
    if (task == NULL)
        return;
    if (task->process != NULL) {
        note_end(task->process->image, tid, status);
        on_gone(trace, task);
    } else {
        trace->waiting--;
    }
    task_remove(&trace->tasks, task);
    birth_settle_all(trace);
}

static bool is_stop_signal(int signal) {
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static void on_stop(struct trace *trace, pid_t tid, int status) {
    int signal = WSTOPSIG(status), event = status >> 16;
    struct task *task = task_find(&trace->tasks, tid);
    if (task == NULL) {
        task = task_add(&trace->tasks, tid, NULL);
        trace->waiting++;
        if (event == PTRACE_EVENT_STOP)
            return;
    }
    if (task->process == NULL) {
        birth_settle(trace, tid);
        task = task_find(&trace->tasks, tid);
    }
    switch (event) {
    case 0:
        if (signal == (SIGTRAP | 0x80))
            forget_exec(task->process);
        trace_resume(tid, signal == (SIGTRAP | 0x80) ? 0 : signal);
        return;
    case PTRACE_EVENT_STOP:
        if (is_stop_signal(signal))
            ptrace(PTRACE_LISTEN, tid, NULL, NULL);
        else
            trace_resume(tid, 0);
        return;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        birth_report(trace, task, event);
        break;
    case PTRACE_EVENT_SECCOMP:
        on_filtered(trace, task);
        return;
    case PTRACE_EVENT_EXEC:
        on_exec(trace, task);
        break;
    case PTRACE_EVENT_EXIT:
        on_leaving(trace, task);
        return;
    default:
        break;
    }
    trace_resume(tid, 0);
}

static void send_signal(void *context, struct task *task) {
    if (task->process != NULL && task->tid == task->process->pid)
        kill(task->tid, *(const int *)context);
}

/* How long nothing has to be done without an event; -1 for ever. */
static int64_t idle_ns(const struct trace *trace) {
    int64_t wait = trace->usage != NULL ? usage_wait(trace->usage) : -1;
    int64_t other = trace->held != 0 ? POLL_NANOSECONDS : -1;
    if (other < 0 && trace->command_ended && !trace->told_of_others) {
        other = (int64_t)(trace->patience_ns - usage_now());
        other = other > 0 ? other : 0;
    }
    return wait < 0 || (other >= 0 && other < wait) ? other : wait;
}

/* The signal that arrives next; 0 if something has to be looked at first. */
static int next_signal(struct trace *trace, siginfo_t *info) {
    int64_t idle = idle_ns(trace);
    struct timespec limit = {.tv_sec = idle / 1000000000, .tv_nsec = idle % 1000000000};
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    int signal = sigtimedwait(&blocked, info, idle >= 0 ? &limit : NULL);
    if (signal > 0 || errno != EAGAIN)
        return signal > 0 ? signal : 0;
    if (trace->held != 0) {
        tasks_each(&trace->tasks, find_dead_leader, trace);
    } else if (trace->command_ended && !trace->told_of_others && usage_now() >= trace->patience_ns) {
        trace->told_of_others = true;
        say("the command has ended; waiting for the processes that it left running");
    }
    return 0;
}

/* Waits for the next event or signal. A signal from the terminal went to the command as well; one that somebody sent
 * to us is meant for the command. */
static void wait_for_event(struct trace *trace) {
    siginfo_t info;
    int signal = next_signal(trace, &info);
    if (signal == 0 || signal == SIGCHLD || info.si_code == SI_KERNEL)
        return;
    if (!trace->command_ended)
        kill(trace->command, signal);
    else
        tasks_each(&trace->tasks, send_signal, &signal);
}

/* As waitpid(2) for any thread under trace. A process whose cost is asked for is asked when it is dead, before the wait
 * that buries it. */
static pid_t next_event(const struct trace *trace, int *status) {
    siginfo_t info = {0};
    struct rusage rusage;
    if (trace->usage == NULL)
        return waitpid(-1, status, __WALL | WNOHANG);
    if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) != 0)
        return -1;
    pid_t tid = info.si_pid;
    if (tid == 0)
        return 0;
    struct task *task = task_find(&trace->tasks, tid);
    bool first = task != NULL && task->process != NULL && task->process->pid == tid;
    if (first && info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED && trace->started) {
        usage_add_process(trace->usage, tid, tid == trace->command);
        if (wait4(tid, status, __WALL | WNOHANG, &rusage) == tid)
            usage_add_peak(trace->usage, &rusage);
        return tid;
    }
    /* A stop that is over already, since the thread was killed: its end comes next. */
    if (waitpid(tid, status, __WALL | WNOHANG) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return tid;
}

bool trace_run(struct trace *trace, const char *path, char *const arguments[], bool quiet_stdout) {
    struct launch launch = {.path = path, .arguments = arguments, .quiet_stdout = quiet_stdout};
    launch.leave_threads = trace->leave_threads;
    trace->command = launch_traced(&launch);
    if (trace->command < 0)
        return false;
    struct image *own = trace_add_image(trace, trace->command, getpid());
    own->hidden = true;
    task_add(&trace->tasks, trace->command, process_new(trace->command, getpid(), own));
    for (;;) {
        int status = 0;
        if (trace->usage != NULL && usage_wait(trace->usage) == 0)
            take_sample(trace);
        pid_t tid = next_event(trace, &status);
        if (tid == 0)
            wait_for_event(trace);
        else if (tid < 0 && errno == ECHILD)
            break;
        else if (tid > 0 && WIFSTOPPED(status))
            on_stop(trace, tid, status);
        else if (tid > 0)
            on_end(trace, tid, status);
    }
    if (!trace->started)
        launch_say_reason(&launch);
    close(launch.reason_pipe);
    return trace->started;
}

void trace_free(struct trace *trace) {
    tasks_free(&trace->tasks);
    for (size_t i = 0; i < trace->image_count; i++)
        image_free(trace->image[i]);
    free(trace->image);
}
