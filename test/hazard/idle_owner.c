/* idle_owner.c
 * Purpose.     A thread allocates 500 MB and sleeps, another frees all of it: the memory goes back to the system
 *              although its first owner does nothing. The same after the owner has ended.
 * Design.      Small, mid and large blocks. After the frees the other thread does what a program does between phases: a
 *              few calls now and then, no malloc_trim. Rule: resident memory falls below a quarter of the peak before
 *              10 seconds of that have passed; usually it takes the purge delay of one second.
 * heaps: 4
 */
#include <pthread.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

#define TOTAL (500 * MIB)

enum { MOST_BLOCKS = 700000, LIMIT_MS = 10000 };

static const size_t SIZES[] = {800, 6000, 300000};
static void *blocks[MOST_BLOCKS];
static size_t block_count;
static pthread_barrier_t barrier;

struct owner {
    size_t size;
    bool ends;
};

static void *own(void *argument) {
    const struct owner *owner = argument;
    for (size_t total = 0; total < TOTAL; total += owner->size) {
        void *block = malloc(owner->size);
        EXPECT(block != NULL && block_count < MOST_BLOCKS);
        pattern_fill_sparse(block, owner->size, 1);
        blocks[block_count++] = block;
    }
    if (!owner->ends) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier); /* idle until main is done */
    }
    return NULL;
}

static void free_all_and_expect_fall(size_t before) {
    size_t peak = process_rss_bytes();
    EXPECT(peak >= before + TOTAL * 9 / 10);
    for (size_t i = 0; i < block_count; i++) {
        free(blocks[i]);
    }
    block_count = 0;
    long end = process_now_ms() + LIMIT_MS;
    while (process_rss_bytes() > peak / 4 && process_now_ms() < end) {
        process_sleep_ms(20);
        EXPECT(workout_small(1));
        free(opaque(malloc(100000)));
    }
    EXPECT_AT_MOST(process_rss_bytes(), peak / 4);
}

int main(void) {
    provider_require();
    memset(blocks, 1, sizeof blocks); /* resident before anything is measured */
    EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
    size_t before = process_rss_bytes();
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        struct owner owner = {.size = SIZES[i], .ends = i == 1};
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, own, &owner) == 0);
        if (owner.ends) {
            EXPECT(pthread_join(thread, NULL) == 0);
        } else {
            pthread_barrier_wait(&barrier);
        }
        free_all_and_expect_fall(before);
        if (!owner.ends) {
            pthread_barrier_wait(&barrier);
            EXPECT(pthread_join(thread, NULL) == 0);
        }
    }
    return 0;
}
