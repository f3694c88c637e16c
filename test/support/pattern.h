/* pattern.h
 * Purpose.     Fills blocks with contents that are recognised later, and says whether a block is zero.
 * Design.      Every byte depends on its offset and on a seed, so that blocks that overlap, moved by a wrong distance
 *              or were copied short are seen. The *_sparse functions look at the first and last 4 KiB and at one word
 *              per page between: enough to find pages that were lost or mixed up, at a cost that suits 256 MiB.
 */
#ifndef TEST_SUPPORT_PATTERN_H
#define TEST_SUPPORT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_PAGE ((size_t)4096)

static inline unsigned char pattern_byte(size_t offset, uint32_t seed) {
    uint32_t mixed = ((uint32_t)offset + seed * 40503u) * 2654435761u;
    return (unsigned char)(mixed >> 24);
}

static inline void pattern_fill_range(void *block, size_t from, size_t to, uint32_t seed) {
    unsigned char *bytes = (unsigned char *)block;
    for (size_t i = from; i < to; i++) {
        bytes[i] = pattern_byte(i, seed);
    }
}

static inline bool pattern_holds_range(const void *block, size_t from, size_t to, uint32_t seed) {
    const unsigned char *bytes = (const unsigned char *)block;
    for (size_t i = from; i < to; i++) {
        if (bytes[i] != pattern_byte(i, seed)) {
            return false;
        }
    }
    return true;
}

static inline void pattern_fill(void *block, size_t size, uint32_t seed) {
    pattern_fill_range(block, 0, size, seed);
}

static inline bool pattern_holds(const void *block, size_t size, uint32_t seed) {
    return pattern_holds_range(block, 0, size, seed);
}

static inline void pattern_fill_sparse(void *block, size_t size, uint32_t seed) {
    if (size <= 4 * PATTERN_PAGE) {
        pattern_fill(block, size, seed);
        return;
    }
    pattern_fill_range(block, 0, PATTERN_PAGE, seed);
    for (size_t at = PATTERN_PAGE; at < size - PATTERN_PAGE; at += PATTERN_PAGE) {
        pattern_fill_range(block, at, at + 8, seed);
    }
    pattern_fill_range(block, size - PATTERN_PAGE, size, seed);
}

/* True if the first `kept` bytes hold what pattern_fill_sparse wrote into a block of `size` bytes. */
static inline bool pattern_holds_sparse(const void *block, size_t size, size_t kept, uint32_t seed) {
    if (size <= 4 * PATTERN_PAGE) {
        return pattern_holds(block, kept, seed);
    }
    if (!pattern_holds_range(block, 0, kept < PATTERN_PAGE ? kept : PATTERN_PAGE, seed)) {
        return false;
    }
    for (size_t at = PATTERN_PAGE; at < size - PATTERN_PAGE && at + 8 <= kept; at += PATTERN_PAGE) {
        if (!pattern_holds_range(block, at, at + 8, seed)) {
            return false;
        }
    }
    size_t tail = size - PATTERN_PAGE;
    return kept <= tail || pattern_holds_range(block, tail, kept, seed);
}

static inline bool pattern_is_zero(const void *block, size_t size) {
    const unsigned char *bytes = (const unsigned char *)block;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

#endif
