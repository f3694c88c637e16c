/* birth.c
 * Purpose.     Which process and which memory a new task belongs to. See trace.h.
 * Design.      A new thread's first stop and its parent's report of it come in either order; a thread that comes first
 *              waits, stopped, for the report, which tells whether it shares memory.
 */
#include "trace.h"

#include <linux/kcmp.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

struct image *trace_add_image(struct trace *trace, pid_t pid, pid_t parent) {
    struct image *image = need(sizeof *image);
    image->pid = pid;
    image->parent = parent;
    trace->image = need_room(trace->image, trace->image_count, &trace->image_room, sizeof *trace->image);
    trace->image[trace->image_count++] = image;
    return image;
}

struct process *process_new(pid_t pid, pid_t parent, struct image *image) {
    struct process *process = need(sizeof *process);
    process->pid = pid;
    process->parent = parent;
    process->image = image;
    return process;
}

/* A forked process starts with its parent's counters: what they show before its first instruction is not its own. */
static struct image *add_forked_image(struct trace *trace, const struct process *parent, pid_t pid) {
    struct image *image = trace_add_image(trace, pid, parent->pid);
    image->forked = true;
    image->hidden = parent->image->hidden;
    uint64_t start_ns = usage_now();
    image_identify(image, pid);
    image->before = inspect_counts(pid);
    usage_looked(trace->usage, start_ns);
    return image;
}

/* `one` may be 0, for no process. */
static bool shares_memory(pid_t one, pid_t other, bool if_unknown) {
    if (one == 0)
        return false;
    long order = syscall(SYS_kcmp, one, other, KCMP_VM, 0, 0);
    return order < 0 ? if_unknown : order == 0;
}

static bool is_thread_of(pid_t tid, pid_t pid) {
    return syscall(SYS_tgkill, pid, tid, 0) == 0;
}

/* Puts a task whose parent is known into its process. True if it waited for that, stopped. */
static bool settle(struct trace *trace, const struct process *parent, pid_t parent_tid, pid_t tid, bool vfork) {
    struct task *waiting = task_find(&trace->tasks, tid);
    if (waiting != NULL && waiting->process != NULL)
        return false;
    long group = is_thread_of(tid, parent->pid) ? parent->pid : proc_status_number(tid, "Tgid:");
    if (waiting != NULL) {
        task_remove(&trace->tasks, waiting);
        trace->waiting--;
    }
    struct task *leader = group > 0 ? task_find(&trace->tasks, (pid_t)group) : NULL;
    struct process *process = NULL;
    if (leader != NULL && leader->process != NULL)
        process = leader->process;
    else if (shares_memory(parent_tid, tid, vfork))
        process = process_new(tid, parent->pid, parent->image);
    else
        process = process_new(tid, parent->pid, add_forked_image(trace, parent, tid));
    task_add(&trace->tasks, tid, process);
    return waiting != NULL;
}

void birth_settle(struct trace *trace, pid_t tid) {
    struct task *parent = task_find(&trace->tasks, (pid_t)proc_status_number(tid, "PPid:"));
    if (parent == NULL || parent->process == NULL)
        parent = task_find(&trace->tasks, trace->command);
    struct image none = {.hidden = false};
    struct process nobody = {.pid = 0, .image = &none};
    if (parent != NULL && parent->process != NULL)
        settle(trace, parent->process, parent->tid, tid, false);
    else
        settle(trace, &nobody, 0, tid, false);
}

static void release_waiting(void *context, struct task *task) {
    pid_t tid = task->tid;
    if (task->process != NULL)
        return;
    birth_settle(context, tid);
    trace_resume(tid, 0);
}

void birth_settle_all(struct trace *trace) {
    if (trace->waiting != 0)
        tasks_each(&trace->tasks, release_waiting, trace);
}

void birth_report(struct trace *trace, const struct task *parent, int event) {
    unsigned long message = 0;
    if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &message) != 0)
        return;
    pid_t tid = (pid_t)message;
    /* A thread of the process is ours, whatever the number stands for; and it is dear to ask /proc for each of many. */
    bool thread = event == PTRACE_EVENT_CLONE && is_thread_of(tid, parent->process->pid);
    if (!thread && proc_status_number(tid, "TracerPid:") != getpid())
        return;
    if (settle(trace, parent->process, parent->tid, tid, event == PTRACE_EVENT_VFORK))
        trace_resume(tid, 0);
}
