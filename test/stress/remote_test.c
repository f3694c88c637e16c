/* remote_test.c
 * Purpose.     Blocks that are freed by another thread than the one that allocated them, in the four shapes that
 *              programs have: ring, all to all, one producer, one consumer.
 * Design.      ring and all-to-all: every thread makes blocks, sends them on a number of hops, and frees what arrives
 *              at its end; whoever cannot send works off its own queue first, so nobody waits for anybody. The
 *              producer shapes wait for each other. There a queue bounds what is live, so resident memory is bounded
 *              as well: an allocator that strands remotely freed blocks is found by its size.
 *                  HAK_SEED, HAK_OPS (blocks for each shape)
 * Concurrency. Queues and the counter are shared; a block belongs to whoever took it out of a queue.
 * heaps: 1 4
 */
#include "queue.h"
#include "shadow.h"

#include "support/process.h"

#include <sched.h>
#include <stdatomic.h>

enum { THREAD_COUNT = 4 };

/* Live at any time: one full queue, 256 KiB, and a block in each thread's hand. The rest is caches and part-used
 * slabs. */
static const size_t PIPE_GROWTH_MAX = 24 * MIB;

enum shape { RING, ALL_TO_ALL };

struct peer {
    struct queue inbox;
    enum shape shape;
    unsigned index;
    unsigned hops;
    uint64_t random;
    uint64_t count; /* blocks to make, or to take */
};

static struct peer peers[THREAD_COUNT];
static atomic_ullong in_flight; /* blocks not yet freed or not yet made */

static void start_all(pthread_t *threads, void *(*function)(void *)) {
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        if (pthread_create(&threads[i], NULL, function, &peers[i]) != 0) {
            shadow_fail(FAULT_TEST, "no thread %u", i);
        }
    }
}

static void join_all(pthread_t *threads) {
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* The id of a block carries how many hops it has left in its lowest byte. */
static unsigned hops_left(const struct block *block) {
    return block->id & 0xff;
}

/* While the receiver has no room, blocks that arrive here end their way early. */
static void send(struct peer *peer, struct block *block) {
    unsigned step = peer->shape == RING ? 1 : (unsigned)(block->id >> 8) % THREAD_COUNT;
    struct queue *to = &peers[(peer->index + step) % THREAD_COUNT].inbox;
    while (!queue_put(to, block)) {
        struct block arrived;
        if (queue_take(&peer->inbox, &arrived)) {
            shadow_free(&shadow_hakmem, &arrived, arrived.id >> 8);
            atomic_fetch_sub_explicit(&in_flight, 1, memory_order_relaxed);
        } else {
            sched_yield();
        }
    }
}

/* Takes one block from the inbox: frees it at the end of its way, else sends it on. */
static void handle_one(struct peer *peer) {
    struct block block;
    if (!queue_take(&peer->inbox, &block)) {
        sched_yield();
        return;
    }
    if (hops_left(&block) == 0) {
        shadow_free(&shadow_hakmem, &block, block.id >> 8);
        atomic_fetch_sub_explicit(&in_flight, 1, memory_order_relaxed);
        return;
    }
    /* Every other hop reallocates, so that blocks change heaps on their way. */
    if (hops_left(&block) % 2 == 1) {
        shadow_realloc(&shadow_hakmem, &block, block.size / 2 + 24, block.id - 1);
        send(peer, &block);
        return;
    }
    shadow_check(&shadow_hakmem, &block);
    uint64_t next = block.id - 1;
    size_t size = block.size;
    void *ptr = shadow_release(&shadow_hakmem, &block);
    block = shadow_adopt(&shadow_hakmem, ptr, size, block.alignment, next);
    send(peer, &block);
}

static void *pass_around(void *argument) {
    struct peer *peer = argument;
    for (uint64_t made = 0; made < peer->count; made++) {
        size_t size = shadow_pick_size(&peer->random) % (256 * KIB);
        uint64_t id = shadow_random(&peer->random) << 8 | peer->hops;
        struct block block = shadow_malloc(&shadow_hakmem, size, id);
        send(peer, &block);
        handle_one(peer);
    }
    while (atomic_load_explicit(&in_flight, memory_order_relaxed) > 0) {
        handle_one(peer);
    }
    return NULL;
}

static void run_shape(enum shape shape, unsigned hops, uint64_t seed, uint64_t count) {
    pthread_t threads[THREAD_COUNT];
    in_flight = count / THREAD_COUNT * THREAD_COUNT;
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        peers[i].shape = shape;
        peers[i].hops = hops;
        peers[i].index = i;
        peers[i].random = seed + i;
        peers[i].count = count / THREAD_COUNT;
        queue_init(&peers[i].inbox, 16 * MIB);
    }
    start_all(threads, pass_around);
    join_all(threads);
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        if (peers[i].inbox.count != 0) {
            shadow_fail(FAULT_COUNT, "%u blocks never arrived at thread %u", peers[i].inbox.count, i);
        }
    }
}

/* ---- producers and consumers ---- */

static struct queue pipe_queue;

static void *produce(void *argument) {
    struct peer *peer = argument;
    for (uint64_t i = 0; i < peer->count; i++) {
        uint64_t random = shadow_random(&peer->random);
        struct block block = shadow_malloc(&shadow_hakmem, 64 + random % 961, random);
        queue_put_wait(&pipe_queue, &block);
    }
    return NULL;
}

static void *consume(void *argument) {
    struct peer *peer = argument;
    for (uint64_t i = 0; i < peer->count; i++) {
        struct block block;
        queue_take_wait(&pipe_queue, &block);
        shadow_free(&shadow_hakmem, &block, block.id);
    }
    return NULL;
}

/* `producers` threads make `count` blocks, the others free them. */
static void run_pipe(unsigned producers, uint64_t seed, uint64_t count) {
    unsigned consumers = THREAD_COUNT - producers;
    pthread_t threads[THREAD_COUNT];
    queue_init(&pipe_queue, 256 * KIB);
    count -= count % (producers * consumers);
    size_t before = process_rss_bytes();
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        peers[i].random = seed + i;
        peers[i].count = i < producers ? count / producers : count / consumers;
        if (pthread_create(&threads[i], NULL, i < producers ? produce : consume, &peers[i]) != 0) {
            shadow_fail(FAULT_TEST, "no thread %u", i);
        }
    }
    join_all(threads);
    size_t after = process_rss_bytes();
    shadow_say("%u to %u: %llu blocks, resident %zu KiB before, %zu KiB after", producers, consumers,
               (unsigned long long)count, before / KIB, after / KIB);
    if (pipe_queue.count != 0) {
        shadow_fail(FAULT_COUNT, "%u blocks are left in the queue", pipe_queue.count);
    }
    if (!SHADOW_SLOW_BUILD && after > before + PIPE_GROWTH_MAX) {
        shadow_fail(FAULT_MEMORY, "%zu KiB are stranded", (after - before) / KIB);
    }
}

int main(void) {
    uint64_t seed = shadow_env("HAK_SEED", 1);
    uint64_t count = shadow_env("HAK_OPS", SHADOW_SLOW_BUILD ? 8000 : 300000);
    run_shape(RING, 5, seed, count);
    run_shape(ALL_TO_ALL, 1, seed + 100, count);
    run_pipe(1, seed + 200, count);
    run_pipe(THREAD_COUNT - 1, seed + 300, count);
    return 0;
}
