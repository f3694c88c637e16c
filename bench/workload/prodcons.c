/* bench/workload/prodcons.c
 * Models.      A pipeline: half of THREADS make blocks of 16..512 B and queue them in batches of 64, the other half
 *              takes batches and frees them. One queue for all, behind a lock, with room for 64 batches.
 * Design.      A batch is an array inside the queue, so that only the blocks go through the allocator. The lock is
 *              taken once per batch; a side that finds the queue full or empty sleeps until the other one wakes it.
 * Cannot show. An allocator's cost alone: the lock and the sleeping are in every row, alike for all allocators. handoff
 *              has less of both.
 */
#include "../harness.h"

#include <stdatomic.h>
#include <string.h>

enum { BATCH_SIZE = 64, QUEUE_ROOM = 64 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    void *batch[QUEUE_ROOM][BATCH_SIZE];
    unsigned count;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .emptied = PTHREAD_COND_INITIALIZER};

static uint64_t batches;
static _Atomic uint64_t made, taken;

static void put(void *const *batch) {
    pthread_mutex_lock(&queue.lock);
    while (queue.count == QUEUE_ROOM)
        pthread_cond_wait(&queue.emptied, &queue.lock);
    memcpy(queue.batch[queue.count++], batch, sizeof queue.batch[0]);
    pthread_cond_signal(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

static void take(void **batch) {
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 0)
        pthread_cond_wait(&queue.filled, &queue.lock);
    memcpy(batch, queue.batch[--queue.count], sizeof queue.batch[0]);
    pthread_cond_signal(&queue.emptied);
    pthread_mutex_unlock(&queue.lock);
}

static void produce(unsigned index) {
    void *batch[BATCH_SIZE];
    uint64_t s = 42 + index;
    while (atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) < batches) {
        for (unsigned i = 0; i < BATCH_SIZE; i++) {
            s = next_random(s);
            batch[i] = malloc(random_between(s, 16, 512));
            use_block(batch[i]);
        }
        put(batch);
    }
}

static void consume(void) {
    void *batch[BATCH_SIZE];
    while (atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed) < batches) {
        take(batch);
        for (unsigned i = 0; i < BATCH_SIZE; i++)
            free(batch[i]);
    }
}

static void body(unsigned index) {
    if (index % 2 == 0)
        produce(index);
    else
        consume();
}

static uint64_t run(uint64_t pairs) {
    batches = (pairs + BATCH_SIZE - 1) / BATCH_SIZE;
    made = taken = 0;
    run_threads(thread_count < 2 ? 2 : thread_count, body);
    return batches * BATCH_SIZE;
}

WORKLOAD(prodcons) = {
    .name = "prodcons",
    .suite = "threads",
    .summary = "half of the threads queue batches of 64 blocks of 16..512 B, the others free them",
    .threads = {2, 4, 8},
    .pairs = 1000000,
    .warm_pairs = 10000,
    .run = run,
};
