/* bench/workload/scaling.c
 * Models.      THREADS threads that have nothing to do with each other: each replaces random ones of its 200 live
 *              blocks of 16..512 B. The total work is the same in every row.
 * Cannot show. Speed-up beyond the processors that the machine has: from there on the row shows what many threads cost
 *              in memory and switching.
 */
#include "../harness.h"

enum { SLOT_COUNT = 200 };

static uint64_t pairs_each;

static void body(unsigned index) {
    void *slots[SLOT_COUNT] = {NULL};
    uint64_t s = 42 + index, done = 0;
    for (; done < pairs_each; done++) {
        s = next_random(s);
        void **place = &slots[random_index(s, SLOT_COUNT)];
        if (*place != NULL)
            free(*place);
        *place = malloc(random_between(s, 16, 512));
        use_block(*place);
    }
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        if (slots[i] != NULL)
            free(slots[i]);
}

static uint64_t run(uint64_t pairs) {
    pairs_each = (pairs + thread_count - 1) / thread_count;
    run_threads(thread_count, body);
    return pairs_each * thread_count;
}

WORKLOAD(scaling) = {
    .name = "scaling",
    .suite = "growth",
    .summary = "threads on their own, 200 live blocks of 16..512 B each; the same work in sum",
    .threads = {1, 2, 4, 8, 16, 32, 64, 128, 256},
    .pairs = 2000000,
    .run = run,
};
