/* late_exit.c
 * Purpose.     Calls that come while the process ends: atexit and on_exit handlers, destructor functions, destructors
 *              of main's own keys, and freeing there what was allocated anywhere.
 * Design.      A child ends in each of several ways; handlers count in shared memory, the parent reads the count.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "../support/expect.h"
#include "../support/provider.h"
#include "../support/workout.h"

struct shared {
    int handlers;
    int failures;
};

static struct shared *shared;
static void *kept[TIER_COUNT];
static pid_t child_pid;

static void handle(void) {
    if (getpid() != child_pid) {
        return;
    }
    shared->handlers++;
    shared->failures += !workout((uint32_t)shared->handlers);
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        free(kept[tier]);
        kept[tier] = malloc(TIER_SIZES[tier]);
        shared->failures += kept[tier] == NULL;
    }
}

static void handle_exit(int status, void *argument) {
    (void)status;
    handle();
    free(argument);
}

__attribute__((destructor)) static void destruct_late(void) {
    handle();
}

__attribute__((destructor(101))) static void destruct_last(void) {
    handle();
}

static void end_of_key(void *block) {
    free(block);
    handle();
}

static void *run_handlers_in_thread(void *unused) {
    (void)unused;
    exit(0);
}

enum way { RETURN_LIKE, FROM_THREAD, MAIN_THREAD_ENDS, WAYS };

static void end_child(enum way way) {
    pthread_key_t key;
    child_pid = getpid();
    EXPECT(atexit(handle) == 0);
    EXPECT(on_exit(handle_exit, malloc(5000)) == 0);
    EXPECT(pthread_key_create(&key, end_of_key) == 0);
    EXPECT(pthread_setspecific(key, malloc(100)) == 0);
    handle();
    if (way == FROM_THREAD) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, run_handlers_in_thread, NULL) == 0);
        pthread_join(thread, NULL);
    } else if (way == MAIN_THREAD_ENDS) {
        pthread_exit(NULL); /* the last thread: runs its key destructors, then exit(0) */
    }
    exit(0);
}

int main(void) {
    provider_require();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(shared != MAP_FAILED);
    for (int way = 0; way < WAYS; way++) {
        shared->handlers = 0;
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) {
            alarm(60);
            end_child((enum way)way);
        }
        EXPECT_CHILD_OK(child);
        EXPECT(shared->failures == 0);
        EXPECT(shared->handlers == (way == MAIN_THREAD_ENDS ? 6 : 5));
    }
    return 0;
}
