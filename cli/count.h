/* count.h
 * Purpose.     How many calls hakmem has served, from the records that it keeps (include/hakmem_stats.h).
 * Design.      hakmem does not count calls of malloc and free: they follow from the bookkeeping of its thread caches.
 *              All equations are here and work on plain structs, so a test can feed them without a process.
 * Invariants.  allocations == sum of served over ALLOC + blocks that a RESIZE handed out      [counts_finish]
 *              frees + null_frees == sum of served over FREE + blocks that a RESIZE took back
 * Not here.    Fetching the records from a process (view.h).
 */
#ifndef HAK_CLI_COUNT_H
#define HAK_CLI_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "hakmem_stats.h"

struct counts {
    uint64_t served[HAK_ENTRY_COUNT]; // calls per entry point
    uint64_t allocations;             // blocks handed out, by whatever entry
    uint64_t frees;                   // blocks taken back
    uint64_t resize_allocations;      // of them, by realloc and reallocarray
    uint64_t resize_frees;
    uint64_t null_frees;
    uint64_t foreign_frees;     // frees of pointers that are not hakmem's
    uint64_t errors;            // all misuse, foreign frees included
    uint64_t large_allocations; // of allocations, those above the size classes
    uint64_t large_frees;
    uint64_t passed_frees;               // of frees, those that passed the thread's list
    uint64_t taken;                      // blocks moved from heaps to caches
    uint64_t returned;                   // and back
    uint64_t counter[HAK_COUNTER_COUNT]; // the debug counters, 0 if the library has none
    uint64_t threads;                    // that live; last, and the only one that is no sum
};

/* Debug counters that need no counting, since they follow from what is counted: X(name, of struct counts *c, what it
 * is). Atomic operations: taking a lock that is free is one and releasing it another, and so is trying one in vain. */
#define DERIVED_COUNTERS(X)                                                                                            \
    X(tls_sll, c->frees - c->large_frees - c->passed_frees - c->counter[HAK_COUNTER_FREE_DIRECT],                      \
      "blocks freed into the thread's own cache")                                                                      \
    X(ss_local, c->returned - c->counter[HAK_COUNTER_SENT_HOME],                                                       \
      "blocks that went from a cache, or past a full one, to a transfer cache or the slabs of its own heap")           \
    X(outbox, c->passed_frees,                                                                                         \
      "blocks that passed the thread's list, freed into its outbox: a free that left the fast path")                   \
    X(left_empty,                                                                                                      \
      counts_range(c, HAK_COUNTER_REFILL_TRANSFER, HAK_COUNTER_REFILL_FAILED) -                                        \
          c->counter[HAK_COUNTER_LEFT_NO_RECORD],                                                                      \
      "mallocs that left the fast path: the cache was empty")                                                          \
    X(left_large, c->large_allocations + c->large_frees,                                                               \
      "mallocs and frees that left the fast path: Large and Huge blocks")                                              \
    X(left_null, c->null_frees, "frees of NULL")                                                                       \
    X(left_foreign, c->foreign_frees, "frees of pointers that are not hakmem's")                                       \
    X(refills, counts_range(c, HAK_COUNTER_REFILL_TRANSFER, HAK_COUNTER_REFILL_FAILED), "refills, at whatever stage")  \
    X(refill_blocks, c->taken, "blocks that refills moved to caches")                                                  \
    X(locks, counts_range(c, HAK_COUNTER_LOCK_THREADS, HAK_COUNTER_LOCK_META), "locks taken")                          \
    X(contended, counts_range(c, HAK_COUNTER_CONTENDED_THREADS, HAK_COUNTER_CONTENDED_META),                           \
      "locks that had to be waited for")                                                                               \
    X(moved, counts_range(c, HAK_COUNTER_MOVED_THREADS, HAK_COUNTER_MOVED_META), "locks taken after another thread")   \
    X(atomics,                                                                                                         \
      2 * counts_range(c, HAK_COUNTER_LOCK_THREADS, HAK_COUNTER_LOCK_META) + c->counter[HAK_COUNTER_TRY_FAILED] +      \
          c->counter[HAK_COUNTER_ATOMIC_OTHER],                                                                        \
      "atomic read-modify-writes: two for each lock, one for each that was tried in vain, and atomic_other")

static inline uint64_t counts_range(const struct counts *counts, unsigned first, unsigned last) {
    uint64_t sum = 0;
    for (unsigned i = first; i <= last; i++)
        sum += counts->counter[i];
    return sum;
}

/* Adds what threads without a record did, and what the whole process counts. First of the three. */
void counts_begin(struct counts *counts, const struct hak_view *view);

/* Adds one record: what its thread and those before it did. */
void counts_add_thread(struct counts *counts, const struct hak_thread_view *thread);

/* Adds debug counters: those of a record, or those of threads without one. */
void counts_add_counters(struct counts *counts, const uint64_t *counters);

/* Works out malloc and free from the sums. Last of the three. */
void counts_finish(struct counts *counts);

/* Takes away what a process had counted already when it was forked: `before` of the same memory, earlier. */
void counts_subtract(struct counts *counts, const struct counts *before);

/* Adds the counts of another process. */
void counts_add(struct counts *counts, const struct counts *other);

/* The name of an entry point, and whether it hands out blocks, takes them back, or both. */
enum entry_kind { ENTRY_ALLOC, ENTRY_RESIZE, ENTRY_FREE };
const char *entry_name(unsigned entry);
enum entry_kind entry_kind(unsigned entry);

#endif
