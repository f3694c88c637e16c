/* producer_consumer.c
 * Purpose.     One thread only allocates, another only frees: memory stays near what is in flight, in every tier.
 * Design.      A ring of 1,000 places between them. For each size the blocks that pass add up to many times what may be
 *              resident; two producers feed one consumer in the second half.
 * heaps: 4
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { PLACES = 1000 };

struct ring {
    _Atomic(void *) places[PLACES];
    size_t size;
    size_t count;
};

static struct ring rings[2];

static void *produce(void *argument) {
    struct ring *ring = argument;
    for (size_t i = 0; i < ring->count; i++) {
        unsigned char *block = malloc(ring->size);
        EXPECT(block != NULL);
        block[0] = 1;
        block[ring->size - 1] = 2;
        while (atomic_load_explicit(&ring->places[i % PLACES], memory_order_acquire) != NULL) {
            sched_yield();
        }
        atomic_store_explicit(&ring->places[i % PLACES], block, memory_order_release);
    }
    return NULL;
}

/* Takes from `rings[0]` and, if `both`, in turn from `rings[1]`. Never allocates. */
static void *consume(void *both) {
    for (size_t i = 0; i < rings[0].count; i++) {
        for (int r = 0; r < (both != NULL ? 2 : 1); r++) {
            unsigned char *block;
            while ((block = atomic_exchange_explicit(&rings[r].places[i % PLACES], NULL, memory_order_acq_rel)) ==
                   NULL) {
                sched_yield();
            }
            EXPECT(block[0] == 1 && block[rings[r].size - 1] == 2);
            free(block);
        }
    }
    return NULL;
}

static void run(size_t size, size_t count, int producers) {
    pthread_t threads[3];
    size_t before = process_rss_bytes();
    for (int i = 0; i < producers; i++) {
        rings[i].size = size;
        rings[i].count = count;
        EXPECT(pthread_create(&threads[i], NULL, produce, &rings[i]) == 0);
    }
    EXPECT(pthread_create(&threads[2], NULL, consume, producers == 2 ? &rings : NULL) == 0);
    EXPECT(pthread_join(threads[2], NULL) == 0);
    for (int i = 0; i < producers; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    size_t in_flight = (size_t)producers * PLACES * size;
    EXPECT_AT_MOST(process_rss_bytes(), before + 2 * in_flight + 24 * MIB);
}

int main(void) {
    provider_require();
    for (int producers = 1; producers <= 2; producers++) {
        run(64, 2000000, producers);
        run(1000, 300000, producers);
        run(10000, 50000, producers);
        run(100000, 10000, producers);
    }
    return 0;
}
