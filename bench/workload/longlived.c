/* bench/workload/longlived.c
 * Models.      Short-lived blocks among long-lived ones. 1000 blocks stay, spread over twice the memory they need; of
 *              each batch, every tenth block takes the place of the oldest of them, the others are freed newest first.
 * Cannot show. Fragmentation over hours: all blocks have one size, so every hole fits.
 */
#include "../harness.h"

enum { RESIDENT_COUNT = 1000, RENEWED_EVERY = 10 };

static size_t block_size;
static void *resident[RESIDENT_COUNT];
static unsigned oldest;

static void setup(size_t size) {
    static void *gap[RESIDENT_COUNT];
    block_size = size;
    for (unsigned i = 0; i < RESIDENT_COUNT; i++) {
        resident[i] = malloc(block_size);
        use_block(resident[i]);
        gap[i] = malloc(block_size);
        use_block(gap[i]);
    }
    for (unsigned i = 0; i < RESIDENT_COUNT; i++)
        free(gap[i]);
}

static void renew(void *block) {
    free(resident[oldest]);
    resident[oldest] = block;
    oldest = oldest + 1 == RESIDENT_COUNT ? 0 : oldest + 1;
}

static uint64_t run(uint64_t pairs) {
    void *block[BATCH];
    uint64_t done = 0;
    for (; done < pairs; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            block[i] = malloc(block_size);
            use_block(block[i]);
        }
        for (unsigned i = BATCH; i > 0; i -= RENEWED_EVERY) {
            for (unsigned j = i; --j > i - RENEWED_EVERY;)
                free(block[j]);
            renew(block[i - RENEWED_EVERY]);
        }
    }
    return done;
}

static void teardown(void) {
    for (unsigned i = 0; i < RESIDENT_COUNT; i++)
        free(resident[i]);
}

WORKLOAD(longlived) = {
    .name = "longlived",
    .suite = "seed",
    .summary = "100 mallocs among 1000 blocks that stay; every tenth replaces one of them",
    .warm_pairs = 20000,
    .sizes = {16, 32, 64, 128},
    .pairs = 100000,
    .setup = setup,
    .run = run,
    .teardown = teardown,
};
