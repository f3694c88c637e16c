/* bench/workload/idle.c
 * Models.      A pool of THREADS threads, most of which wait: each makes and frees SIZE blocks of 16..1024 B once, and
 *              then sleeps. What the allocator keeps for each is rss_kib_idle, beside rss_kib_without, when the same
 *              threads had not called it yet.
 * Cannot show. Threads that worked hard before: their caches have grown.
 */
#include "../harness.h"

enum { BLOCKS_MAX = 1024 };

static pthread_barrier_t used, measured;
static size_t block_count;

static void *live(void *argument) {
    void *block[BLOCKS_MAX];
    const size_t count = block_count;
    uint64_t state = 42 + (uintptr_t)argument;
    pthread_barrier_wait(&measured);
    for (size_t i = 0; i < count; i++) {
        state = next_random(state);
        block[i] = malloc(random_between(state, 16, 1024));
        use_block(block[i]);
    }
    for (size_t i = 0; i < count; i++)
        free(block[i]);
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&measured);
    return NULL;
}

static void setup(size_t size) {
    block_count = size < BLOCKS_MAX ? size : BLOCKS_MAX;
}

static uint64_t run(uint64_t pairs) {
    static pthread_t threads[THREADS_LIMIT];
    uint64_t done = 0;
    pthread_barrier_init(&used, NULL, thread_count + 1);
    pthread_barrier_init(&measured, NULL, thread_count + 1);
    while (done < pairs) {
        for (uintptr_t t = 0; t < thread_count; t++)
            start_thread(&threads[t], live, (void *)t);
        note("rss_kib_without", resident_kib());
        restart_clock();
        pthread_barrier_wait(&measured);
        pthread_barrier_wait(&used);
        note("rss_kib_idle", resident_kib());
        pthread_barrier_wait(&measured);
        for (unsigned t = 0; t < thread_count; t++)
            pthread_join(threads[t], NULL);
        done += (uint64_t)thread_count * block_count;
    }
    return done;
}

WORKLOAD(idle) = {
    .name = "idle",
    .suite = "growth",
    .summary = "threads that wait after they made and freed SIZE blocks: rss_kib_idle",
    .size_unit = "blocks",
    .sizes = {1, 100, 1000},
    .threads = {1000},
    .pairs = 1,
    .setup = setup,
    .run = run,
};
