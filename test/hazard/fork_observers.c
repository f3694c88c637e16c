/* fork_observers.c
 * Purpose.     fork while other threads are inside malloc_info, malloc_trim and mallinfo2, which take many locks: no
 *              deadlock in the parent, none in the child, and the child can call them too.
 * Design.      Two observers and one thread that keeps memory moving; 100 forks. A hang in a child is ended by alarm.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "../support/expect.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { FORKS = 100 };

static atomic_bool stop;
static FILE *nowhere;

static void *inform(void *unused) {
    while (!atomic_load(&stop)) {
        EXPECT(malloc_info(0, nowhere) == 0);
        sched_yield();
    }
    return unused;
}

static void *trim(void *unused) {
    while (!atomic_load(&stop)) {
        malloc_trim(0);
        EXPECT(mallinfo2().arena < SIZE_MAX / 2);
    }
    return unused;
}

static void *move_memory(void *unused) {
    while (!atomic_load(&stop)) {
        EXPECT(workout_small(1) && workout_block(200000, 1, false));
    }
    return unused;
}

static void run_child(void) {
    alarm(60);
    EXPECT(workout_small(2) && workout_block(200000, 2, false));
    malloc_trim(0);
    EXPECT(mallinfo2().arena < SIZE_MAX / 2);
    /* not the stream that a thread of the parent may have locked */
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    EXPECT(stream != NULL && malloc_info(0, stream) == 0 && fclose(stream) == 0);
    EXPECT(length > 0);
    free(text);
    _exit(0);
}

int main(void) {
    provider_require();
    nowhere = fopen("/dev/null", "w");
    EXPECT(nowhere != NULL);
    void *(*const bodies[])(void *) = {inform, trim, move_memory};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        EXPECT(pthread_create(&threads[i], NULL, bodies[i], NULL) == 0);
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) {
            run_child();
        }
        EXPECT_CHILD_OK(child);
        EXPECT(workout_small((uint32_t)i));
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    fclose(nowhere);
    return 0;
}
