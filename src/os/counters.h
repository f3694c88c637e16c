/* os/counters.h
 * Purpose.     The debug counters (HAK_COUNTERS in include/hakmem_stats.h): COUNT(id) adds one.
 * Design.      Macros that leave nothing behind with HAK_STATS=0, neither an instruction nor a byte, so each stands in
 *              a line of its own: test/golden/nostats.sh takes those lines away and compares.
 *              A thread counts in its record, whichever layer it is in; without one, in words that all share. Only slow
 *              paths count, once per batch wherever the number is known there.
 * Concurrency. A record's counters have one writer, the shared ones are added to atomically (relaxed).
 */
#ifndef HAK_OS_COUNTERS_H
#define HAK_OS_COUNTERS_H

#include "base/atomic.h"
#include "base/compiler.h"

#if HAK_STATS

HAK_TLS_SHARED uint64_t *hak_counters; /* the calling thread's, NULL if it has no record */
HAK_TLS_SHARED uint8_t hak_count_stage;
extern uint64_t hak_counters_shared[HAK_COUNTER_COUNT];

FAST void hak_count(unsigned counter, uint64_t n) {
    uint64_t *mine = hak_counters;
    if (likely(mine != NULL))
        owner_add(&mine[counter], n);
    else
        fetch_add_relaxed(&hak_counters_shared[counter], n);
}

#define COUNT_ADD(id, n) hak_count(HAK_COUNTER_##id, (n))
/* One of the counters that there is one of per rank of lock. */
#define COUNT_RANKED(id, rank) hak_count(HAK_COUNTER_##id##_THREADS + (rank), 1)
/* A refill begins, reaches a stage, ends with as many blocks. */
#define COUNT_REFILL_BEGIN() (hak_count_stage = HAK_COUNTER_REFILL_PARTIAL)
#define COUNT_REFILL_STAGE(id)                                                                                         \
    (hak_count_stage = hak_count_stage > HAK_COUNTER_REFILL_##id ? hak_count_stage : HAK_COUNTER_REFILL_##id)
#define COUNT_REFILL_END(blocks) hak_count((blocks) == 0 ? HAK_COUNTER_REFILL_FAILED : hak_count_stage, 1)
/* The calling thread counts here from now on. */
#define COUNT_IN(record) (hak_counters = (record))
#define COUNT_ONLY(...) __VA_ARGS__
#define COUNTERS_SHARED hak_counters_shared

#else

#define COUNT_ADD(id, n) ((void)0)
#define COUNT_RANKED(id, rank) ((void)0)
#define COUNT_REFILL_BEGIN() ((void)0)
#define COUNT_REFILL_STAGE(id) ((void)0)
#define COUNT_REFILL_END(blocks) ((void)0)
#define COUNT_IN(record) ((void)0)
#define COUNT_ONLY(...)
#define COUNTERS_SHARED NULL

#endif

#define COUNT(id) COUNT_ADD(id, 1)

#endif
