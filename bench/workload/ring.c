/* bench/workload/ring.c
 * Models.      Stages that pass messages on: THREADS threads in a ring, each makes blocks of 16..4096 B for the next
 *              one and frees those of the one before. So every thread frees as many as it makes, and none of its own.
 * Design.      Between two neighbours lies a ring buffer of 256 blocks, with one index per side. A thread that can
 *              neither put nor take yields. Sizes are drawn evenly over the powers of two: most are small, most bytes
 *              are large.
 * Cannot show. Stages that keep what they get: a block lives as long as its way to the neighbour takes.
 */
#include "../harness.h"

#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>

enum { RING_SIZE = 256 };

struct channel { /* from its thread to the next one */
    alignas(64) _Atomic uint64_t put;
    alignas(64) _Atomic uint64_t taken;
    alignas(64) void *block[RING_SIZE];
};

static struct channel channels[THREADS_LIMIT];
static uint64_t pairs_each;
static unsigned ring_count;

/* Puts all that fits; how many. */
static uint64_t fill(struct channel *to, uint64_t done, uint64_t *state) {
    uint64_t room_until = atomic_load_explicit(&to->taken, memory_order_acquire) + RING_SIZE;
    uint64_t until = room_until < pairs_each ? room_until : pairs_each;
    for (uint64_t next = done; next < until; next++) {
        uint64_t s = *state = next_random(*state);
        uint64_t power = (uint64_t)16 << random_index(s, 8);
        void *block = malloc(random_between(s, power, 2 * power));
        use_block(block);
        to->block[next % RING_SIZE] = block;
    }
    atomic_store_explicit(&to->put, until, memory_order_release);
    return until - done;
}

/* Frees all that is there; how many. */
static uint64_t drain(struct channel *from, uint64_t done) {
    uint64_t until = atomic_load_explicit(&from->put, memory_order_acquire);
    for (uint64_t next = done; next < until; next++)
        free(from->block[next % RING_SIZE]);
    atomic_store_explicit(&from->taken, until, memory_order_release);
    return until - done;
}

static void body(unsigned index) {
    struct channel *to = &channels[index];
    struct channel *from = &channels[(index + ring_count - 1) % ring_count];
    uint64_t made = 0, freed = 0, state = 42 + index;
    while (made < pairs_each || freed < pairs_each) {
        uint64_t put = made < pairs_each ? fill(to, made, &state) : 0;
        uint64_t taken = drain(from, freed);
        made += put;
        freed += taken;
        if (put + taken == 0)
            sched_yield();
    }
}

static uint64_t run(uint64_t pairs) {
    ring_count = thread_count;
    pairs_each = (pairs + ring_count - 1) / ring_count;
    for (unsigned i = 0; i < ring_count; i++)
        channels[i].put = channels[i].taken = 0;
    run_threads(ring_count, body);
    return pairs_each * ring_count;
}

WORKLOAD(ring) = {
    .name = "ring",
    .suite = "threads",
    .summary = "threads in a ring: each frees the blocks of 16..4096 B that its neighbour makes",
    .threads = {2, 4, 8},
    .pairs = 500000,
    .warm_pairs = 10000,
    .run = run,
};
