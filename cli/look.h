/* look.h
 * Purpose.     One look at a process on hakmem: all that `hakmem top` shows of it.
 * Not here.    What follows from two looks (rates.h).
 */
#ifndef HAK_CLI_LOOK_H
#define HAK_CLI_LOOK_H

#include "account.h"
#include "figures.h"

#define LOOK_NAME_BYTES 16

/* A thread that has caches. Its record's counts go on from those of the thread that had the record before. */
struct look_thread {
    uintptr_t record;
    pid_t tid;
    char name[LOOK_NAME_BYTES];
    uint64_t allocations, frees; // blocks
    uint64_t cached_bytes;
};

struct look {
    double at;           // interval_now()
    double age;          // seconds since the process was started
    uint64_t os_threads; // as the kernel counts them
    uint32_t class_size[HAK_CLASS_COUNT];
    struct figures figures;
    struct account account;
    bool counts_refills; // the library has debug counters
    uint64_t refills;
    struct look_thread *thread; // by address of the record
    size_t thread_count, thread_room;
};

/* NULL, or why it cannot be done. To be freed in either case. */
const char *look_take(struct look *look, const struct place *place);
void look_free(struct look *look);

#endif
