/* bench/harness.h
 * Purpose.     What a workload and the harness know of each other.
 * Design.      A workload does whole batches of malloc+free pairs and nothing else; the harness warms it up, times it,
 *              and proves which object served it. Every block is written once, as a program would.
 * Not here.    Which allocator runs: that is decided by who starts the process (run.py).
 */
#ifndef HAKMEM_BENCH_HARNESS_H
#define HAKMEM_BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { BATCH = 100 }; /* blocks per batch of the five patterns */

struct workload {
    const char *name;
    const char *summary;
    uint64_t warm_pairs;             /* untimed, constant, so that the cost of two runs can be subtracted */
    int takes_size;                  /* 0 if the workload chooses its sizes itself */
    void (*setup)(size_t size);      /* may be NULL */
    uint64_t (*run)(uint64_t pairs); /* does at least `pairs` malloc+free pairs and says how many */
    void (*teardown)(void);          /* frees what setup and run left; may be NULL */
};

extern const struct workload workload_lifo;
extern const struct workload workload_fifo;
extern const struct workload workload_random;
extern const struct workload workload_interleaved;
extern const struct workload workload_longlived;
extern const struct workload workload_mixed;
extern const struct workload workload_larson;
extern const struct workload workload_handoff;

/* Writes the first word of a block. Volatile, so that the compiler can drop neither the block nor its pair; a NULL
 * faults here, which is loud enough. */
static inline void use_block(void *block) {
    *(volatile uintptr_t *)block = (uintptr_t)block;
}

/* The next state of a 64-bit linear congruence; use the high bits. Five instructions off malloc's dependency chain. */
static inline uint64_t next_random(uint64_t state) {
    return state * 6364136223846793005u + 1442695040888963407u;
}

/* 16..1024 from bits that next_slot does not use. */
static inline size_t random_size(uint64_t state) {
    return 16 + (size_t)(((state >> 16 & 0xffffffffu) * 1009u) >> 32);
}

#endif
