/* fork_test.c
 * Purpose.     fork while other threads are inside the allocator: the child must be able to allocate and free.
 * Design.      Threads run allocations of all tiers and free each other's blocks. Meanwhile main forks many times, and
 *              so does one of the threads. Every child checks and frees the blocks that the forking thread owned,
 *              allocates in every tier, trims, starts a thread and forks again. A child that waits for a lock that
 *              nobody holds any more is ended by its alarm, and named.
 *                  HAK_SEED, HAK_OPS (forks by main)
 * Concurrency. The children of a process with ThreadSanitizer start no thread: it does not support that.
 * heaps: 1 4
 */
#include "queue.h"
#include "shadow.h"

#include "hakmem.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREAD_COUNT = 3, OWNED_COUNT = 64, CHILD_SECONDS = 60 };

static const size_t tier_sizes[] = {1, 16, 100, 1024, 1025, 5000, 32768, 32769, 300000, (size_t)3 << 20};

enum { TIER_COUNT = sizeof tier_sizes / sizeof *tier_sizes };

static struct queue exchange;
static atomic_bool stop;
static atomic_uint running;
static atomic_uint forks_by_threads;

/* The blocks of a thread that forks. */
struct owned {
    uint64_t random;
    struct block blocks[OWNED_COUNT];
};

static void own(struct owned *owned) {
    for (unsigned i = 0; i < OWNED_COUNT; i++) {
        size_t size = shadow_pick_size(&owned->random) % ((size_t)1 << 20);
        owned->blocks[i] = shadow_malloc(&shadow_hakmem, size, shadow_random(&owned->random));
    }
}

static void disown(struct owned *owned) {
    for (unsigned i = 0; i < OWNED_COUNT; i++) {
        shadow_free(&shadow_hakmem, &owned->blocks[i], shadow_random(&owned->random));
    }
}

static void use_all_tiers(uint64_t random) {
    struct block blocks[TIER_COUNT];
    for (unsigned pass = 0; pass < 3; pass++) {
        for (unsigned i = 0; i < TIER_COUNT; i++) {
            blocks[i] = shadow_calloc(&shadow_hakmem, 1, tier_sizes[i], random + i);
        }
        for (unsigned i = 0; i < TIER_COUNT; i++) {
            shadow_realloc(&shadow_hakmem, &blocks[i], tier_sizes[i] + tier_sizes[i] / 3, random + i);
            shadow_free(&shadow_hakmem, &blocks[i], random + i);
        }
    }
}

static void *child_thread(void *argument) {
    uint64_t *random = argument;
    use_all_tiers(*random);
    return NULL;
}

static void fork_and_wait(struct owned *owned, unsigned depth);

/* Everything that a child does. Its exit status is that of the check that failed, or 0. */
_Noreturn static void be_child(struct owned *owned, unsigned depth) {
    alarm(CHILD_SECONDS);
    disown(owned);
    use_all_tiers(owned->random);
    (void)hak_trim();
    if (!SHADOW_TSAN) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, child_thread, &owned->random) != 0) {
            shadow_fail(FAULT_TEST, "no thread in a child");
        }
        pthread_join(thread, NULL);
    }
    if (depth > 0) {
        own(owned);
        fork_and_wait(owned, depth - 1);
    }
    _exit(0);
}

static void fork_and_wait(struct owned *owned, unsigned depth) {
    pid_t child = fork();
    if (child == 0) {
        be_child(owned, depth);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            child = -1;
        }
    }
    if (child < 0) {
        shadow_fail(FAULT_TEST, "fork: %s", strerror(errno));
    }
    if (WIFSIGNALED(status)) {
        bool hung = WTERMSIG(status) == SIGALRM;
        shadow_fail(hung ? FAULT_HANG : FAULT_TEST, "a child %s (signal %d)", hung ? "hung" : "died", WTERMSIG(status));
    }
    if (WEXITSTATUS(status) != 0) {
        _exit(WEXITSTATUS(status));
    }
}

/* No fork before all threads run: one that is being born is in the allocator of its sanitizer, whose locks a child
 * would inherit held. */
static void await_births(void) {
    atomic_fetch_add_explicit(&running, 1, memory_order_relaxed);
    while (atomic_load_explicit(&running, memory_order_relaxed) < THREAD_COUNT + 1) {
        sched_yield();
    }
}

static void *keep_busy(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    bool forks = random % THREAD_COUNT == 0;
    struct owned owned = {.random = random};
    await_births();
    for (unsigned round = 0; !atomic_load_explicit(&stop, memory_order_relaxed); round++) {
        size_t size = shadow_pick_size(&random) % ((size_t)1 << 20);
        struct block block = shadow_malloc(&shadow_hakmem, size, shadow_random(&random));
        if (!queue_put(&exchange, &block)) {
            shadow_free(&shadow_hakmem, &block, random);
        }
        if (round % 2 == 1 && queue_take(&exchange, &block)) {
            shadow_free(&shadow_hakmem, &block, random);
        }
        if (forks && round % 512 == 0) {
            own(&owned);
            fork_and_wait(&owned, 0);
            disown(&owned);
            atomic_fetch_add_explicit(&forks_by_threads, 1, memory_order_relaxed);
        }
    }
    return NULL;
}

int main(void) {
    struct owned owned = {.random = shadow_env("HAK_SEED", 1)};
    uint64_t forks = shadow_env("HAK_OPS", SHADOW_SLOW_BUILD ? 8 : 30);
    pthread_t threads[THREAD_COUNT];
    queue_init(&exchange, (size_t)16 << 20);
    for (uintptr_t i = 0; i < THREAD_COUNT; i++) {
        if (pthread_create(&threads[i], NULL, keep_busy, (void *)(3000 + i)) != 0) {
            shadow_fail(FAULT_TEST, "no thread");
        }
    }
    await_births();
    for (uint64_t i = 0; i < forks; i++) {
        own(&owned);
        fork_and_wait(&owned, i % 4 == 0 ? 2 : 0);
        disown(&owned);
    }
    while (atomic_load_explicit(&forks_by_threads, memory_order_relaxed) == 0) {
        sched_yield();
    }
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
    struct block block;
    while (queue_take(&exchange, &block)) {
        shadow_free(&shadow_hakmem, &block, block.id);
    }
    shadow_say("%llu forks by main, %u by a thread", (unsigned long long)forks, forks_by_threads);
    return 0;
}
