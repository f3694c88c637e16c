/* fork_signal.c
 * Purpose.     fork from a signal handler that interrupts the allocator at any point, with one thread and with
 *              several: fork may not wait for a lock that the interrupted code holds, nor may parent or child lose
 *              one.
 * Design.      A timer fires into a loop of calls of all tiers; each handler forks once. Every other child ends at
 *              once. The rest return from the handler into the interrupted call, finish it, and work all tiers. A
 *              hang is ended by alarm.
 * Not here.    Children that allocate inside the handler: the interrupted call is not finished there, and only
 *              functions that are async-signal-safe are promised to work.
 * heaps: 4
 */
#include <pthread.h>
#include <sys/time.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { FORKS = 1000, MS = 3000 };

static volatile sig_atomic_t forks;
static volatile sig_atomic_t failed;
static long end; /* no fork after it: one that has to wait for another thread's lock may take a second */

static volatile sig_atomic_t in_child;

static void fork_here(int number) {
    (void)number;
    int saved = errno;
    if (process_now_ms() > end) {
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        struct itimerval none = {{0, 0}, {0, 0}};
        setitimer(ITIMER_PROF, &none, NULL);
        alarm(60);
        if (forks % 2 == 0) {
            _exit(0);
        }
        in_child = 1;
        errno = saved;
        return;
    }
    int status = child < 0 ? -1 : expect_wait(child);
    if (status != 0) {
        failed = failed != 0 ? failed : status;
    }
    forks = forks + 1;
    errno = saved;
}

/* The loop that is interrupted; a child leaves it as soon as the call is finished. */
static void allocate(int until_forks) {
    uint32_t seed = 1;
    while (forks < until_forks && failed == 0 && process_now_ms() < end) {
        for (int i = 0; i < 20 && !in_child; i++) {
            EXPECT(workout_small(seed++));
        }
        void *large = malloc(100000 + seed % 100000);
        void *huge = malloc(5000000);
        void *grown = realloc(large, 300000);
        EXPECT(grown != NULL && huge != NULL);
        free(huge);
        free(grown);
        if (in_child) {
            _exit(workout(seed) ? 0 : 3);
        }
    }
}

static void *allocate_in_thread(void *done) {
    for (uint32_t seed = 1; failed == 0; seed++) {
        EXPECT(workout_small(seed));
        if (*(volatile int *)done != 0) {
            break;
        }
    }
    return NULL;
}

static void set_timer(long microseconds) {
    end = process_now_ms() + MS;
    struct itimerval every = {{0, microseconds}, {0, microseconds}};
    EXPECT(setitimer(ITIMER_PROF, &every, NULL) == 0);
}

static void check(void) {
    if (failed != 0) {
        dprintf(STDERR_FILENO, "after %d forks a child ended with wait status %x\n", (int)forks, (unsigned)failed);
    }
    EXPECT(failed == 0);
    EXPECT(forks > 0);
}

int main(void) {
    provider_require();
    struct sigaction action = {.sa_handler = fork_here, .sa_flags = SA_RESTART};
    EXPECT(sigaction(SIGPROF, &action, NULL) == 0);
    set_timer(300);
    allocate(FORKS);
    set_timer(0);
    check();
    static volatile int done;
    pthread_t threads[2];
    /* Theirs from the first instruction on: a child of theirs would have nobody to end it. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPROF);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    for (int i = 0; i < 2; i++) {
        EXPECT(pthread_create(&threads[i], NULL, allocate_in_thread, (void *)(uintptr_t)&done) == 0);
    }
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    int before = forks;
    set_timer(1000);
    allocate(before + FORKS);
    set_timer(0);
    done = 1;
    for (int i = 0; i < 2; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    check();
    EXPECT(forks > before);
    return 0;
}
