/* fork_threads.c
 * Purpose.     fork in a process whose other threads are inside the allocator: the child can allocate in every tier,
 *              free its parent's blocks, start threads and fork again; the parent goes on.
 * Design.      8 threads allocate, free their own blocks and each other's. 200 forks from main; every fourth child
 *              does all of that. A lock that the child inherits taken would hang, which alarm ends.
 * heaps: 4
 */
#include <pthread.h>
#include <stdatomic.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { THREADS = 8, FORKS = 200, SHARED = 64 };

static atomic_bool stop;
static _Atomic(void *) exchange[SHARED]; /* blocks on their way from thread to thread */

static void *allocate_and_exchange(void *argument) {
    uint32_t seed = (uint32_t)(uintptr_t)argument;
    while (!atomic_load(&stop)) {
        seed = seed * 1664525u + 1013904223u;
        size_t size = seed % 17 == 0 ? 300000 : seed % 5 == 0 ? 5000 + seed % 20000 : 1 + seed % 1000;
        unsigned char *block = malloc(size);
        EXPECT(block != NULL);
        block[0] = 1;
        block[size - 1] = 1;
        free(atomic_exchange(&exchange[(seed >> 8) % SHARED], block));
        if (seed % 128 == 3) {
            process_sleep_ms(1); /* leaves some of the processor to main and the children */
        }
    }
    return NULL;
}

static void *work_in_thread(void *result) {
    *(bool *)result = workout(5);
    return NULL;
}

static void run_grandchild(bool all_tiers) {
    EXPECT(all_tiers ? workout(9) : workout_small(9));
    exit(0);
}

/* `inherited`: blocks of the parent, one of each tier. */
static void run_child(void **inherited, bool all) {
    alarm(60);
    EXPECT(workout_small(3) && workout_block(200000, 3, false));
    for (uint32_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        EXPECT(pattern_holds_sparse(inherited[i], TIER_SAMPLES[i], TIER_SAMPLES[i], i));
        free(inherited[i]);
    }
    for (size_t i = 0; i < SHARED; i++) {
        free(atomic_exchange(&exchange[i], NULL));
    }
    if (all) {
        pthread_t thread;
        bool worked = false;
        EXPECT(pthread_create(&thread, NULL, work_in_thread, &worked) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
        EXPECT(worked);
    }
    pid_t grandchild = fork();
    EXPECT(grandchild >= 0);
    if (grandchild == 0) {
        run_grandchild(all);
    }
    EXPECT_CHILD_OK(grandchild);
    exit(0);
}

int main(void) {
    provider_require();
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, allocate_and_exchange, (void *)(i + 1)) == 0);
    }
    for (int i = 0; i < FORKS; i++) {
        void *blocks[TIER_SAMPLE_COUNT];
        for (uint32_t b = 0; b < TIER_SAMPLE_COUNT; b++) {
            blocks[b] = malloc(TIER_SAMPLES[b]);
            EXPECT(blocks[b] != NULL);
            pattern_fill_sparse(blocks[b], TIER_SAMPLES[b], b);
        }
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) {
            run_child(blocks, i % 4 == 0);
        }
        EXPECT_CHILD_OK(child);
        for (size_t b = 0; b < TIER_SAMPLE_COUNT; b++) {
            free(blocks[b]);
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    return 0;
}
