/* bench/harness.h
 * Purpose.     What a workload and the harness know of each other.
 * Design.      A workload does fixed work through malloc's family and nothing else; the harness warms it up, times it,
 *              and proves which object served it. Every block is written once, as a program would.
 *              Every workload is compiled twice: as it is, and with BENCH_LATENCY, where each call is timed by itself
 *              (latency.h). So what is timed as a whole carries no clock inside.
 * Not here.    Which allocator runs: that is decided by who starts the process (run.py).
 */
#ifndef HAKMEM_BENCH_HARNESS_H
#define HAKMEM_BENCH_HARNESS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { BATCH = 100, SIZES_MAX = 8, THREADS_MAX = 10, THREADS_LIMIT = 4096 };

/* How often a run called each function. */
struct calls {
    uint64_t malloc, calloc, realloc, free;
};

struct workload {
    const char *name;
    const char *suite;
    const char *summary;
    const char *size_unit;           /* what SIZE counts; NULL for bytes */
    uint64_t sizes[SIZES_MAX + 1];   /* to be measured, ends with 0; none if the workload takes no SIZE */
    unsigned threads[THREADS_MAX];   /* the same for THREADS; none if it has one thread, or a number of its own */
    uint64_t pairs;                  /* how many a measurement should do */
    const char *unit;                /* what is counted; NULL for pairs of malloc and free */
    uint64_t warm_pairs;             /* untimed, constant, so that the cost of two runs can be subtracted; may be 0 */
    void (*setup)(size_t size);      /* may be NULL */
    uint64_t (*run)(uint64_t pairs); /* does at least `pairs` units and says how many */
    struct calls (*calls)(uint64_t pairs_done); /* NULL if every unit is one malloc and one free */
    void (*after)(void);                        /* untimed: more to be noted; may be NULL */
    void (*teardown)(void);                     /* frees what setup and run left; may be NULL */
};

/* Every workload, in the order of the list. */
#define WORKLOADS(X)                                                                                                   \
    X(lifo)                                                                                                            \
    X(fifo)                                                                                                            \
    X(random)                                                                                                          \
    X(interleaved)                                                                                                     \
    X(longlived)                                                                                                       \
    X(mixed)                                                                                                           \
    X(larson)                                                                                                          \
    X(handoff)                                                                                                         \
    X(prodcons)                                                                                                        \
    X(ring)                                                                                                            \
    X(asymmetric)                                                                                                      \
    X(churn)                                                                                                           \
    X(iobuffers)                                                                                                       \
    X(falseshare_active)                                                                                               \
    X(falseshare_passive)                                                                                              \
    X(calloc_small)                                                                                                    \
    X(calloc_large)                                                                                                    \
    X(stringbuild)                                                                                                     \
    X(vector)                                                                                                          \
    X(buffers)                                                                                                         \
    X(arrays)                                                                                                          \
    X(shift)                                                                                                           \
    X(afterpeak)                                                                                                       \
    X(live)                                                                                                            \
    X(scaling)                                                                                                         \
    X(idle)

#define WORKLOAD_DECLARE(name) extern const struct workload workload_##name, latency_##name;
WORKLOADS(WORKLOAD_DECLARE)
#undef WORKLOAD_DECLARE

/* Of the command line; at least 1, constant while a workload runs. */
extern unsigned thread_count;

/* Runs body(0) .. body(count - 1), each in a thread of its own, and returns when all have ended. They start together,
 * and the clock starts again with them, so that only their work is timed. */
void run_threads(unsigned count, void (*body)(unsigned index));

/* A thread, or the end of the process after a message. Its stack is small: the kernel's work for it is no subject. */
void start_thread(pthread_t *thread, void *(*body)(void *), void *argument);

/* Starts the clock again: what was done since run() was called is preparation. */
void restart_clock(void);

/* One more number in the report, with a key of a lower-case word or several joined by '_'. */
void note(const char *key, uint64_t value);

/* Resident memory of the process now. */
uint64_t resident_kib(void);

/* Writes the first word of a block. Volatile, so that the compiler can drop neither the block nor its pair; a NULL
 * faults here, which is loud enough. */
static inline void use_block(void *block) {
    *(volatile uintptr_t *)block = (uintptr_t)block;
}

/* The next state of a 64-bit linear congruence; use the high bits. Five instructions off malloc's dependency chain. */
static inline uint64_t next_random(uint64_t state) {
    return state * 6364136223846793005u + 1442695040888963407u;
}

/* 0 .. count - 1 from the highest 24 bits: `count` up to 2^24. */
static inline uint64_t random_index(uint64_t state, uint64_t count) {
    return (state >> 40) * count >> 24;
}

/* least .. most from 24 bits that random_index does not use. */
static inline size_t random_between(uint64_t state, uint64_t least, uint64_t most) {
    return (size_t)(least + ((state >> 16 & 0xffffffu) * (most - least + 1) >> 24));
}

#ifdef BENCH_LATENCY
#include "latency.h"
#define WORKLOAD(name) const struct workload latency_##name
#define malloc(size) timed_malloc(size)
#define calloc(count, size) timed_calloc(count, size)
#define realloc(block, size) timed_realloc(block, size)
#define free(block) timed_free(block)
#else
#define WORKLOAD(name) const struct workload workload_##name
#endif

#endif
