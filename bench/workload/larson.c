/* bench/workload/larson.c
 * Models.      A server (after Larson and Krishnan 1998): two threads, 1000 live blocks of 16..1024 B each, a random
 *              one replaced each time. After 100,000 pairs a thread ends, and another one that starts in its stead
 *              inherits the blocks of its neighbour and frees them.
 * Cannot show. Scaling: two threads, so that it fits the smallest machine. Nanoseconds are wall time over all pairs.
 */
#include "../harness.h"

#include <pthread.h>

enum { THREAD_COUNT = 2, SLOT_COUNT = 1000, LIFE_PAIRS = 100000 };

struct lot {
    void *slot[SLOT_COUNT];
    uint64_t state;
    uint64_t pairs;
};

static struct lot lots[THREAD_COUNT];

static void *live(void *argument) {
    struct lot *lot = argument;
    uint64_t s = lot->state;
    for (uint64_t done = 0; done < lot->pairs; done++) {
        s = next_random(s);
        void **place = &lot->slot[(s >> 48) * SLOT_COUNT >> 16];
        free(*place);
        *place = malloc(random_size(s));
        use_block(*place);
    }
    lot->state = s;
    return NULL;
}

static void setup(size_t size) {
    (void)size;
    for (unsigned t = 0; t < THREAD_COUNT; t++) {
        lots[t].state = 42 + t;
        for (unsigned i = 0; i < SLOT_COUNT; i++) {
            lots[t].state = next_random(lots[t].state);
            lots[t].slot[i] = malloc(random_size(lots[t].state));
            use_block(lots[t].slot[i]);
        }
    }
}

static uint64_t run(uint64_t pairs) {
    uint64_t done = 0;
    for (unsigned generation = 0; done < pairs; generation++) {
        pthread_t thread[THREAD_COUNT];
        for (unsigned t = 0; t < THREAD_COUNT; t++) {
            struct lot *lot = &lots[(t + generation) % THREAD_COUNT];
            lot->pairs = LIFE_PAIRS;
            if (pthread_create(&thread[t], NULL, live, lot) != 0)
                abort();
        }
        for (unsigned t = 0; t < THREAD_COUNT; t++)
            pthread_join(thread[t], NULL);
        done += (uint64_t)THREAD_COUNT * LIFE_PAIRS;
    }
    return done;
}

static void teardown(void) {
    for (unsigned t = 0; t < THREAD_COUNT; t++)
        for (unsigned i = 0; i < SLOT_COUNT; i++)
            free(lots[t].slot[i]);
}

const struct workload workload_larson = {
    .name = "larson",
    .summary = "2 threads that end and hand their 1000 blocks of 16..1024 B on (SIZE 0)",
    .warm_pairs = 1,
    .takes_size = 0,
    .setup = setup,
    .run = run,
    .teardown = teardown,
};
