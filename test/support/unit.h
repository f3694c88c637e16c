/* unit.h
 * Purpose.     What every program of test/unit includes: cmocka with its requirements, numbers that look random, and
 *              marks that tell blocks apart at little cost.
 * Design.      A mark is a word that depends on where it stands and on a seed. Marks stand at the start, at the end and
 *              once per `step` bytes between: what was moved, mixed up or cut short is seen without touching every
 *              page.
 */
#ifndef TEST_SUPPORT_UNIT_H
#define TEST_SUPPORT_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 1 where a sanitizer needs more address space than any limit that hakmem's flat page map does not fit into. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNIT_SHADOW_MEMORY 1
#endif
#endif
#ifndef UNIT_SHADOW_MEMORY
#define UNIT_SHADOW_MEMORY 0
#endif

/* splitmix64 */
static inline uint64_t unit_random(uint64_t *state) {
    uint64_t x = (*state += 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* 0 .. limit - 1 */
static inline unsigned unit_below(uint64_t *state, unsigned limit) {
    return (unsigned)(unit_random(state) % limit);
}

static inline uint64_t unit_mark(size_t offset, uint64_t seed) {
    uint64_t state = seed * 0x100000001b3u + offset;
    return unit_random(&state);
}

static inline void unit_mark_at(void *block, size_t offset, uint64_t seed) {
    uint64_t mark = unit_mark(offset, seed);
    memcpy((char *)block + offset, &mark, sizeof mark);
}

static inline bool unit_marked_at(const void *block, size_t offset, uint64_t seed) {
    uint64_t mark = unit_mark(offset, seed);
    return memcmp((const char *)block + offset, &mark, sizeof mark) == 0;
}

/* Marks a block of `size` bytes, of at least 16; smaller ones are filled with a byte. */
static inline void unit_fill(void *block, size_t size, size_t step, uint64_t seed) {
    if (size < 16) {
        memset(block, (int)(seed & 0x7f) + 1, size);
        return;
    }
    for (size_t at = 0; at + 16 <= size; at += step) {
        unit_mark_at(block, at, seed);
    }
    memset((char *)block + size - 8, (int)(seed & 0x7f) + 1, 8);
}

/* True if the first `kept` bytes of a block that unit_fill marked with `size` are as they were. */
static inline bool unit_holds(const void *block, size_t size, size_t kept, size_t step, uint64_t seed) {
    unsigned char tail[16];
    memset(tail, (int)(seed & 0x7f) + 1, sizeof tail);
    if (size < 16) {
        return memcmp(block, tail, kept) == 0;
    }
    for (size_t at = 0; at + 16 <= size && at + 8 <= kept; at += step) {
        if (!unit_marked_at(block, at, seed)) {
            return false;
        }
    }
    return kept < size || memcmp((const char *)block + size - 8, tail, 8) == 0;
}

static inline bool unit_is_zero(const void *block, size_t size) {
    const unsigned char *bytes = block;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

#endif
