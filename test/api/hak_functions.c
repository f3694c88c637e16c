/* hak_functions.c                                                                                      hakmem-only
 * Purpose.     The functions that hakmem.h adds to the C library's: what they promise there, one test each.
 * Design.      Found by name in the preloaded library. They are the same allocator as malloc: blocks of either can be
 *              given to the other.
 * Not here.    HAK_CALLSITE in C++ (callsite.cpp); misuse (test/death).
 */
#include "../support/contract.h"
#include "../support/hak_functions.h"

#include <malloc.h>
#include <sys/mman.h>

static struct hak_functions hak;
static int static_data[1000];

static void version_is_that_of_the_header(void **state) {
    (void)state;
    char expected[64];
    snprintf(expected, sizeof expected, "%d.%d.%d", HAK_VERSION_MAJOR, HAK_VERSION_MINOR, HAK_VERSION_PATCH);
    assert_string_equal(hak.hak_version(), expected);
}

static void good_size_is_what_a_block_has(void **state) {
    (void)state;
    for (size_t size = 0; size <= 64 * KIB; size++) {
        void *block = hak.hak_malloc(opaque_size(size));
        assert_non_null(block);
        assert_true(hak.hak_usable_size(block) == hak.hak_good_size(size));
        hak.hak_free(block);
    }
    for (size_t power = 64 * KIB; power <= 256 * MIB; power *= 2) {
        for (size_t size = power - 20; size <= power + 20; size++) {
            void *block = hak.hak_malloc(size);
            assert_non_null(block);
            assert_true(hak.hak_usable_size(block) == hak.hak_good_size(size));
            assert_true(malloc_usable_size(block) == hak.hak_good_size(size));
            hak.hak_free(block);
        }
    }
}

static void good_size_is_a_fixed_point(void **state) {
    (void)state;
    size_t last = 0;
    for (size_t size = 0; size <= 16 * MIB; size += size / 500 + 1) {
        size_t good = hak.hak_good_size(size);
        assert_true(good >= size && good > 0 && good >= last);
        assert_true(hak.hak_good_size(good) == good);
        last = good;
    }
}

static void good_size_of_the_impossible_is_itself(void **state) {
    (void)state;
    assert_true(hak.hak_good_size((size_t)PTRDIFF_MAX + 1) == (size_t)PTRDIFF_MAX + 1);
    assert_true(hak.hak_good_size(SIZE_MAX) == SIZE_MAX);
    assert_true(hak.hak_good_size(SIZE_MAX - 4096) == SIZE_MAX - 4096);
}

static void usable_size_of_no_block_is_zero(void **state) {
    (void)state;
    int local = 0;
    assert_int_equal(hak.hak_usable_size(NULL), 0);
    assert_int_equal(hak.hak_usable_size(&local), 0);
    assert_int_equal(hak.hak_usable_size(static_data), 0);
    assert_int_equal(hak.hak_usable_size((void *)8), 0);
    assert_int_equal(hak.hak_usable_size((void *)0xdeadbeefdeadbeef), 0);
    assert_int_equal(malloc_usable_size(opaque(&local)), 0);
    assert_int_equal(malloc_usable_size(opaque(static_data)), 0);
    assert_int_equal(malloc_usable_size(opaque((void *)8)), 0);
    assert_int_equal(malloc_usable_size(opaque((void *)0xdeadbeefdeadbeef)), 0);
}

static void owns_every_byte_of_a_block(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        char *block = malloc(size);
        assert_non_null(block);
        assert_true(hak.hak_owns(block));
        assert_true(hak.hak_owns(block + size / 2));
        assert_true(hak.hak_owns(block + size - 1));
        for (size_t at = 0; at < size; at += 32 * KIB) {
            assert_true(hak.hak_owns(block + at));
        }
        free(block);
    }
}

static void owns_nothing_else(void **state) {
    (void)state;
    int local = 0;
    void *mapped = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(mapped != MAP_FAILED);
    const void *foreign[] = {
        NULL,
        &local,
        static_data,
        &static_data[999],
        "a literal",
        &errno,
        mapped,
        (char *)mapped + 4 * MIB,
        &hak,
        dlsym(RTLD_DEFAULT, "malloc"),
        dlsym(RTLD_DEFAULT, "hak_view"),
        (void *)1,
        (void *)16,
        (void *)4096,
        (void *)0x10000,
        (void *)0x00007ffffffff000,
        (void *)0x0000800000000000,
        (void *)0xdeadbeefdeadbeef,
        (void *)0xffff800000000000,
        (void *)UINTPTR_MAX,
        (void *)(UINTPTR_MAX / 2),
    };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_false(hak.hak_owns(foreign[i]));
    }
    for (int shift = 47; shift < 64; shift++) {
        assert_false(hak.hak_owns((void *)(((uintptr_t)1 << shift) + 12345)));
    }
    assert_int_equal(munmap(mapped, 8 * MIB), 0);
}

static void both_families_are_one_allocator(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        free(opaque(hak.hak_malloc(size)));
        hak.hak_free(opaque(malloc(size)));
        void *block = hak.hak_realloc(malloc(size), size + 100);
        assert_non_null(block);
        block = realloc(block, size);
        assert_non_null(block);
        block = hak.hak_reallocarray(block, size, 2);
        assert_non_null(block);
        hak.hak_free_sized(block, size * 2);
        block = hak.hak_aligned_alloc(256, size);
        assert_true(block != NULL && is_aligned(block, 256));
        hak.hak_free_aligned_sized(block, 256, size);
        unsigned char *zero = hak.hak_calloc(size, 1);
        assert_non_null(zero);
        assert_true(pattern_is_zero(zero, size));
        free(zero);
    }
}

static void errors_are_those_of_libc(void **state) {
    (void)state;
    errno = 0;
    assert_null(opaque(hak.hak_malloc(opaque_size(SIZE_MAX))));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(opaque(hak.hak_calloc(opaque_size(SIZE_MAX / 2), 3)));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(opaque(hak.hak_aligned_alloc(opaque_size(24), 100)));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(opaque(hak.hak_alloc_at(opaque_size(SIZE_MAX), HAK_CALLSITE())));
    assert_int_equal(errno, ENOMEM);
    void *block = hak.hak_malloc(10);
    errno = 1234;
    assert_null(hak.hak_realloc(block, opaque_size(0)));
    hak.hak_free(NULL);
    hak.hak_free_sized(NULL, 10);
    hak.hak_free_aligned_sized(NULL, 64, 10);
    hak.hak_free_at(NULL, NULL);
    assert_int_equal(errno, 1234);
}

static void callsites_name_their_line(void **state) {
    (void)state;
    hak_callsite_t first = HAK_CALLSITE(), second = HAK_CALLSITE();
    unsigned line = __LINE__ - 1;
    assert_ptr_not_equal(first, second);
    assert_int_equal(first->line, line);
    assert_int_equal(second->line, line);
    assert_string_equal(first->function, "callsites_name_their_line");
    assert_string_equal(first->file, __FILE__);
    hak_callsite_t last = NULL;
    for (int i = 0; i < 3; i++) {
        hak_callsite_t again = HAK_CALLSITE();
        assert_true(last == NULL || again == last);
        last = again;
    }
}

static void blocks_with_callsites_are_blocks(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        void *block = hak.hak_alloc_at(size, HAK_CALLSITE());
        assert_non_null(block);
        assert_true(is_aligned(block, 16));
        assert_true(hak.hak_usable_size(block) == hak.hak_good_size(size));
        memset(block, 1, size);
        hak.hak_free_at(block, HAK_CALLSITE());
        block = hak.hak_alloc_at(size, NULL);
        assert_non_null(block);
        free(block);
        hak.hak_free_at(opaque(malloc(size)), NULL);
    }
    void *first = hak.hak_alloc_at(opaque_size(0), HAK_CALLSITE());
    void *second = hak.hak_alloc_at(opaque_size(0), HAK_CALLSITE());
    assert_true(first != NULL && second != NULL && first != second);
    hak.hak_free_at(first, NULL);
    hak.hak_free_at(second, NULL);
}

static void trim_gives_memory_back(void **state) {
    (void)state;
    enum { BLOCKS = 64000 };
    static void *blocks[BLOCKS];
    hak.hak_trim();
    size_t before = process_rss_bytes();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(1000);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 1000);
    }
    size_t full = process_rss_bytes();
    assert_true(full >= before + 60 * MIB);
    for (int i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    errno = 1234;
    assert_true(hak.hak_trim());
    assert_int_equal(errno, 1234);
    assert_true(process_rss_bytes() < before + 6 * MIB);
}

int main(void) {
    provider_require();
    if (!hak_functions_find(&hak, RTLD_DEFAULT)) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_that_of_the_header),
        cmocka_unit_test(good_size_is_what_a_block_has),
        cmocka_unit_test(good_size_is_a_fixed_point),
        cmocka_unit_test(good_size_of_the_impossible_is_itself),
        cmocka_unit_test(usable_size_of_no_block_is_zero),
        cmocka_unit_test(owns_every_byte_of_a_block),
        cmocka_unit_test(owns_nothing_else),
        cmocka_unit_test(both_families_are_one_allocator),
        cmocka_unit_test(errors_are_those_of_libc),
        cmocka_unit_test(callsites_name_their_line),
        cmocka_unit_test(blocks_with_callsites_are_blocks),
        cmocka_unit_test(trim_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
