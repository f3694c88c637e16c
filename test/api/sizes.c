/* sizes.c
 * Purpose.     What malloc and every other entry point promise about sizes: zero, impossible, and the alignment of
 *              what comes back.
 * Design.      Impossible sizes go through opaque_size, since compilers warn of them or compute the answer.
 * Not here.    Alignments asked for (aligned.c), contents (calloc.c, realloc.c).
 */
#include "../support/contract.h"

#include <malloc.h>

/* Nobody can serve these: above PTRDIFF_MAX, or so near that it exceeds any address space. */
static const size_t IMPOSSIBLE[] = {
    SIZE_MAX,
    SIZE_MAX - 1,
    SIZE_MAX - 15,
    SIZE_MAX - 16,
    SIZE_MAX - 4095,
    SIZE_MAX - 4096,
    SIZE_MAX - 65535,
    SIZE_MAX - 65536,
    SIZE_MAX - (4u << 20),
    SIZE_MAX / 2 + (4u << 20),
    (size_t)PTRDIFF_MAX + 65537,
    (size_t)PTRDIFF_MAX + 4097,
    (size_t)PTRDIFF_MAX + 2,
    (size_t)PTRDIFF_MAX + 1,
    (size_t)PTRDIFF_MAX,
    (size_t)PTRDIFF_MAX - 1,
    (size_t)PTRDIFF_MAX - 15,
    (size_t)PTRDIFF_MAX - 4096,
    (size_t)PTRDIFF_MAX - 65536,
    (size_t)PTRDIFF_MAX - (4u << 20),
};

#define IMPOSSIBLE_COUNT (sizeof IMPOSSIBLE / sizeof IMPOSSIBLE[0])

/* NULL with ENOMEM, and nothing else counts as refused. Clears errno for the next question. */
static bool refused(void *block) {
    bool answer = opaque(block) == NULL && errno == ENOMEM;
    errno = 0;
    return answer;
}

static void malloc_zero_is_unique(void **state) {
    (void)state;
    enum { BLOCKS = 1000 };
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(opaque_size(0));
        assert_non_null(blocks[i]);
        assert_true(is_aligned(blocks[i], 16));
        for (int j = i - 1; j >= 0 && j > i - 50; j--) {
            assert_ptr_not_equal(blocks[i], blocks[j]);
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
}

static void zero_is_unique_for_all(void **state) {
    (void)state;
    void *blocks[6];
    blocks[0] = calloc(opaque_size(0), 8);
    blocks[1] = calloc(8, opaque_size(0));
    blocks[2] = realloc(NULL, opaque_size(0));
    blocks[3] = aligned_alloc(64, opaque_size(0));
    blocks[4] = memalign(64, opaque_size(0));
    assert_int_equal(posix_memalign(&blocks[5], 64, opaque_size(0)), 0);
    for (int i = 0; i < 6; i++) {
        assert_non_null(opaque(blocks[i]));
        for (int j = 0; j < i; j++) {
            assert_ptr_not_equal(blocks[i], blocks[j]);
        }
    }
    for (int i = 0; i < 6; i++) {
        free(blocks[i]);
    }
}

static void impossible_sizes_are_refused(void **state) {
    (void)state;
    errno = 0;
    for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
        size_t size = opaque_size(IMPOSSIBLE[i]);
        assert_true(refused(malloc(size)));
        assert_true(refused(calloc(1, size)));
        assert_true(refused(calloc(size, 1)));
        assert_true(refused(realloc(NULL, size)));
        assert_true(refused(reallocarray(NULL, 1, size)));
        assert_true(refused(reallocarray(NULL, size, 1)));
        assert_true(refused(valloc(size)));
    }
}

static void impossible_aligned_sizes_are_refused(void **state) {
    (void)state;
    errno = 0;
    for (size_t alignment = 8; alignment <= MIB; alignment *= 2) {
        for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
            size_t size = opaque_size(IMPOSSIBLE[i]);
            void *untouched = &untouched;
            assert_true(refused(aligned_alloc(alignment, size)));
            assert_true(refused(memalign(alignment, size)));
            assert_int_equal(posix_memalign(&untouched, alignment, size), ENOMEM);
            assert_ptr_equal(untouched, &untouched);
        }
    }
}

static void pvalloc_does_not_wrap(void **state) {
    (void)state;
    errno = 0;
    for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
        assert_true(refused(pvalloc(opaque_size(IMPOSSIBLE[i]))));
    }
    for (size_t below = 1; below <= 4096; below++) {
        assert_true(refused(pvalloc(opaque_size(SIZE_MAX - below + 1))));
    }
}

static void impossible_realloc_leaves_the_block(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        void *block = malloc(size);
        assert_non_null(block);
        pattern_fill_sparse(block, size, (uint32_t)tier);
        errno = 0;
        for (size_t i = 0; i < IMPOSSIBLE_COUNT; i++) {
            size_t wanted = opaque_size(IMPOSSIBLE[i]);
            assert_true(refused(realloc(opaque(block), wanted)));
            assert_true(refused(reallocarray(opaque(block), 1, wanted)));
            assert_true(refused(reallocarray(opaque(block), wanted, 1)));
            assert_true(refused(reallocarray(opaque(block), wanted, 3)));
        }
        assert_true(pattern_holds_sparse(block, size, size, (uint32_t)tier));
        free(block);
    }
}

static void products_do_not_wrap(void **state) {
    (void)state;
    static const size_t PAIRS[][2] = {
        {SIZE_MAX, 2},
        {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2},
        {(size_t)1 << 32, (size_t)1 << 32},
        {((size_t)1 << 32) + 1, (size_t)1 << 32},
        {((size_t)1 << 33) - 1, ((size_t)1 << 31) + 1},
        {(size_t)1 << 63, 2},
        {SIZE_MAX / 16 + 2, 16},
        {SIZE_MAX / 3 + 1, 3},
    };
    void *block = malloc(100);
    assert_non_null(block);
    pattern_fill(block, 100, 7);
    errno = 0;
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        size_t count = opaque_size(PAIRS[i][0]);
        size_t size = opaque_size(PAIRS[i][1]);
        assert_true(refused(calloc(count, size)));
        assert_true(refused(calloc(size, count)));
        assert_true(refused(reallocarray(NULL, count, size)));
        assert_true(refused(reallocarray(opaque(block), count, size)));
        assert_true(refused(reallocarray(opaque(block), size, count)));
    }
    assert_true(pattern_holds(block, 100, 7));
    free(block);
}

static void terabytes_are_refused_or_served(void **state) {
    (void)state;
    size_t before = process_rss_bytes();
    for (int shift = 36; shift < 63; shift++) {
        errno = 0;
        void *block = malloc(opaque_size((size_t)1 << shift));
        if (block == NULL) {
            assert_int_equal(errno, ENOMEM);
            continue;
        }
        unsigned char *bytes = block;
        bytes[0] = 1;
        bytes[((size_t)1 << shift) - 1] = 1;
        free(block);
    }
    assert_true(process_rss_bytes() < before + 16 * MIB);
}

static void every_block_is_16_aligned(void **state) {
    (void)state;
    for (size_t size = 1; size <= 64 * KIB; size++) {
        void *first = malloc(size);
        void *second = malloc(size);
        assert_true(first != NULL && second != NULL);
        assert_true(is_aligned(first, 16) && is_aligned(second, 16));
        free(first);
        free(second);
    }
    for (size_t size = 64 * KIB; size <= 16 * MIB; size += size / 7 + 1) {
        void *block = malloc(size);
        assert_non_null(block);
        assert_true(is_aligned(block, 16));
        free(block);
    }
}

static void many_small_blocks_are_aligned_and_apart(void **state) {
    (void)state;
    enum { BLOCKS = 2000 };
    static unsigned char *blocks[BLOCKS];
    for (size_t size = 1; size <= 256; size += 5) {
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = malloc(size);
            assert_true(blocks[i] != NULL && is_aligned(blocks[i], 16));
            memset(blocks[i], (int)(i & 255), size);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            assert_true(blocks[i][0] == (i & 255) && blocks[i][size - 1] == (i & 255));
            free(blocks[i]);
        }
    }
}

static void free_of_null_does_nothing(void **state) {
    (void)state;
    errno = 1234;
    for (int i = 0; i < 100; i++) {
        free(opaque(NULL));
    }
    assert_int_equal(errno, 1234);
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malloc_zero_is_unique),        cmocka_unit_test(zero_is_unique_for_all),
        cmocka_unit_test(impossible_sizes_are_refused), cmocka_unit_test(impossible_aligned_sizes_are_refused),
        cmocka_unit_test(pvalloc_does_not_wrap),        cmocka_unit_test(impossible_realloc_leaves_the_block),
        cmocka_unit_test(products_do_not_wrap),         cmocka_unit_test(terabytes_are_refused_or_served),
        cmocka_unit_test(every_block_is_16_aligned),    cmocka_unit_test(many_small_blocks_are_aligned_and_apart),
        cmocka_unit_test(free_of_null_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
