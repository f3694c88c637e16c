/* bench/workload/mixed.c
 * Models.      A program in its steady state: 8192 live blocks of 16..1024 B, any of which may be the next to be freed
 *              and replaced by one of another size. About 4 MiB live, more than the second cache level holds.
 * Cannot show. Sizes as programs really draw them (mostly small, few distinct), or what the blocks' use costs when
 *              neighbours in time lie apart in memory: only the first word of a block is written.
 */
#include "../harness.h"

enum { SLOT_BITS = 13, SLOT_COUNT = 1 << SLOT_BITS };

static void *slot[SLOT_COUNT];
static uint64_t state = 42;

static void setup(size_t size) {
    (void)size;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        state = next_random(state);
        slot[i] = malloc(random_size(state));
        use_block(slot[i]);
    }
}

static uint64_t run(uint64_t pairs) {
    uint64_t s = state;
    for (uint64_t done = 0; done < pairs; done++) {
        s = next_random(s);
        void **place = &slot[s >> (64 - SLOT_BITS)];
        free(*place);
        *place = malloc(random_size(s));
        use_block(*place);
    }
    state = s;
    return pairs;
}

static void teardown(void) {
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        free(slot[i]);
}

const struct workload workload_mixed = {
    .name = "mixed",
    .summary = "8192 live blocks of 16..1024 B, a random one replaced each time (SIZE 0)",
    .warm_pairs = 400000,
    .takes_size = 0,
    .setup = setup,
    .run = run,
    .teardown = teardown,
};
