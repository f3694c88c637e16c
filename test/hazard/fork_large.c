/* fork_large.c
 * Purpose.     fork while other threads make and free Large blocks: in the child, which adopts what they held, no two
 *              blocks overlap.
 * Design.      Runs go from thread to thread, through the arena and past it, all the time. Each child makes blocks
 *              until everything that could have been adopted is in use, and looks whether they hold what was written.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "../support/expect.h"
#include "../support/opaque.h"
#include "../support/process.h"
#include "../support/provider.h"

enum { THREADS = 2, FORKS = 300, LIVE = 24, CHILD_BLOCKS = 80, SMALL_BLOCKS = 3000, BLOCK_MARKS = 64 };

static atomic_bool stop;

static size_t pick_size(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return 40000 + (*state >> 16) % 5 * 60000;
}

static void replace_one(void **live, uint32_t *state) {
    size_t size = pick_size(state);
    void **block = &live[(*state >> 20) % LIVE];
    free(*block);
    *block = opaque(malloc(size));
    EXPECT(*block != NULL);
    *(char *)*block = 1;
}

static void *replace_all_the_time(void *seed) {
    void *live[LIVE] = {NULL};
    uint32_t state = (uint32_t)(uintptr_t)seed;
    while (!atomic_load(&stop)) {
        replace_one(live, &state);
    }
    for (size_t i = 0; i < LIVE; i++) {
        free(live[i]);
    }
    return NULL;
}

static void mark(char *block, size_t size, size_t number) {
    for (size_t i = 0; i < BLOCK_MARKS; i++) {
        block[size / BLOCK_MARKS * i] = (char)number;
    }
}

static void run_child(void) {
    char *blocks[CHILD_BLOCKS];
    size_t sizes[CHILD_BLOCKS];
    uint32_t state = 5;
    alarm(60);
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        free(opaque(malloc(48))); /* slow paths, which adopt */
    }
    for (size_t i = 0; i < CHILD_BLOCKS; i++) {
        sizes[i] = pick_size(&state);
        blocks[i] = malloc(sizes[i]);
        EXPECT(blocks[i] != NULL);
        mark(blocks[i], sizes[i], i + 1);
    }
    for (size_t i = 0; i < CHILD_BLOCKS; i++) {
        for (size_t k = 0; k < BLOCK_MARKS; k++) {
            EXPECT(blocks[i][sizes[i] / BLOCK_MARKS * k] == (char)(i + 1));
        }
        free(blocks[i]);
    }
    exit(0);
}

int main(void) {
    provider_require();
    pthread_t threads[THREADS];
    void *live[LIVE] = {NULL};
    uint32_t state = 9;
    for (uintptr_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, replace_all_the_time, (void *)(i + 1)) == 0);
    }
    for (int i = 0; i < FORKS; i++) {
        for (int k = 0; k < 200; k++) {
            replace_one(live, &state);
        }
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) {
            run_child();
        }
        EXPECT_CHILD_OK(child);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    return 0;
}
