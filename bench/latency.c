/* bench/latency.c
 * Purpose.     See latency.h.
 */
#include "latency.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SET_COUNT = 64, STEP_BITS = 6, STEPS = 1 << STEP_BITS, BUCKET_COUNT = STEPS * 40 };

struct histogram {
    _Atomic uint64_t bucket[BUCKET_COUNT];
    _Atomic uint64_t most;
};

static const char *const names[LATENCY_COUNT] = {"malloc", "calloc", "realloc", "free"};
static struct histogram sets[SET_COUNT][LATENCY_COUNT];
static _Atomic unsigned set_next;
static _Thread_local struct histogram *set;
static _Atomic bool recording;
static uint64_t begin_ns, begin_ticks; /* two readings of both clocks say how long a tick is */
static double tick_ns;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Values below 64 have a bucket each; above, the six bits after the highest one choose it. */
static unsigned bucket_of(uint64_t ticks) {
    if (ticks < STEPS)
        return (unsigned)ticks;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ticks) - STEP_BITS;
    unsigned bucket = (shift + 1) * STEPS + (unsigned)(ticks >> shift) - STEPS;
    return bucket < BUCKET_COUNT ? bucket : BUCKET_COUNT - 1;
}

/* The largest value of a bucket. */
static uint64_t bucket_end(unsigned bucket) {
    if (bucket < STEPS)
        return bucket;
    unsigned shift = bucket / STEPS - 1;
    return ((uint64_t)(bucket % STEPS + STEPS + 1) << shift) - 1;
}

void latency_record(enum latency_of function, uint64_t ticks) {
    if (!atomic_load_explicit(&recording, memory_order_relaxed))
        return;
    if ((int64_t)ticks < 0) /* moved to a processor whose counter is behind */
        ticks = 0;
    if (set == NULL)
        set = sets[atomic_fetch_add_explicit(&set_next, 1, memory_order_relaxed) % SET_COUNT];
    struct histogram *h = &set[function];
    atomic_fetch_add_explicit(&h->bucket[bucket_of(ticks)], 1, memory_order_relaxed);
    uint64_t most = atomic_load_explicit(&h->most, memory_order_relaxed);
    while (ticks > most &&
           !atomic_compare_exchange_weak_explicit(&h->most, &most, ticks, memory_order_relaxed, memory_order_relaxed))
        ;
}

void latency_begin(void) {
    memset(sets, 0, sizeof sets);
    begin_ns = now_ns();
    begin_ticks = read_ticks();
    atomic_store_explicit(&recording, true, memory_order_relaxed);
}

void latency_end(void) {
    atomic_store_explicit(&recording, false, memory_order_relaxed);
    tick_ns = (double)(now_ns() - begin_ns) / (double)(read_ticks() - begin_ticks);
}

/* Adds the histogram of every set to the sum; how many calls there were. */
static uint64_t add_up(enum latency_of function, struct histogram *sum) {
    uint64_t calls = 0;
    for (unsigned s = 0; s < SET_COUNT; s++) {
        const struct histogram *h = &sets[s][function];
        for (unsigned b = 0; b < BUCKET_COUNT; b++) {
            sum->bucket[b] += h->bucket[b];
            calls += h->bucket[b];
        }
        if (h->most > sum->most)
            sum->most = h->most;
    }
    return calls;
}

/* The ticks that so many percent of the calls do not exceed. */
static uint64_t percentile(const struct histogram *h, uint64_t calls, double percent) {
    uint64_t rank = (uint64_t)((double)calls * percent / 100);
    uint64_t below = 0;
    for (unsigned b = 0; b < BUCKET_COUNT; b++) {
        below += h->bucket[b];
        if (below > rank)
            return bucket_end(b) < h->most ? bucket_end(b) : h->most;
    }
    return h->most;
}

/* What two readings in a row cost at least, and the smallest step that the clock makes. */
static void print_clock(void) {
    uint64_t cost = UINT64_MAX, step = UINT64_MAX, before = 0;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t start = read_ticks(), passed = read_ticks() - start;
        uint64_t change = passed > before ? passed - before : before - passed;
        cost = passed < cost ? passed : cost;
        step = change != 0 && change < step ? change : step;
        before = passed;
    }
    step = step < cost ? step : cost;
    printf(", \"latency_ns\": {\"clock_ns\": %.1f, \"clock_step_ns\": %.1f", (double)cost * tick_ns,
           (double)step * tick_ns);
}

void latency_print(void) {
    static const double wanted[] = {50, 99, 99.9, 99.99};
    static const double curve[] = {0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999, 100};
    static struct histogram all, one;
    print_clock();
    for (unsigned f = 0; f < LATENCY_COUNT; f++) {
        memset(&one, 0, sizeof one);
        uint64_t calls = add_up(f, &one);
        if (calls == 0)
            continue;
        printf(", \"%s\": {\"calls\": %llu", names[f], (unsigned long long)calls);
        for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            printf(", \"p%g\": %.1f", wanted[i], (double)percentile(&one, calls, wanted[i]) * tick_ns);
        printf(", \"max\": %.1f}", (double)one.most * tick_ns);
    }
    uint64_t calls = 0;
    for (unsigned f = 0; f < LATENCY_COUNT; f++)
        calls += add_up(f, &all);
    printf("}, \"latency_curve\": [");
    for (unsigned i = 0; i < sizeof curve / sizeof curve[0]; i++)
        printf("%s[%g, %.1f]", i == 0 ? "" : ", ", curve[i], (double)percentile(&all, calls, curve[i]) * tick_ns);
    printf("]");
}
