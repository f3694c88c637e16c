/* base/bits.h
 * Purpose.     Arithmetic on sizes and bit sets.
 * Not here.    Size classes (size_class.h).
 */
#ifndef HAK_BASE_BITS_H
#define HAK_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Index of the highest set bit; x must not be 0. */
FAST unsigned bits_log2(uint64_t x) {
    return 63u - (unsigned)__builtin_clzll(x);
}

/* Index of the lowest set bit; x must not be 0. */
FAST unsigned bits_lowest(uint64_t x) {
    return (unsigned)__builtin_ctzll(x);
}

FAST uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

FAST bool is_power_of_two(uintptr_t x) {
    return x != 0 && (x & (x - 1)) == 0;
}

/* `to` must be a power of two; the sum must not overflow. */
FAST uintptr_t round_up(uintptr_t x, uintptr_t to) {
    return (x + to - 1) & ~(to - 1);
}

FAST uintptr_t round_down(uintptr_t x, uintptr_t to) {
    return x & ~(to - 1);
}

/* `count` ones from bit `start` on; start + count <= 64. */
FAST uint64_t bits_range(unsigned start, unsigned count) {
    return (count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1) << start;
}

/* The set of positions at which a run of `count` ones starts. count 1..64. */
FAST uint64_t bits_run_starts(uint64_t set, unsigned count) {
    unsigned have = 1;
    while (have < count) {
        unsigned step = count - have < have ? count - have : have;
        set &= set >> step;
        have += step;
    }
    return set;
}

/* Sets bit `i` of the word. False, with nothing changed, if it is set already. */
FAST bool bits_set(uint64_t *word, unsigned i) {
    uint64_t value = *word;
    bool was;
#if defined(__x86_64__)
    __asm__("bts %2, %0" : "+r"(value), "=@ccc"(was) : "r"((uint64_t)i));
#else
    was = (value >> i & 1) != 0;
    value |= (uint64_t)1 << i;
#endif
    if (was)
        return false;
    *word = value;
    return true;
}

/* Length of the run of ones from bit `start` on. */
FAST unsigned bits_run_length(uint64_t set, unsigned start) {
    uint64_t zeros = ~(set >> start);
    return zeros == 0 ? 64 : bits_lowest(zeros);
}

/* Where the run of ones starts that bit `at`, one of them, belongs to. */
FAST unsigned bits_run_start(uint64_t set, unsigned at) {
    uint64_t zeros = ~(set << (63 - at));
    return zeros == 0 ? 0 : at + 1 - (63 - bits_log2(zeros));
}

/* Length of the longest run of ones: the powers of two that it consists of, the largest first. Where runs of `length`
 * and, that far behind, runs of another length start, there start runs of both together. */
FAST unsigned bits_longest_run(uint64_t set) {
    uint64_t starts[6] = {set}, longest = ~(uint64_t)0;
    unsigned length = 0;
    if (set == ~(uint64_t)0)
        return 64;
    for (unsigned i = 1; i < 6; i++)
        starts[i] = starts[i - 1] & starts[i - 1] >> (1u << (i - 1));
    for (unsigned i = 6; i-- > 0;) {
        uint64_t longer = longest & starts[i] >> length;
        if (longer != 0) {
            longest = longer;
            length += 1u << i;
        }
    }
    return length;
}

#endif
