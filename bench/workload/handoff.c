/* bench/workload/handoff.c
 * Models.      Producer and consumer: one thread mallocs, another frees, with at most 4096 blocks between them.
 * Design.      A ring with one index per side, published every 64 blocks so that the ring's own cache misses stay small
 *              against the allocator's; a side that finds nothing to do yields, since both may share a processor.
 * Cannot show. An unbounded queue, where the allocator that is slow to free grows. On a busy machine the scheduler is
 *              part of the result: read it with the spread of its samples.
 */
#include "../harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>

enum { RING_SIZE = 4096, CHUNK = 64 };

static size_t block_size;
static void *ring[RING_SIZE];
static alignas(64) _Atomic uint64_t produced;
static alignas(64) _Atomic uint64_t consumed;
static alignas(64) uint64_t target;

static void *consume(void *unused) {
    (void)unused;
    uint64_t next = atomic_load_explicit(&consumed, memory_order_relaxed);
    while (next < target) {
        while (atomic_load_explicit(&produced, memory_order_acquire) < next + CHUNK)
            sched_yield();
        for (unsigned i = 0; i < CHUNK; i++, next++)
            free(ring[next % RING_SIZE]);
        atomic_store_explicit(&consumed, next, memory_order_release);
    }
    return NULL;
}

static void produce(void) {
    uint64_t next = atomic_load_explicit(&produced, memory_order_relaxed);
    while (next < target) {
        while (next + CHUNK > atomic_load_explicit(&consumed, memory_order_acquire) + RING_SIZE)
            sched_yield();
        for (unsigned i = 0; i < CHUNK; i++, next++) {
            void *block = malloc(block_size);
            use_block(block);
            ring[next % RING_SIZE] = block;
        }
        atomic_store_explicit(&produced, next, memory_order_release);
    }
}

static void setup(size_t size) {
    block_size = size;
}

static uint64_t run(uint64_t pairs) {
    uint64_t done = (pairs + CHUNK - 1) / CHUNK * CHUNK;
    pthread_t consumer;
    target += done;
    start_thread(&consumer, consume, NULL);
    produce();
    pthread_join(consumer, NULL);
    return done;
}

WORKLOAD(handoff) = {
    .name = "handoff",
    .suite = "threads",
    .summary = "one thread mallocs, another frees, 4096 blocks between them",
    .warm_pairs = 100000,
    .sizes = {64},
    .pairs = 100000,
    .setup = setup,
    .run = run,
};
