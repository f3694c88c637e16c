/* bench/workload/churn.c
 * Models.      A thread for each request: it starts, allocates, frees nearly everything and ends; THREADS of them at a
 *              time. Of its 100 blocks of 16..1024 B it leaves 10 behind, which its successor frees.
 * Cannot show. The allocator's part alone: the birth and end of a thread cost more than 100 pairs, and are in the
 *              number. The difference between two allocators is what their own threads' records cost.
 */
#include "../harness.h"

enum { BLOCK_COUNT = 100, LEFT_COUNT = 10 };

struct desk {
    void *left[LEFT_COUNT]; /* by the thread before */
    uint64_t state;
};

static struct desk desks[THREADS_LIMIT];

static void *live(void *argument) {
    struct desk *desk = argument;
    void *block[BLOCK_COUNT];
    for (unsigned i = 0; i < BLOCK_COUNT; i++) {
        desk->state = next_random(desk->state);
        block[i] = malloc(random_between(desk->state, 16, 1024));
        use_block(block[i]);
    }
    for (unsigned i = 0; i < LEFT_COUNT; i++) {
        free(desk->left[i]);
        desk->left[i] = block[i];
    }
    for (unsigned i = LEFT_COUNT; i < BLOCK_COUNT; i++)
        free(block[i]);
    return NULL;
}

static void setup(size_t unused) {
    (void)unused;
    for (unsigned t = 0; t < thread_count; t++) {
        desks[t].state = 42 + t;
        for (unsigned i = 0; i < LEFT_COUNT; i++) {
            desks[t].left[i] = malloc(64);
            use_block(desks[t].left[i]);
        }
    }
}

static uint64_t run(uint64_t pairs) {
    static pthread_t threads[THREADS_LIMIT];
    uint64_t done = 0;
    while (done < pairs) {
        for (unsigned t = 0; t < thread_count; t++)
            start_thread(&threads[t], live, &desks[t]);
        for (unsigned t = 0; t < thread_count; t++)
            pthread_join(threads[t], NULL);
        done += (uint64_t)thread_count * BLOCK_COUNT;
    }
    return done;
}

static void teardown(void) {
    for (unsigned t = 0; t < thread_count; t++)
        for (unsigned i = 0; i < LEFT_COUNT; i++)
            free(desks[t].left[i]);
}

WORKLOAD(churn) = {
    .name = "churn",
    .suite = "threads",
    .summary = "threads that live for 100 pairs and leave 10 blocks to the next one",
    .threads = {1, 4, 16},
    .pairs = 200000,
    .warm_pairs = 1,
    .setup = setup,
    .run = run,
    .teardown = teardown,
};
