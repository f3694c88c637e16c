/* task.c
 * Purpose.     See task.h.
 */
#include "task.h"

#include <stdlib.h>

#define BUCKETS 4096u

static struct task **bucket_of(const struct task_table *table, pid_t tid) {
    return &table->bucket[(unsigned)tid % BUCKETS];
}

struct task *task_find(const struct task_table *table, pid_t tid) {
    struct task *task = table->bucket != NULL ? *bucket_of(table, tid) : NULL;
    while (task != NULL && task->tid != tid)
        task = task->next;
    return task;
}

struct task *task_add(struct task_table *table, pid_t tid, struct process *process) {
    if (table->bucket == NULL)
        table->bucket = need(BUCKETS * sizeof *table->bucket);
    struct task *task = need(sizeof *task);
    *task = (struct task){.tid = tid, .next = *bucket_of(table, tid)};
    *bucket_of(table, tid) = task;
    table->count++;
    if (process != NULL) {
        task->process = process;
        process->tasks++;
        process->live++;
        process->image->live++;
    }
    return task;
}

void task_leave(struct task *task) {
    if (task->leaving || task->process == NULL)
        return;
    task->leaving = true;
    task->process->live--;
    task->process->image->live--;
}

void task_remove(struct task_table *table, struct task *task) {
    struct task **link = bucket_of(table, task->tid);
    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    table->count--;
    task_leave(task);
    if (task->process != NULL && --task->process->tasks == 0) {
        proof_free(task->process->before_exec);
        free(task->process);
    }
    free(task);
}

void tasks_each(struct task_table *table, void (*each)(void *context, struct task *task), void *context) {
    for (size_t i = 0; i < BUCKETS && table->bucket != NULL; i++) {
        for (struct task *task = table->bucket[i], *next; task != NULL; task = next) {
            next = task->next;
            each(context, task);
        }
    }
}

static void remove_one(void *context, struct task *task) {
    task_remove(context, task);
}

void tasks_free(struct task_table *table) {
    tasks_each(table, remove_one, table);
    free(table->bucket);
    *table = (struct task_table){0};
}

void image_identify(struct image *image, pid_t tid) {
    free(image->program);
    free(image->command_line);
    image->program = proc_link(tid, "exe");
    if (image->program == NULL)
        image->program = need_copy("?");
    image->command_line = proc_command_line(tid);
}

void image_free(struct image *image) {
    free(image->program);
    free(image->command_line);
    proof_free(image->proof);
    free(image);
}
