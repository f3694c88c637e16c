/* bench/workload/mixed.c
 * Models.      A program in its steady state: SIZE live blocks of 16..1024 B, any of which may be the next to be freed
 *              and replaced by one of another size. 8192 of them are 4 MiB, more than the second cache level holds;
 *              2^20 are more than any cache and most TLBs hold.
 * Cannot show. Sizes as programs really draw them (mostly small, few distinct), or what the blocks' use costs when
 *              neighbours in time lie apart in memory: only the first word of a block is written.
 */
#include "../harness.h"

enum { SLOTS_MAX = 1 << 24 };

static void *slots[SLOTS_MAX];
static size_t slot_count;
static uint64_t state = 42;

static void setup(size_t size) {
    slot_count = size < SLOTS_MAX ? size : SLOTS_MAX;
    for (size_t i = 0; i < slot_count; i++) {
        state = next_random(state);
        slots[i] = malloc(random_between(state, 16, 1024));
        use_block(slots[i]);
    }
}

static uint64_t run(uint64_t pairs) {
    uint64_t s = state;
    for (uint64_t done = 0; done < pairs; done++) {
        s = next_random(s);
        void **place = &slots[random_index(s, slot_count)];
        free(*place);
        *place = malloc(random_between(s, 16, 1024));
        use_block(*place);
    }
    state = s;
    return pairs;
}

static void teardown(void) {
    for (size_t i = 0; i < slot_count; i++)
        free(slots[i]);
}

WORKLOAD(mixed) = {
    .name = "mixed",
    .suite = "seed",
    .summary = "SIZE live blocks of 16..1024 B, a random one replaced each time",
    .size_unit = "slots",
    .sizes = {1 << 10, 1 << 13, 1 << 16, 1 << 20},
    .pairs = 400000,
    .warm_pairs = 400000,
    .setup = setup,
    .run = run,
    .teardown = teardown,
};
