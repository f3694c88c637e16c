/* bench/workload/shift.c
 * Models.      A program that changes its mind: it fills 64 MiB with blocks of 16..128 B, frees all but every tenth,
 *              and then fills up again with blocks of 512..2048 B. What the survivors hold in place cannot be used for
 *              them.
 * Design.      The numbers are live_kib, the bytes that the program asked for and still has at the end, and
 *              rss_kib_after beside it; what is more in the second is fragmentation and what the allocator keeps. PAIRS
 *              is ignored but for rounding: the work is one shift, whose memory is the point.
 * Cannot show. Fragmentation of a program that runs for weeks.
 */
#include "../harness.h"

enum { FILL_BYTES = 64 << 20, SMALL_MOST = 128, LARGE_LEAST = 512, KEEP_EVERY = 10, SLOTS_MAX = FILL_BYTES / 16 };

static void *slots[SLOTS_MAX];
static uint32_t sizes[SLOTS_MAX];

/* Fills the free slots from `first` on until the blocks have FILL_BYTES in sum; the slot after the last one. */
static size_t fill(size_t first, uint64_t *bytes, size_t least, size_t most, uint64_t state) {
    size_t slot = first;
    for (; *bytes < FILL_BYTES && slot < SLOTS_MAX; slot++) {
        state = next_random(state);
        sizes[slot] = (uint32_t)random_between(state, least, most);
        slots[slot] = malloc(sizes[slot]);
        use_block(slots[slot]);
        *bytes += sizes[slot];
    }
    return slot;
}

static uint64_t shift(void) {
    uint64_t bytes = 0, freed = 0;
    size_t small_end = fill(0, &bytes, 16, SMALL_MOST, 42), kept = 0;
    for (size_t i = 0; i < small_end; i++)
        if (i % KEEP_EVERY == 0) {
            sizes[kept] = sizes[i];
            slots[kept++] = slots[i];
        } else {
            free(slots[i]);
            bytes -= sizes[i];
            freed++;
        }
    size_t end = fill(kept, &bytes, LARGE_LEAST, 4 * LARGE_LEAST, 43);
    note("live_kib", bytes / 1024);
    note("rss_kib_shifted", resident_kib());
    for (size_t i = 0; i < end; i++)
        free(slots[i]);
    return freed + end;
}

static uint64_t run(uint64_t pairs) {
    uint64_t done = 0;
    while (done < pairs)
        done += shift();
    return done;
}

WORKLOAD(shift) = {
    .name = "shift",
    .suite = "growth",
    .summary = "64 MiB of small blocks, nine of ten freed, filled up with larger ones: rss_kib_shifted",
    .pairs = 1,
    .run = run,
};
