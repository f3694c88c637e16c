/* realloc.c
 * Purpose.     realloc and reallocarray keep contents across every boundary between tiers, free at size 0, and leave
 *              the block alone when they fail.
 * Design.      Every pair of sizes that touches a boundary, both ways; blocks above 16 KiB are marked page by page.
 * Not here.    Impossible sizes (sizes.c).
 */
#include "../support/contract.h"

#include <malloc.h>

/* Allocates `from` bytes, resizes to `to`, and demands the bytes that both have. */
static void resize_and_check(size_t from, size_t to, uint32_t seed) {
    void *block = malloc(from);
    assert_non_null(block);
    pattern_fill_sparse(block, from, seed);
    block = realloc(block, to);
    assert_non_null(block);
    assert_true(is_aligned(block, 16));
    assert_true(malloc_usable_size(block) >= to);
    size_t kept = from < to ? from : to;
    assert_true(pattern_holds_sparse(block, from, kept, seed));
    ((unsigned char *)block)[to - 1] = 1;
    free(block);
}

static void null_allocates(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        void *block = realloc(opaque(NULL), TIER_SIZES[tier]);
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= TIER_SIZES[tier]);
        memset(block, 1, TIER_SIZES[tier]);
        free(block);
        block = reallocarray(opaque(NULL), TIER_SIZES[tier], 1);
        assert_non_null(block);
        free(block);
    }
}

static void zero_frees_and_returns_null(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        void *block = malloc(TIER_SIZES[tier]);
        assert_non_null(block);
        errno = 1234;
        assert_null(realloc(block, opaque_size(0)));
        assert_int_equal(errno, 1234);
        block = malloc(TIER_SIZES[tier]);
        assert_non_null(block);
        assert_null(reallocarray(block, opaque_size(0), 8));
        block = malloc(TIER_SIZES[tier]);
        assert_non_null(block);
        assert_null(reallocarray(block, 8, opaque_size(0)));
    }
}

/* If realloc(p, 0) did not free, this would take 12 GB. */
static void zero_really_frees(void **state) {
    (void)state;
    size_t before = process_rss_bytes();
    for (int i = 0; i < 3000; i++) {
        void *block = malloc(4 * MIB);
        assert_non_null(block);
        memset(block, 1, 64 * KIB);
        assert_null(realloc(block, opaque_size(0)));
    }
    for (int i = 0; i < 100000; i++) {
        void *block = malloc(2000);
        assert_non_null(block);
        memset(block, 1, 2000);
        assert_null(realloc(block, opaque_size(0)));
    }
    assert_true(process_rss_bytes() < before + 64 * MIB);
}

static void contents_survive_all_tier_pairs(void **state) {
    (void)state;
    for (size_t from = 0; from < TIER_COUNT; from++) {
        for (size_t to = 0; to < TIER_COUNT; to++) {
            resize_and_check(TIER_SIZES[from], TIER_SIZES[to], (uint32_t)(from * 64 + to));
        }
    }
}

static void contents_survive_small_steps(void **state) {
    (void)state;
    for (size_t from = 1; from <= 1100; from += 13) {
        for (size_t to = 1; to <= 1100; to += 17) {
            resize_and_check(from, to, (uint32_t)(from + to));
        }
    }
}

static void grows_byte_by_byte(void **state) {
    (void)state;
    enum { END = 70000 };
    unsigned char *block = NULL;
    for (size_t size = 1; size <= END; size++) {
        block = realloc(block, size);
        assert_non_null(block);
        block[size - 1] = pattern_byte(size - 1, 3);
        if (size % 997 == 0) {
            assert_true(pattern_holds(block, size, 3));
        }
    }
    for (size_t size = END; size > 0; size -= size > 100 ? 61 : 1) {
        block = realloc(block, size);
        assert_non_null(block);
        assert_true(block[size - 1] == pattern_byte(size - 1, 3));
    }
    free(block);
}

static void grows_and_shrinks_to_256_mib(void **state) {
    (void)state;
    size_t size = 1000;
    void *block = malloc(size);
    assert_non_null(block);
    pattern_fill_sparse(block, size, 1);
    uint32_t seed = 1;
    while (size < 256 * MIB) {
        size_t larger = size + size / 2 + 1;
        larger = larger > 256 * MIB ? 256 * MIB : larger;
        block = realloc(block, larger);
        assert_non_null(block);
        assert_true(pattern_holds_sparse(block, size, size, seed));
        size = larger;
        pattern_fill_sparse(block, size, ++seed);
    }
    while (size > 100) {
        size_t smaller = size / 3;
        block = realloc(block, smaller);
        assert_non_null(block);
        assert_true(pattern_holds_sparse(block, size, smaller, seed));
        size = smaller;
        pattern_fill_sparse(block, size, ++seed);
    }
    free(block);
}

/* Several big blocks that grow in turn stand in each other's way and have to move. */
static void big_blocks_grow_side_by_side(void **state) {
    (void)state;
    enum { BLOCKS = 6 };
    void *blocks[BLOCKS] = {NULL};
    size_t sizes[BLOCKS] = {0};
    for (uint32_t step = 1; step <= 24; step++) {
        for (uint32_t i = 0; i < BLOCKS; i++) {
            size_t size = step * (300 * KIB + i * 70001);
            blocks[i] = realloc(blocks[i], size);
            assert_non_null(blocks[i]);
            assert_true(pattern_holds_sparse(blocks[i], sizes[i], sizes[i], i));
            sizes[i] = size;
            pattern_fill_sparse(blocks[i], size, i);
        }
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        assert_true(pattern_holds_sparse(blocks[i], sizes[i], sizes[i], i));
        free(blocks[i]);
    }
}

/* A block that shrank gives its tail back: 100 blocks of 8 MiB cut to 1000 B hold no 800 MB. */
static void shrinking_gives_memory_back(void **state) {
    (void)state;
    enum { BLOCKS = 100 };
    void *blocks[BLOCKS];
    size_t before = process_rss_bytes();
    for (uint32_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(8 * MIB);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)i, 8 * MIB);
        blocks[i] = realloc(blocks[i], 1000);
        assert_non_null(blocks[i]);
        assert_true(((unsigned char *)blocks[i])[999] == i);
    }
    malloc_trim(0);
    assert_true(process_rss_bytes() < before + 100 * MIB);
    for (int i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
}

static void failure_leaves_the_block(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        void *block = malloc(size);
        assert_non_null(block);
        pattern_fill_sparse(block, size, 9);
        assert_true(process_limit_growth(32 * MIB));
        errno = 0;
        void *moved = realloc(opaque(block), opaque_size(8 * GIB));
        int error = errno;
        assert_true(process_unlimit());
        assert_null(moved);
        assert_int_equal(error, ENOMEM);
        assert_true(pattern_holds_sparse(block, size, size, 9));
        assert_true(malloc_usable_size(block) >= size);
        free(block);
    }
}

static void reallocarray_multiplies(void **state) {
    (void)state;
    uint32_t *numbers = NULL;
    for (size_t count = 1; count <= 200000; count += count / 3 + 1) {
        numbers = reallocarray(numbers, count, sizeof numbers[0]);
        assert_non_null(numbers);
        assert_true(malloc_usable_size(numbers) >= count * sizeof numbers[0]);
        numbers[count - 1] = (uint32_t)count;
        assert_int_equal(numbers[0], 1);
    }
    free(numbers);
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_allocates),
        cmocka_unit_test(zero_frees_and_returns_null),
        cmocka_unit_test(zero_really_frees),
        cmocka_unit_test(contents_survive_all_tier_pairs),
        cmocka_unit_test(contents_survive_small_steps),
        cmocka_unit_test(grows_byte_by_byte),
        cmocka_unit_test(grows_and_shrinks_to_256_mib),
        cmocka_unit_test(big_blocks_grow_side_by_side),
        cmocka_unit_test(shrinking_gives_memory_back),
        cmocka_unit_test(failure_leaves_the_block),
        cmocka_unit_test(reallocarray_multiplies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
