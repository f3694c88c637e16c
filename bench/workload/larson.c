/* bench/workload/larson.c
 * Models.      A server (after Larson and Krishnan 1998): THREADS threads with 1000 live blocks of 16 B to SIZE each; a
 *              random one is replaced each time. After 20,000 pairs a thread ends, and one that starts in its stead
 *              inherits the blocks of its neighbour and frees them.
 * Design.      Threads of one generation end together, so that the work is the same in each run; the original's time
 *              limit would make it depend on the speed.
 * Cannot show. Nanoseconds are wall time over the pairs of all threads: threads above the number of processors show
 *              what the scheduler does as well, and the births of threads are in it.
 */
#include "../harness.h"

#include <pthread.h>

enum { SLOT_COUNT = 1000, LIFE_PAIRS = 20000 };

struct lot {
    void *slot[SLOT_COUNT];
    uint64_t state;
};

static struct lot lots[THREADS_LIMIT];
static size_t size_most;

static void *live(void *argument) {
    struct lot *lot = argument;
    uint64_t s = lot->state;
    for (uint64_t done = 0; done < LIFE_PAIRS; done++) {
        s = next_random(s);
        void **place = &lot->slot[random_index(s, SLOT_COUNT)];
        free(*place);
        *place = malloc(random_between(s, 16, size_most));
        use_block(*place);
    }
    lot->state = s;
    return NULL;
}

static void setup(size_t size) {
    size_most = size < 16 ? 16 : size;
    for (unsigned t = 0; t < thread_count; t++) {
        lots[t].state = 42 + t;
        for (unsigned i = 0; i < SLOT_COUNT; i++) {
            lots[t].state = next_random(lots[t].state);
            lots[t].slot[i] = malloc(random_between(lots[t].state, 16, size_most));
            use_block(lots[t].slot[i]);
        }
    }
}

static uint64_t run(uint64_t pairs) {
    static pthread_t threads[THREADS_LIMIT];
    uint64_t done = 0;
    for (unsigned generation = 0; done < pairs; generation++) {
        for (unsigned t = 0; t < thread_count; t++)
            start_thread(&threads[t], live, &lots[(t + generation) % thread_count]);
        for (unsigned t = 0; t < thread_count; t++)
            pthread_join(threads[t], NULL);
        done += (uint64_t)thread_count * LIFE_PAIRS;
    }
    return done;
}

static void teardown(void) {
    for (unsigned t = 0; t < thread_count; t++)
        for (unsigned i = 0; i < SLOT_COUNT; i++)
            free(lots[t].slot[i]);
}

WORKLOAD(larson) = {
    .name = "larson",
    .suite = "larson",
    .summary = "threads that end and hand their 1000 blocks of 16 B to SIZE on",
    .sizes = {128, 1024, 32768},
    .threads = {1, 2, 4, 8},
    .pairs = 1000000,
    .warm_pairs = 1,
    .setup = setup,
    .run = run,
    .teardown = teardown,
};
