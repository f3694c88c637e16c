/* bench/latency.h
 * Purpose.     The time of single calls: a histogram for each function of malloc's family.
 * Design.      Two readings of the cycle counter around each call, which wait for what goes before (lfence); their own
 *              cost is in every value, and reported beside them. Buckets grow with the value: 64 to a power of two, so
 *              a percentile is exact to 1.6 %.
 * Concurrency. A thread takes one of 64 sets of histograms; where threads share one, they add with atomics. What is
 *              recorded is recorded after the second reading, so none of that is in the values.
 */
#ifndef HAKMEM_BENCH_LATENCY_H
#define HAKMEM_BENCH_LATENCY_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum latency_of { LATENCY_MALLOC, LATENCY_CALLOC, LATENCY_REALLOC, LATENCY_FREE, LATENCY_COUNT };

/* One call that took so many ticks. */
void latency_record(enum latency_of function, uint64_t ticks);

/* Recording begins: what was recorded before is forgotten. */
void latency_begin(void);

/* Recording ends. */
void latency_end(void);

/* Prints what was recorded as members of a JSON object, each with a comma in front. */
void latency_print(void);

#if defined(__x86_64__)
static inline uint64_t read_ticks(void) {
    __builtin_ia32_lfence();
    uint64_t ticks = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return ticks;
}
#else
static inline uint64_t read_ticks(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
#endif

static inline void *timed_malloc(size_t size) {
    uint64_t start = read_ticks();
    void *block = malloc(size);
    latency_record(LATENCY_MALLOC, read_ticks() - start);
    return block;
}

static inline void *timed_calloc(size_t count, size_t size) {
    uint64_t start = read_ticks();
    void *block = calloc(count, size);
    latency_record(LATENCY_CALLOC, read_ticks() - start);
    return block;
}

static inline void *timed_realloc(void *old, size_t size) {
    uint64_t start = read_ticks();
    void *block = realloc(old, size);
    latency_record(LATENCY_REALLOC, read_ticks() - start);
    return block;
}

static inline void timed_free(void *block) {
    uint64_t start = read_ticks();
    free(block);
    latency_record(LATENCY_FREE, read_ticks() - start);
}

#endif
