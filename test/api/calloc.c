/* calloc.c
 * Purpose.     calloc returns zero bytes: in fresh memory, in recycled dirty blocks, in every tier, and when a dirty
 *              block of another size stood there.
 * Design.      Every block is written full before it is freed, so that the next calloc of that size meets dirt.
 * Not here.    Overflow of the product (sizes.c).
 */
#include "../support/contract.h"

#include <malloc.h>
#include <pthread.h>

static void zero_in_every_tier(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        for (int round = 0; round < 3; round++) {
            unsigned char *block = calloc(1, size);
            assert_non_null(block);
            assert_true(pattern_is_zero(block, size));
            memset(block, 0xa5, malloc_usable_size(block));
            free(block);
        }
    }
}

static void zero_for_every_small_size(void **state) {
    (void)state;
    enum { BLOCKS = 8 };
    unsigned char *blocks[BLOCKS];
    for (size_t size = 1; size <= 4096; size++) {
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < BLOCKS; i++) {
                blocks[i] = calloc(size, 1);
                assert_non_null(blocks[i]);
                assert_true(pattern_is_zero(blocks[i], size));
                memset(blocks[i], 0xff, size);
            }
            for (int i = 0; i < BLOCKS; i++) {
                free(blocks[i]);
            }
        }
    }
}

static void zero_where_malloc_left_dirt(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        enum { BLOCKS = 4 };
        unsigned char *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = malloc(size);
            assert_non_null(blocks[i]);
            memset(blocks[i], 0x5a, size);
        }
        for (int i = 0; i < BLOCKS; i++) {
            free(blocks[i]);
        }
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = calloc(1, size);
            assert_non_null(blocks[i]);
            assert_true(pattern_is_zero(blocks[i], size));
        }
        for (int i = 0; i < BLOCKS; i++) {
            free(blocks[i]);
        }
    }
}

/* Space that held blocks of one size serves another size later: large ones cut into small, small ones joined. */
static void zero_when_space_changes_its_size(void **state) {
    (void)state;
    static const size_t SIZES[] = {64 * MIB, 100000, 3000000, 200, 8 * MIB, 20000, 70000, 1500000, 40, 16 * MIB};
    for (size_t s = 0; s < sizeof SIZES / sizeof SIZES[0]; s++) {
        size_t size = SIZES[s];
        size_t count = 96 * MIB / size;
        count = count > 3000 ? 3000 : count;
        static unsigned char *blocks[3000];
        for (size_t i = 0; i < count; i++) {
            blocks[i] = calloc(1, size);
            assert_non_null(blocks[i]);
            assert_true(pattern_is_zero(blocks[i], size));
            memset(blocks[i], 0xee, size);
        }
        for (size_t i = 0; i < count; i++) {
            free(blocks[i]);
        }
    }
}

static void zero_after_resize(void **state) {
    (void)state;
    for (size_t size = 4 * MIB; size <= 32 * MIB; size += 5 * MIB) {
        unsigned char *block = malloc(size);
        assert_non_null(block);
        memset(block, 0x77, size);
        block = realloc(block, size / 3);
        assert_non_null(block);
        unsigned char *other = calloc(1, size / 2);
        assert_non_null(other);
        assert_true(pattern_is_zero(other, size / 2));
        memset(other, 0x77, size / 2);
        block = realloc(block, size * 2);
        assert_non_null(block);
        memset(block, 0x77, size * 2);
        free(block);
        free(other);
        other = calloc(1, size * 2);
        assert_non_null(other);
        assert_true(pattern_is_zero(other, size * 2));
        free(other);
    }
}

static void zero_for_all_factors(void **state) {
    (void)state;
    for (size_t count = 1; count <= 300; count += 7) {
        for (size_t size = 1; size <= 300; size += 11) {
            unsigned char *block = calloc(count, size);
            assert_non_null(block);
            assert_true(malloc_usable_size(block) >= count * size);
            assert_true(pattern_is_zero(block, count * size));
            memset(block, 0xcc, count * size);
            free(block);
        }
    }
}

/* Dirty blocks that another thread frees, and blocks of a thread that ended. */
static void *leave_dirt(void *unused) {
    (void)unused;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        void *block = malloc(TIER_SIZES[tier]);
        if (block != NULL) {
            memset(block, 0x99, TIER_SIZES[tier]);
        }
        free(opaque(block));
    }
    return NULL;
}

static void zero_after_another_threads_dirt(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, leave_dirt, NULL), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        for (size_t tier = 0; tier < TIER_COUNT; tier++) {
            unsigned char *block = calloc(1, TIER_SIZES[tier]);
            assert_non_null(block);
            assert_true(pattern_is_zero(block, TIER_SIZES[tier]));
            free(block);
        }
    }
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_in_every_tier),
        cmocka_unit_test(zero_for_every_small_size),
        cmocka_unit_test(zero_where_malloc_left_dirt),
        cmocka_unit_test(zero_when_space_changes_its_size),
        cmocka_unit_test(zero_after_resize),
        cmocka_unit_test(zero_for_all_factors),
        cmocka_unit_test(zero_after_another_threads_dirt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
