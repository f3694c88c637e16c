/* bench/workload/interleaved.c
 * Models.      Mallocs and frees that alternate: temporaries made while a result is built up. Every second malloc is
 *              followed by the free of its predecessor; the other half goes at the end of the batch, oldest first.
 * Cannot show. Temporaries of other sizes than the result's.
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
        for (unsigned i = 0; i < BATCH; i += 2) {
            block[i] = malloc(block_size);
            use_block(block[i]);
            block[i + 1] = malloc(block_size);
            use_block(block[i + 1]);
            free(block[i]);
        }
        for (unsigned i = 1; i < BATCH; i += 2)
            free(block[i]);
    }
    return done;
}

WORKLOAD(interleaved) = {
    .name = "interleaved",
    .suite = "seed",
    .summary = "100 mallocs, every second one followed by a free",
    .warm_pairs = 20000,
    .sizes = {16, 32, 64, 128},
    .pairs = 100000,
    .setup = setup,
    .run = run,
};
