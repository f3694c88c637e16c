/* bench/workload/calloc.c
 * Models.      Zeroed memory. Small: records and nodes, 100 at a time, all of which has to be cleared. Large: tables
 *              that are used sparsely, 4 at a time; one word of every 16th page is written. Memory fresh from the
 *              kernel is zero already, and an allocator that knows so need not touch it.
 * Design.      A large block is read at its end as well: a block that was not cleared ends the run with a message.
 * Cannot show. Tables that are filled: there the page faults outweigh everything.
 */
#include "../harness.h"

#include <stdio.h>

enum { LARGE_COUNT = 4, PAGE_BYTES = 4096, STRIDE_BYTES = 16 * PAGE_BYTES };

static size_t block_size;

static void setup(size_t size) {
    block_size = size;
}

static uint64_t run_small(uint64_t pairs) {
    void *block[BATCH];
    uint64_t done = 0;
    for (; done < pairs; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            block[i] = calloc(1, block_size);
            use_block(block[i]);
        }
        for (unsigned i = 0; i < BATCH; i++)
            free(block[i]);
    }
    return done;
}

static void use_sparsely(volatile char *block) {
    if (block[block_size - 1] != 0) {
        fprintf(stderr, "micro: calloc gave memory that is not zero\n");
        exit(1);
    }
    for (size_t at = 0; at < block_size; at += STRIDE_BYTES)
        block[at] = 1;
    block[block_size - 1] = 1;
}

static uint64_t run_large(uint64_t pairs) {
    void *block[LARGE_COUNT];
    uint64_t done = 0;
    for (; done < pairs; done += LARGE_COUNT) {
        for (unsigned i = 0; i < LARGE_COUNT; i++) {
            block[i] = calloc(block_size, 1);
            use_sparsely(block[i]);
        }
        for (unsigned i = 0; i < LARGE_COUNT; i++)
            free(block[i]);
    }
    return done;
}

static struct calls calls(uint64_t done) {
    return (struct calls){.calloc = done, .free = done};
}

WORKLOAD(calloc_small) = {
    .name = "calloc-small",
    .suite = "growth",
    .summary = "100 callocs, freed oldest first",
    .sizes = {16, 128, 1024, 8192},
    .pairs = 100000,
    .warm_pairs = 10000,
    .setup = setup,
    .run = run_small,
    .calls = calls,
};

WORKLOAD(calloc_large) = {
    .name = "calloc-large",
    .suite = "growth",
    .summary = "4 callocs of tables, of which every 16th page is written",
    .sizes = {64 << 10, 1 << 20, 16 << 20},
    .pairs = 400,
    .warm_pairs = 8,
    .setup = setup,
    .run = run_large,
    .calls = calls,
};
