/* double_free_forked.c
 * Purpose.     A Tiny block freed twice by a thread that a fork leaves behind: the child, which takes over what that
 *              thread's cache held, sees it and does not go round in circles.
 * expect: hakmem: free\(@ptr@\): block already free, or not the start of one \(noticed later\)
 */
#include "../support/death.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t barrier;

static void *misuse(void *unused) {
    (void)unused;
    for (int i = 0; i < 100; i++) {
        free(opaque(malloc(24))); /* a thread that hardly allocates has no cache */
    }
    void *block = death_pointer(death_block(100));
    free(block);
    free(opaque(block));
    pthread_barrier_wait(&barrier);
    pause();
    return NULL;
}

int main(void) {
    pthread_t thread;
    int status = 0;
    EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
    EXPECT(pthread_create(&thread, NULL, misuse, NULL) == 0);
    pthread_barrier_wait(&barrier);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        malloc_trim(0);
        _exit(death_survived(1, 0));
    }
    EXPECT(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
