/* task.h
 * Purpose.     The threads and processes under trace, and the memory images that they run in.
 * Design.      An image is what a proof is about: the memory between exec (or fork) and the next exec (or the end).
 *              Threads share the image of their process; a vfork child shares its parent's until it calls exec. So the
 *              last thread that leaves an image is the one at which it is looked at, once, whoever that thread is.
 * Invariants.  image.live == threads that run in it; process.live == its own part of them.
 * Not here.    Events (trace.c).
 */
#ifndef HAK_CLI_TASK_H
#define HAK_CLI_TASK_H

#include "inspect.h"

enum image_end { END_NONE, END_EXIT, END_SIGNAL, END_EXEC };

struct image {
    pid_t pid, parent;
    char *program;      // path of the executable
    char *command_line; // at the time of its exec; that of its parent's image if it was forked
    bool forked;        // began as a copy of its parent's memory, counters included
    bool beheaded;      // its first thread ended before others, which are not traced
    bool hidden;        // the command's own child before it became CMD
    struct counts before;
    struct proof *proof; // NULL until it was looked at
    enum image_end end;
    int end_value; // exit status or signal
    unsigned live;
};

struct process {
    pid_t pid, parent;
    struct image *image;
    bool in_exec;              // a thread of it has called exec and the kernel has not answered
    struct proof *before_exec; // what was seen at that call
    pid_t held;                // thread kept at its exit until the others are gone; 0 for none
    unsigned live, tasks;
};

struct task {
    pid_t tid;
    struct process *process; // NULL: stopped, until its parent tells whose it is
    bool leaving;            // has said that it exits
    struct task *next;
};

struct task_table {
    struct task **bucket;
    size_t count;
};

struct task *task_find(const struct task_table *table, pid_t tid);
struct task *task_add(struct task_table *table, pid_t tid, struct process *process);

/* Removes the task; its process too if it was the last one. */
void task_remove(struct task_table *table, struct task *task);

/* The task no longer runs in its image. Idempotent. */
void task_leave(struct task *task);

/* Calls `each` for every task; it may remove that task. */
void tasks_each(struct task_table *table, void (*each)(void *context, struct task *task), void *context);

void tasks_free(struct task_table *table);

/* Which program the process runs: fills `program` and `command_line` from /proc. */
void image_identify(struct image *image, pid_t tid);
void image_free(struct image *image);

#endif
