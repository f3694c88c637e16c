/* bench/workload/lifo.c
 * Models.      Blocks freed in the reverse of the order they were made: call stacks, scopes, recursive descent.
 * Cannot show. Anything about memory: 100 blocks stay in the first cache level and in every allocator's own cache.
 */
#include "../harness.h"

static size_t block_size;

static void setup(size_t size) {
    block_size = size;
}

static uint64_t run(uint64_t pairs) {
    void *block[BATCH];
    uint64_t done = 0;
    for (; done < pairs; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            block[i] = malloc(block_size);
            use_block(block[i]);
        }
        for (unsigned i = BATCH; i-- > 0;)
            free(block[i]);
    }
    return done;
}

WORKLOAD(lifo) = {
    .name = "lifo",
    .suite = "seed",
    .summary = "100 mallocs, freed newest first",
    .warm_pairs = 20000,
    .sizes = {16, 32, 64, 128},
    .pairs = 100000,
    .setup = setup,
    .run = run,
};
