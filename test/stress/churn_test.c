/* churn_test.c
 * Purpose.     Threads that are born, leave live blocks behind and die, and threads that free what the dead have left.
 * Design.      A fixed number of threads at a time; each takes the blocks of earlier ones out of a shared queue, checks
 *              and frees them, puts its own in, and ends without freeing the rest of its work: a key's destructor does
 *              that, in its last call, when the allocator's own destructor may already have run. What dead threads
 *              cost must not add up: resident memory after a quarter of all threads is compared with the end.
 *                  HAK_SEED, HAK_OPS (threads in all), HAK_THREADS (at a time)
 * Concurrency. The queue and the counters are shared; a block belongs to whoever took it.
 * heaps: 1 4
 */
#include "queue.h"
#include "shadow.h"

#include "hakmem.h"
#include "support/process.h"

#include <limits.h>
#include <stdatomic.h>

/* Rounds of destructors to be called in: all of them. ThreadSanitizer lays its own state down in the last one. */
enum { WILL_ROUNDS = SHADOW_TSAN ? PTHREAD_DESTRUCTOR_ITERATIONS - 1 : PTHREAD_DESTRUCTOR_ITERATIONS };

enum { BLOCKS_PER_THREAD = 24, MAX_THREADS = 64 };

/* 10,000 threads that each cost a page for good would show as 30 MiB. */
static const size_t GROWTH_MAX = 16 * MIB;

/* What a thread still owns when its function has returned. */
struct will {
    uint64_t random;
    unsigned calls;
    struct block kept[4];
};

static struct queue left_behind;
static pthread_key_t will_key;
static atomic_ullong freed_by_others;
static atomic_ullong wills_executed;

static size_t churn_size(uint64_t *random) {
    size_t size = shadow_pick_size(random);
    return size <= MIB ? size : size % MIB;
}

/* Comes back until the last round of destructors, and allocates in every one of them. */
static void execute_will(void *argument) {
    struct will *will = argument;
    unsigned round = will->calls++;
    struct block block = shadow_malloc(&shadow_hakmem, churn_size(&will->random), shadow_random(&will->random));
    if (will->calls < WILL_ROUNDS) {
        shadow_free(&shadow_hakmem, &will->kept[round], round);
        will->kept[round] = block;
        pthread_setspecific(will_key, will);
        return;
    }
    shadow_free(&shadow_hakmem, &block, round);
    for (unsigned i = 0; i < 4; i++) {
        shadow_free(&shadow_hakmem, &will->kept[i], will->random >> i);
    }
    hak_free(will);
    atomic_fetch_add_explicit(&wills_executed, 1, memory_order_relaxed);
}

static void *live_and_die(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    struct block block;
    for (unsigned i = 0; i < BLOCKS_PER_THREAD && queue_take(&left_behind, &block); i++) {
        shadow_free(&shadow_hakmem, &block, shadow_random(&random));
        atomic_fetch_add_explicit(&freed_by_others, 1, memory_order_relaxed);
    }
    for (unsigned i = 0; i < BLOCKS_PER_THREAD; i++) {
        block = shadow_malloc(&shadow_hakmem, churn_size(&random), shadow_random(&random));
        if (i % 3 == 0 || !queue_put(&left_behind, &block)) {
            shadow_free(&shadow_hakmem, &block, random);
        }
    }
    struct will *will = hak_calloc(1, sizeof *will);
    if (will == NULL) {
        shadow_fail(FAULT_NULL, "no block of %zu bytes", sizeof *will);
    }
    will->random = random;
    for (unsigned i = 0; i < 4; i++) {
        will->kept[i] = shadow_calloc(&shadow_hakmem, 1, churn_size(&will->random), shadow_random(&will->random));
    }
    pthread_setspecific(will_key, will);
    return NULL;
}

/* `count` threads, `at_once` of them at a time. */
static void churn(uint64_t *random, uint64_t count, unsigned at_once) {
    pthread_t threads[MAX_THREADS];
    for (uint64_t born = 0; born < count + at_once; born++) {
        pthread_t *place = &threads[born % at_once];
        if (born >= at_once) {
            pthread_join(*place, NULL);
        }
        if (born < count && pthread_create(place, NULL, live_and_die, (void *)(uintptr_t)shadow_random(random)) != 0) {
            shadow_fail(FAULT_TEST, "no thread %llu", (unsigned long long)born);
        }
    }
}

int main(void) {
    uint64_t random = shadow_env("HAK_SEED", 1);
    uint64_t count = shadow_env("HAK_OPS", SHADOW_SLOW_BUILD ? 400 : 10000);
    uint64_t at_once = shadow_env("HAK_THREADS", 8);
    if (at_once > MAX_THREADS || at_once > count / 2) {
        shadow_fail(FAULT_TEST, "HAK_THREADS: at most %d, and half of HAK_OPS", MAX_THREADS);
    }
    queue_init(&left_behind, 32 * MIB);
    pthread_key_create(&will_key, execute_will);

    churn(&random, count / 4 + at_once, (unsigned)at_once);
    size_t early = process_rss_bytes();
    churn(&random, count - count / 4, (unsigned)at_once);
    size_t late = process_rss_bytes();

    struct block block;
    while (queue_take(&left_behind, &block)) {
        shadow_free(&shadow_hakmem, &block, shadow_random(&random));
    }
    shadow_say("%llu blocks freed by younger threads; resident %zu KiB after a quarter, %zu KiB at the end",
               (unsigned long long)freed_by_others, early / KIB, late / KIB);
    if (wills_executed != count + at_once || freed_by_others == 0) {
        shadow_fail(FAULT_COUNT, "%llu threads, %llu ended as they should", (unsigned long long)(count + at_once),
                    (unsigned long long)wills_executed);
    }
    if (!SHADOW_SLOW_BUILD && late > early + GROWTH_MAX) {
        shadow_fail(FAULT_MEMORY, "dead threads cost %zu KiB", (late - early) / KIB);
    }
    return 0;
}
