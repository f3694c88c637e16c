/* exam.h
 * Purpose.     What `doctor` examines, what its checks find, and how they read the files of the kernel.
 * Design.      A check reads, decides and adds findings; it knows neither text nor JSON. Files are named below a root,
 *              so that a test can show a check any machine. What cannot be read is a finding of its own, "not told":
 *              a check that got NULL or false has nothing left to do.
 * Not here.    The list of checks and the report (doctor.c).
 */
#ifndef HAK_CLI_EXAM_H
#define HAK_CLI_EXAM_H

#include "inspect.h"

/* From LEVEL_WARNING on it hurts. */
enum level { LEVEL_OK, LEVEL_UNTOLD, LEVEL_NOTE, LEVEL_WARNING, LEVEL_PROBLEM };

struct finding {
    enum level level;
    const char *check;
    char *text;
    const char *fix; // NULL if there is nothing to be done
};

struct exam {
    const char *root;    // in front of /proc and /sys; "" for the machine itself
    char *process;       // its folder in /proc: a number, or "self" for what this command would start
    bool running;        // it is a process that runs already
    char *hakmem;        // the library to preload; NULL: not found
    char *obstacle;      // why the library cannot be preloaded into the command; NULL if it can, or there is none
    char *unseen;        // why no memory was looked at, though a process or command was named
    struct proof *proof; // what the memory holds; NULL if none was looked at
    struct wanted wanted;
    const char *check; // whose turn it is
    struct finding *finding;
    size_t count, room;
};

/* Takes `text` over. */
void exam_add(struct exam *exam, enum level level, char *text, const char *fix);

/* The text of a file below the root; NULL with errno set. */
char *exam_read(const struct exam *exam, const char *path);

/* The same; NULL after a finding. The second is about a file of the process. */
char *exam_tell(struct exam *exam, const char *path);
char *exam_tell_process(struct exam *exam, const char *name);

/* The number that a file holds; false after a finding. */
bool exam_tell_number(struct exam *exam, const char *path, uint64_t *number);

/* "512.0 MiB". */
char *exam_size(uint64_t bytes);

/* The checks. exam_system.c: */
void check_huge_pages(struct exam *exam);
void check_huge_stalls(struct exam *exam);
void check_huge_collapse(struct exam *exam);
void check_overcommit(struct exam *exam);
void check_mappings(struct exam *exam);
void check_page_size(struct exam *exam);
void check_swap(struct exam *exam);
void check_tracing(struct exam *exam);

/* exam_cgroup.c: */
void check_cgroup_memory(struct exam *exam);
void check_cgroup_cpu(struct exam *exam);

/* exam_process.c: */
void check_limits(struct exam *exam);
void check_own_limits(struct exam *exam);
void check_seccomp(struct exam *exam);
void check_libc(struct exam *exam);
void check_preload(struct exam *exam);
void check_program(struct exam *exam);
void check_allocators(struct exam *exam);

#endif
