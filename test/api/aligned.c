/* aligned.c
 * Purpose.     posix_memalign, aligned_alloc, memalign, valloc, pvalloc: the alignment, the error for a bad one, and
 *              that blocks of theirs are blocks like any other.
 * Design.      Alignments from 1 byte to 1 GiB; only the ends of big blocks are touched.
 * Not here.    Impossible sizes (sizes.c).
 */
#include "../support/contract.h"

#include <malloc.h>

static const size_t SIZES[] = {0, 1, 15, 16, 100, 1000, 1024, 4000, 4097, 30000, 65536, 100001, 1 * MIB, 5 * MIB};

#define SIZE_COUNT (sizeof SIZES / sizeof SIZES[0])

/* Writes both ends, checks alignment and usable size, and frees. */
static void use_and_free(void *block, size_t alignment, size_t size) {
    unsigned char *bytes = opaque(block);
    assert_non_null(bytes);
    assert_true(is_aligned(bytes, alignment));
    size_t usable = malloc_usable_size(bytes);
    assert_true(usable >= size);
    if (usable > 0) {
        bytes[0] = 1;
        bytes[usable - 1] = 2;
    }
    free(bytes);
}

static void aligned_alloc_serves_powers_of_two(void **state) {
    (void)state;
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            use_and_free(aligned_alloc(alignment, SIZES[s]), alignment, SIZES[s]);
        }
    }
}

static void memalign_serves_powers_of_two(void **state) {
    (void)state;
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            use_and_free(memalign(alignment, SIZES[s]), alignment, SIZES[s]);
        }
    }
}

static void posix_memalign_serves_powers_of_two(void **state) {
    (void)state;
    for (size_t alignment = sizeof(void *); alignment <= GIB; alignment *= 2) {
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            void *block = NULL;
            errno = 1234;
            assert_int_equal(posix_memalign(&block, alignment, SIZES[s]), 0);
            use_and_free(block, alignment, SIZES[s]);
        }
    }
}

static void posix_memalign_refuses_bad_alignment(void **state) {
    (void)state;
    static const size_t BAD[] = {0, 1, 2, 3, 4, 5, 7, 9, 12, 24, 40, 48, 100, 1000, 4095, 4097, 65537, SIZE_MAX};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            void *untouched = &untouched;
            errno = 1234;
            assert_int_equal(posix_memalign(&untouched, opaque_size(BAD[i]), SIZES[s]), EINVAL);
            assert_ptr_equal(untouched, &untouched);
            assert_int_equal(errno, 1234);
        }
    }
}

static void aligned_alloc_refuses_bad_alignment(void **state) {
    (void)state;
    if (!provider_is_hakmem()) {
        skip(); /* glibc before 2.38 rounds the alignment up, as memalign does */
    }
    static const size_t BAD[] = {0, 3, 5, 6, 7, 9, 12, 24, 48, 100, 1000, 4095, 4097, SIZE_MAX, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        errno = 0;
        assert_null(aligned_alloc(opaque_size(BAD[i]), opaque_size(96)));
        assert_int_equal(errno, EINVAL);
    }
}

static void memalign_rounds_bad_alignment_up(void **state) {
    (void)state;
    static const size_t BAD[][2] = {{0, 16},      {3, 16},         {5, 16},           {7, 16},      {24, 32},
                                    {33, 64},     {48, 64},        {100, 128},        {1000, 1024}, {3000, 4096},
                                    {4097, 8192}, {65537, 131072}, {1000000, 1048576}};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            use_and_free(memalign(opaque_size(BAD[i][0]), SIZES[s]), BAD[i][1], SIZES[s]);
        }
    }
}

static void impossible_alignment_is_refused(void **state) {
    (void)state;
    for (size_t alignment = (size_t)1 << 48; alignment != 0; alignment *= 2) {
        void *untouched = &untouched;
        errno = 0;
        assert_null(opaque(memalign(opaque_size(alignment), 100)));
        assert_true(errno == ENOMEM || errno == EINVAL);
        errno = 0;
        assert_null(opaque(aligned_alloc(opaque_size(alignment), 100)));
        assert_true(errno == ENOMEM || errno == EINVAL);
        assert_int_equal(posix_memalign(&untouched, opaque_size(alignment), 100), ENOMEM);
        assert_ptr_equal(untouched, &untouched);
    }
    errno = 0;
    assert_null(opaque(memalign(opaque_size(SIZE_MAX), 100))); /* no power of two above it */
    assert_int_equal(errno, EINVAL);
}

static void valloc_and_pvalloc_align_to_pages(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t s = 0; s < SIZE_COUNT; s++) {
        use_and_free(valloc(SIZES[s]), page, SIZES[s]);
        size_t whole_pages = (SIZES[s] + page - 1) / page * page;
        use_and_free(pvalloc(SIZES[s]), page, whole_pages);
    }
}

static void many_aligned_blocks_live_together(void **state) {
    (void)state;
    enum { BLOCKS = 600 };
    unsigned char *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        size_t alignment = (size_t)16 << (i % 13);
        sizes[i] = (size_t)(i * 37 % 5000 + 1);
        blocks[i] = memalign(alignment, sizes[i]);
        assert_non_null(blocks[i]);
        assert_true(is_aligned(blocks[i], alignment));
        pattern_fill(blocks[i], sizes[i], (uint32_t)i);
    }
    for (int i = 0; i < BLOCKS; i++) {
        assert_true(pattern_holds(blocks[i], sizes[i], (uint32_t)i));
        free(blocks[i]);
    }
}

static void aligned_blocks_can_be_resized(void **state) {
    (void)state;
    for (size_t alignment = 16; alignment <= 8 * MIB; alignment *= 4) {
        for (size_t s = 1; s < SIZE_COUNT; s++) {
            size_t size = SIZES[s];
            unsigned char *block = aligned_alloc(alignment, size);
            assert_non_null(block);
            pattern_fill_sparse(block, size, 5);
            block = realloc(block, size * 2 + 1);
            assert_non_null(block);
            assert_true(pattern_holds_sparse(block, size, size, 5));
            block = realloc(block, size / 2 + 1);
            assert_non_null(block);
            assert_true(pattern_holds_sparse(block, size, size / 2, 5));
            free(block);
        }
    }
}

/* An aligned block costs no more address space each time it is allocated and freed. */
static void aligned_blocks_are_recycled(void **state) {
    (void)state;
    for (int round = 0; round < 200; round++) {
        for (size_t alignment = 64 * KIB; alignment <= 64 * MIB; alignment *= 8) {
            use_and_free(memalign(alignment, 100000), alignment, 100000);
        }
    }
    size_t before = process_address_space_bytes();
    for (int round = 0; round < 2000; round++) {
        for (size_t alignment = 64 * KIB; alignment <= 64 * MIB; alignment *= 8) {
            use_and_free(memalign(alignment, 100000), alignment, 100000);
        }
    }
    assert_true(process_address_space_bytes() <= before + 256 * MIB);
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_alloc_serves_powers_of_two),  cmocka_unit_test(memalign_serves_powers_of_two),
        cmocka_unit_test(posix_memalign_serves_powers_of_two), cmocka_unit_test(posix_memalign_refuses_bad_alignment),
        cmocka_unit_test(aligned_alloc_refuses_bad_alignment), cmocka_unit_test(memalign_rounds_bad_alignment_up),
        cmocka_unit_test(impossible_alignment_is_refused),     cmocka_unit_test(valloc_and_pvalloc_align_to_pages),
        cmocka_unit_test(many_aligned_blocks_live_together),   cmocka_unit_test(aligned_blocks_can_be_resized),
        cmocka_unit_test(aligned_blocks_are_recycled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
