/* bench/workload/fifo.c
 * Models.      Blocks freed in the order they were made: queues, lists torn down from the head.
 * Cannot show. Queues longer than an allocator's cache, or filled by one thread and drained by another (handoff).
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
        for (unsigned i = 0; i < BATCH; i++)
            free(block[i]);
    }
    return done;
}

WORKLOAD(fifo) = {
    .name = "fifo",
    .suite = "seed",
    .summary = "100 mallocs, freed oldest first",
    .warm_pairs = 20000,
    .sizes = {16, 32, 64, 128},
    .pairs = 100000,
    .setup = setup,
    .run = run,
};
