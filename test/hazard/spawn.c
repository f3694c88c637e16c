/* spawn.c
 * Purpose.     vfork, posix_spawn, popen and system, whose children share or copy the memory of a process with busy
 *              threads: the children run, the parent's blocks are as they were.
 * Design.      4 threads allocate meanwhile. A child of vfork only calls exec, as it may.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>

#include "../support/expect.h"
#include "../support/provider.h"
#include "../support/workout.h"

extern char **environ;

enum { THREADS = 4, ROUNDS = 30 };

static atomic_bool stop;

static void *allocate(void *argument) {
    for (uint32_t seed = (uint32_t)(uintptr_t)argument; !atomic_load(&stop); seed++) {
        EXPECT(workout_small(seed));
        EXPECT(seed % 50 != 0 || workout_block(200000, seed, false));
    }
    return NULL;
}

static void by_vfork(char *const *command) {
    pid_t child = vfork();
    if (child == 0) {
        execv(command[0], command);
        _exit(127);
    }
    EXPECT_CHILD_OK(child);
}

static void by_posix_spawn(char *const *command) {
    pid_t child;
    EXPECT(posix_spawn(&child, command[0], NULL, NULL, command, environ) == 0);
    EXPECT_CHILD_OK(child);
}

static void by_popen(void) {
    char line[64] = "";
    FILE *pipe = popen("echo out of the pipe", "r");
    EXPECT(pipe != NULL);
    EXPECT(fgets(line, sizeof line, pipe) != NULL);
    EXPECT(strcmp(line, "out of the pipe\n") == 0);
    EXPECT(pclose(pipe) == 0);
}

int main(void) {
    provider_require();
    char *command[] = {(char[]){"/bin/true"}, NULL};
    void *block = malloc(100000);
    EXPECT(block != NULL);
    pattern_fill(block, 100000, 6);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, allocate, (void *)(i * 1000)) == 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        by_vfork(command);
        by_posix_spawn(command);
        by_popen();
        EXPECT(system("exit 0") == 0);
        EXPECT(workout(1));
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    EXPECT(pattern_holds(block, 100000, 6));
    free(block);
    return 0;
}
