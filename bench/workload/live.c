/* bench/workload/live.c
 * Models.      Work that grows: SIZE blocks of 16..64 B are made, then all are freed in another order than they were
 *              made. An allocator whose cost per block grows with their number shows it from row to row.
 * Design.      The order of the frees steps through the slots by a prime: far apart in memory, and no random numbers in
 *              the loop. Two million pairs at least, so that the small rows last long enough.
 * Cannot show. Which part of a growing cost is the allocator's: caches and TLBs are too small for the large rows under
 *              any allocator. Compare allocators within a row.
 */
#include "../harness.h"

enum { SLOTS_MAX = 1 << 24, STEP = 15485863 };

static void *slots[SLOTS_MAX];
static size_t slot_count;

static void setup(size_t size) {
    slot_count = size < SLOTS_MAX ? size : SLOTS_MAX;
}

static uint64_t run(uint64_t pairs) {
    uint64_t done = 0, state = 42;
    for (; done < pairs; done += slot_count) {
        for (size_t i = 0; i < slot_count; i++) {
            state = next_random(state);
            slots[i] = malloc(random_between(state, 16, 64));
            use_block(slots[i]);
        }
        if (done == 0)
            note("rss_kib_live", resident_kib());
        size_t at = 0;
        for (size_t i = 0; i < slot_count; i++) {
            free(slots[at]);
            at = (at + STEP) % slot_count;
        }
    }
    return done;
}

WORKLOAD(live) = {
    .name = "live",
    .suite = "growth",
    .summary = "SIZE blocks of 16..64 B made, then freed in another order",
    .size_unit = "blocks",
    .sizes = {1000, 10000, 100000, 1000000, 10000000},
    .pairs = 2000000,
    .setup = setup,
    .run = run,
};
