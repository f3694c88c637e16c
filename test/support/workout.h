/* workout.h
 * Purpose.     One round of everything that an allocator does, for places where it might not be able to: early, late,
 *              after fork, on a tiny stack, when the kernel refuses.
 * Design.      One block of each tier through malloc, calloc, memalign and realloc, contents checked. A failure is the
 *              answer false, since the places are such that nothing can be printed. Uses under 300 bytes of stack.
 */
#ifndef TEST_SUPPORT_WORKOUT_H
#define TEST_SUPPORT_WORKOUT_H

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "opaque.h"
#include "pattern.h"
#include "tiers.h"

/* True if contents, alignment, and errno are right; a refused request is an error unless `may_refuse`. */
static inline bool workout_block(size_t size, uint32_t seed, bool may_refuse) {
    errno = 0;
    void *block = opaque(malloc(size));
    if (block == NULL) {
        return may_refuse && errno == ENOMEM;
    }
    if (((uintptr_t)block & 15) != 0 || malloc_usable_size(block) < size) {
        return false;
    }
    pattern_fill_sparse(block, size, seed);
    bool good = true;
    errno = 0;
    void *zero = opaque(calloc(1, size));
    if (zero == NULL) {
        good = may_refuse && errno == ENOMEM;
    } else {
        good = pattern_is_zero(zero, size < 20000 ? size : 20000);
    }
    errno = 0;
    void *aligned = opaque(memalign(256, size));
    if (aligned == NULL) {
        good &= may_refuse && errno == ENOMEM;
    } else {
        good &= ((uintptr_t)aligned & 255) == 0;
        pattern_fill_sparse(aligned, size, seed + 1);
    }
    errno = 0;
    void *moved = opaque(realloc(block, size * 2));
    if (moved == NULL) {
        good &= may_refuse && errno == ENOMEM;
        moved = opaque(block);
    }
    good &= pattern_holds_sparse(moved, size, size, seed);
    good &= aligned == NULL || pattern_holds_sparse(aligned, size, size, seed + 1);
    errno = 4711;
    free(zero);
    free(aligned);
    free(moved);
    return good && errno == 4711;
}

/* One block of each tier. */
static inline bool workout(uint32_t seed) {
    bool good = true;
    for (size_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        good &= workout_block(TIER_SAMPLES[i], seed + (uint32_t)i, false);
    }
    return good;
}

/* The same where the kernel may refuse memory. */
static inline bool workout_or_refusal(uint32_t seed) {
    bool good = true;
    for (size_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        good &= workout_block(TIER_SAMPLES[i], seed + (uint32_t)i, true);
    }
    return good;
}

/* Blocks of the small tiers only: quick enough for hundreds of thousands of rounds. */
static inline bool workout_small(uint32_t seed) {
    bool good = true;
    for (uint32_t i = 0; i < 8; i++) {
        size_t size = (seed * 37 + i * 211) % 5000 + 1;
        unsigned char *block = (unsigned char *)opaque(malloc(size));
        if (block == NULL) {
            return false;
        }
        block[0] = (unsigned char)i;
        block[size - 1] = (unsigned char)i;
        good &= block[0] == (unsigned char)i;
        free(block);
    }
    return good;
}

#endif
