/* usable_size.c
 * Purpose.     malloc_usable_size: at least the request, the same answer each time, every byte of it writable without
 *              harm to a neighbour, 0 for NULL.
 * Not here.    hak_good_size and hak_usable_size (hak_functions.c); pointers that are no blocks (test/death).
 */
#include "../support/contract.h"

#include <malloc.h>

static void null_has_no_bytes(void **state) {
    (void)state;
    assert_int_equal(malloc_usable_size(opaque(NULL)), 0);
}

static void covers_every_request(void **state) {
    (void)state;
    for (size_t size = 0; size <= 64 * KIB; size++) {
        void *block = malloc(opaque_size(size));
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= size);
        free(block);
    }
    for (size_t size = 64 * KIB; size <= 256 * MIB; size += size / 5 + 1) {
        void *block = malloc(size);
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= size);
        free(block);
    }
}

/* Large requests are rounded by less than a granule or an eighth: the answer is no invitation to waste. */
static void stays_near_the_request(void **state) {
    (void)state;
    for (size_t size = 1; size <= 64 * MIB; size += size / 9 + 1) {
        void *block = malloc(size);
        assert_non_null(block);
        assert_true(malloc_usable_size(block) <= size + size / 4 + 64 * KIB);
        free(block);
    }
}

static void is_stable(void **state) {
    (void)state;
    void *blocks[TIER_COUNT];
    size_t usable[TIER_COUNT];
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        blocks[tier] = malloc(TIER_SIZES[tier]);
        assert_non_null(blocks[tier]);
        usable[tier] = malloc_usable_size(blocks[tier]);
    }
    for (size_t i = 0; i < 2000; i++) {
        free(opaque(malloc(i * 50)));
    }
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        assert_int_equal(malloc_usable_size(blocks[tier]), usable[tier]);
        free(blocks[tier]);
    }
}

static void is_writable_to_the_last_byte(void **state) {
    (void)state;
    enum { BLOCKS = 40 };
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        int count = size > 4 * MIB ? 2 : size > 100 * KIB ? 8 : BLOCKS;
        void *blocks[BLOCKS];
        for (int i = 0; i < count; i++) {
            blocks[i] = malloc(size);
            assert_non_null(blocks[i]);
            memset(blocks[i], i, malloc_usable_size(blocks[i]));
        }
        for (int i = 0; i < count; i++) {
            unsigned char *bytes = blocks[i];
            size_t usable = malloc_usable_size(bytes);
            assert_true(bytes[0] == i && memcmp(bytes, bytes + 1, usable - 1) == 0);
            free(bytes);
        }
    }
}

/* What a program does that asks for the usable size and then uses all of it through realloc. */
static void realloc_to_usable_keeps_contents(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        void *block = malloc(TIER_SIZES[tier]);
        assert_non_null(block);
        size_t usable = malloc_usable_size(block);
        pattern_fill_sparse(block, usable, 11);
        block = realloc(block, usable);
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= usable);
        assert_true(pattern_holds_sparse(block, usable, usable, 11));
        free(block);
    }
}

static void covers_aligned_requests(void **state) {
    (void)state;
    for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 2) {
        for (size_t tier = 0; tier < TIER_COUNT; tier++) {
            unsigned char *block = aligned_alloc(alignment, TIER_SIZES[tier]);
            assert_non_null(block);
            size_t usable = malloc_usable_size(block);
            assert_true(usable >= TIER_SIZES[tier]);
            block[usable - 1] = 1;
            free(block);
        }
    }
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_has_no_bytes),
        cmocka_unit_test(covers_every_request),
        cmocka_unit_test(stays_near_the_request),
        cmocka_unit_test(is_stable),
        cmocka_unit_test(is_writable_to_the_last_byte),
        cmocka_unit_test(realloc_to_usable_keeps_contents),
        cmocka_unit_test(covers_aligned_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
