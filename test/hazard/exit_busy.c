/* exit_busy.c
 * Purpose.     exit while other threads are inside the allocator, in every tier: no crash and no deadlock, however the
 *              ends meet.
 * Design.      Each child starts 10 threads, lets each finish a different number of rounds, and exits with handlers
 *              that allocate. 20 children.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "../support/expect.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { THREADS = 10, CHILDREN = 20 };

static atomic_int rounds;

static void *allocate_forever(void *argument) {
    uint32_t seed = (uint32_t)(uintptr_t)argument;
    for (;;) {
        if (!(seed % 5 == 0 ? workout_block(200000, seed, false) : workout_small(seed))) {
            _exit(3);
        }
        seed++;
        atomic_fetch_add(&rounds, 1);
    }
    return NULL;
}

static void at_exit(void) {
    if (!workout(1)) {
        _exit(4);
    }
}

static void run_child(int number) {
    alarm(60);
    atexit(at_exit);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, allocate_forever, (void *)i) == 0);
    }
    while (atomic_load(&rounds) < 50 * number) {
        EXPECT(workout_small((uint32_t)number));
    }
    exit(0);
}

int main(void) {
    provider_require();
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) {
            run_child(i);
        }
        EXPECT_CHILD_OK(child);
    }
    return 0;
}
