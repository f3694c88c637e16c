/* bench/workload/random.c
 * Models.      Blocks freed in no order: hash tables, caches, object graphs.
 * Design.      The orders are drawn once, before the clock starts: no random numbers in the loop.
 * Cannot show. What scattered frees do to a large heap: the working set is 100 blocks (mixed has more).
 */
#include "../harness.h"

enum { ORDER_COUNT = 64 }; /* enough that no branch predictor learns them, few enough to stay cached */

static size_t block_size;
static uint8_t order[ORDER_COUNT][BATCH];

static void setup(size_t size) {
    block_size = size;
    uint64_t state = 42;
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        for (unsigned i = 0; i < BATCH; i++)
            order[o][i] = (uint8_t)i;
        for (unsigned i = BATCH; i > 1; i--) {
            state = next_random(state);
            unsigned j = (unsigned)((state >> 32) % i);
            uint8_t swapped = order[o][i - 1];
            order[o][i - 1] = order[o][j];
            order[o][j] = swapped;
        }
    }
}

static uint64_t run(uint64_t pairs) {
    void *block[BATCH];
    uint64_t done = 0;
    for (unsigned o = 0; done < pairs; done += BATCH, o++) {
        const uint8_t *next = order[o % ORDER_COUNT];
        for (unsigned i = 0; i < BATCH; i++) {
            block[i] = malloc(block_size);
            use_block(block[i]);
        }
        for (unsigned i = 0; i < BATCH; i++)
            free(block[next[i]]);
    }
    return done;
}

WORKLOAD(random) = {
    .name = "random",
    .suite = "seed",
    .summary = "100 mallocs, freed in a random order drawn beforehand",
    .warm_pairs = 20000,
    .sizes = {16, 32, 64, 128},
    .pairs = 100000,
    .setup = setup,
    .run = run,
};
