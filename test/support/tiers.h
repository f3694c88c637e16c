/* tiers.h
 * Purpose.     Sizes that reach every tier of hakmem, for tests that have to be right in each.
 * Design.      At least two sizes per tier and both sides of every boundary between tiers: Tiny to 1 KiB, Mid to
 *              32 KiB, Large to about half a superslab of 4 MiB, Huge above.
 */
#ifndef TEST_SUPPORT_TIERS_H
#define TEST_SUPPORT_TIERS_H

#include <stddef.h>

static const size_t TIER_SIZES[] = {
    1,       8,       16,      17,      64,          100,          1000,         1024,         /* Tiny */
    1025,    1500,    4096,    8000,    16384,       20000,        32767,        32768,        /* Mid */
    32769,   65536,   100000,  131073,  1000000,     1048576,      2000000,                    /* Large */
    2097152, 2097153, 3000000, 4194304, 5 * 1048576, 10 * 1048576, 33 * 1048576, 64 * 1048576, /* Huge */
};

#define TIER_COUNT (sizeof TIER_SIZES / sizeof TIER_SIZES[0])

/* One size of each tier, for tests that repeat often. */
static const size_t TIER_SAMPLES[] = {48, 3000, 200000, 5000000};

#define TIER_SAMPLE_COUNT (sizeof TIER_SAMPLES / sizeof TIER_SAMPLES[0])

#endif
