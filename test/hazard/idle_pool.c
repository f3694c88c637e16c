/* idle_pool.c                                                                                          preload-only
 * Purpose.     What threads keep that have worked a little and then wait: 400 of them, each of which has made and freed
 *              1000 blocks of 16 to 1024 B, 520 KB in all, keep less than 250 KB each, stacks included, and what the
 *              last of them uses is mostly what the first have left (doc/decisions/026).
 * Design.      Resident memory before the threads have called malloc, and when all wait again. The first 64
 *              threads keep all, as few threads do, and caches between threads hold some, however many these are.
 */
#include <pthread.h>
#include <stdint.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"

enum { THREADS = 400, BLOCKS = 1000, MOST_BYTES = 250000 };

static pthread_barrier_t barrier;

static void *work_and_wait(void *argument) {
    void *blocks[BLOCKS];
    size_t size = (size_t)(uintptr_t)argument;
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < BLOCKS; i++) {
        size = (size * 29 + 17) % 1009;
        blocks[i] = malloc(16 + size);
        EXPECT(blocks[i] != NULL);
        *(char *)blocks[i] = 1;
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    pthread_attr_t small;
    provider_require();
    EXPECT(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
    EXPECT(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, (size_t)128 << 10) == 0);
    for (size_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], &small, work_and_wait, (void *)(uintptr_t)i) == 0);
    }
    size_t before = process_rss_bytes();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    EXPECT_AT_MOST(process_rss_bytes(), before + (size_t)THREADS * MOST_BYTES);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    return 0;
}
