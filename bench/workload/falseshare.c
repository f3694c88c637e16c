/* bench/workload/falseshare.c
 * Models.      Small blocks of several threads, in each of which its thread counts (after Berger's cache-thrash and
 *              cache-scratch). Active: an allocator that carves one cache line for two threads makes them slow.
 *              Passive: the threads start with neighbours from one line, made by the main thread; an allocator that
 *              gives a freed block to the thread that freed it keeps them neighbours for ever. Before that, each has
 *              made and freed SIZE blocks of its own, also counted in: an allocator may tell by these whose a block is.
 * Design.      A pair is a malloc, 1000 atomic additions, as of a reference count, and a free. Plain stores would show
 *              nothing: the processor gathers them and needs the line once for many.
 * Cannot show. Anything with one thread, or where both threads run on the same core.
 */
#include "../harness.h"

#include <stdatomic.h>

enum { BLOCK_BYTES = 8, ADD_COUNT = 1000, OWN_MAX = 1024 };

static void *handed[THREADS_LIMIT]; /* to each thread by the main one; NULL: none */
static uint64_t pairs_each;
static size_t own_count;

static void count_in(void *block) {
    _Atomic uint64_t *count = block;
    atomic_store_explicit(count, 0, memory_order_relaxed);
    for (unsigned i = 0; i < ADD_COUNT; i++)
        atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static void make_own(void) {
    void *own[OWN_MAX];
    for (size_t i = 0; i < own_count; i++) {
        own[i] = malloc(BLOCK_BYTES);
        count_in(own[i]);
    }
    for (size_t i = 0; i < own_count; i++)
        free(own[i]);
}

static void body(unsigned index) {
    uint64_t done = own_count;
    make_own();
    if (handed[index] != NULL) {
        count_in(handed[index]);
        free(handed[index]);
        done++;
    }
    for (; done < pairs_each; done++) {
        void *block = malloc(BLOCK_BYTES);
        count_in(block);
        free(block);
    }
}

static void setup(size_t size) {
    own_count = size < OWN_MAX ? size : OWN_MAX;
}

static uint64_t run_all(void) {
    run_threads(thread_count, body);
    return pairs_each * thread_count;
}

static uint64_t run_active(uint64_t pairs) {
    pairs_each = (pairs + thread_count - 1) / thread_count;
    return run_all();
}

static uint64_t run_passive(uint64_t pairs) {
    pairs_each = own_count + (pairs + thread_count - 1) / thread_count;
    for (unsigned t = 0; t < thread_count; t++) {
        handed[t] = malloc(BLOCK_BYTES);
        use_block(handed[t]);
    }
    return run_all();
}

WORKLOAD(falseshare_active) = {
    .name = "falseshare-active",
    .suite = "threads",
    .summary = "each thread adds to its own small block 1000 times: do blocks of two threads share a line?",
    .threads = {1, 2},
    .pairs = 10000,
    .run = run_active,
};

WORKLOAD(falseshare_passive) = {
    .name = "falseshare-passive",
    .suite = "threads",
    .summary =
        "the same, beginning with blocks of one line that the main thread made, and after SIZE blocks of its own",
    .size_unit = "blocks",
    .sizes = {1, 100},
    .threads = {1, 2},
    .pairs = 10000,
    .setup = setup,
    .run = run_passive,
};
