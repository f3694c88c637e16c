/* trace.h
 * Purpose.     Runs a command and looks at every process that it starts, at the end of each.
 * Design.      ptrace reports births and ends of threads, and exec after the fact; a seccomp filter in the command
 *              reports exec before the old memory is gone. All other system calls run at full speed: nothing is done in
 *              the processes, and they are stopped only at these events. Signals and stops pass through.
 *              Installing the filter needs CAP_SYS_ADMIN or "no new privileges"; the latter is chosen only if it must
 *              be, since it takes setuid programs their power.
 * Concurrency. One trace at a time: it waits for every child of the calling process.
 */
#ifndef HAK_CLI_TRACE_H
#define HAK_CLI_TRACE_H

#include "task.h"
#include "usage.h"

struct trace {
    const struct wanted *wanted;
    struct usage *usage;  // NULL: not asked for
    struct image **image; // every memory image of every process, by age
    size_t image_count, image_room;
    bool leave_threads; // see launch_traced
    bool started;       // the command was executed
    int status;         // its wait status
    pid_t command;
    bool command_ended, told_of_others;
    uint64_t patience_ns; // when to tell, after the command has ended
    size_t waiting;       // tasks that have no process yet
    size_t held;          // threads held at their exit
    struct task_table tasks;
};

/* Runs the program to the end, and what it leaves running. False, after a message, if it could not be run. `trace`
 * holds what the caller wants: `wanted`, which only says what the environment preloads, `usage` and `leave_threads`.
 * `quiet_stdout`: the program's standard output goes to standard error. */
bool trace_run(struct trace *trace, const char *path, char *const arguments[], bool quiet_stdout);
void trace_free(struct trace *trace);

/* A thread that is stopped goes on; `signal` 0 for none. */
void trace_resume(pid_t tid, int signal);

/* birth.c: new images, processes and tasks. */
struct image *trace_add_image(struct trace *trace, pid_t pid, pid_t parent);
struct process *process_new(pid_t pid, pid_t parent, struct image *image);

/* The report of a birth. If its thread was killed meanwhile, the number that comes with it is another event's; and the
 * child may have been settled before, and be gone by now. */
void birth_report(struct trace *trace, const struct task *parent, int event);

/* Places a waiting task without its parent's report, by what the kernel says of it. */
void birth_settle(struct trace *trace, pid_t tid);

/* When a thread goes, reports of it may be lost: those that wait for one wait no longer. */
void birth_settle_all(struct trace *trace);

/* What the filter says with its report of a call. */
enum { FILTER_FORK, FILTER_EXEC };

/* launch.c: starts a child that executes the program once it is traced. Its id, or -1 after a message. The pipe
 * delivers the reason if it cannot: two ints, stage and errno.
 * `leave_threads`: threads but the first of a process are not traced, and pay nothing. So that no process escapes, the
 * filter then reports what starts one: the kernel fails a call that is to be reported and has no tracer (ENOSYS). */
enum launch_stage { LAUNCH_FILTER, LAUNCH_EXEC };
struct launch {
    const char *path;
    char *const *arguments;
    bool quiet_stdout, leave_threads;
    int reason_pipe;
};
pid_t launch_traced(struct launch *launch);

/* Says why the launched child never became the program. */
void launch_say_reason(const struct launch *launch);

#endif
