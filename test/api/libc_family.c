/* libc_family.c
 * Purpose.     The names under which old programs bind libc's allocator directly, and cfree: blocks of theirs and of
 *              malloc are the same.
 * Design.      Declared here, since no header does; linked against libc's symbols as such programs are.
 */
#include "../support/contract.h"

#include <malloc.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void *__libc_valloc(size_t size);
extern void *__libc_pvalloc(size_t size);

/* Writes the whole of a block of at least `size` bytes. */
static void *used(void *block, size_t size) {
    assert_non_null(block);
    assert_true(malloc_usable_size(block) >= size);
    memset(block, 0x3c, size);
    return opaque(block);
}

static void blocks_cross_both_ways(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        free(used(__libc_malloc(size), size));
        __libc_free(used(malloc(size), size));
        free(used(__libc_memalign(128, size), size));
        free(used(__libc_valloc(size), size));
        __libc_free(used(__libc_pvalloc(size), size));
        void *block = used(__libc_malloc(size), size);
        block = used(realloc(block, size * 2), size * 2);
        block = used(__libc_realloc(block, size + 1), size + 1);
        free(block);
        block = __libc_calloc(size, 1);
        assert_non_null(block);
        assert_true(pattern_is_zero(block, size));
        free(block);
    }
}

static void errors_are_the_same(void **state) {
    (void)state;
    errno = 0;
    assert_null(opaque(__libc_malloc(opaque_size(SIZE_MAX))));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(opaque(__libc_calloc(opaque_size(SIZE_MAX), 2)));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(opaque(__libc_pvalloc(opaque_size(SIZE_MAX - 100))));
    assert_int_equal(errno, ENOMEM);
    __libc_free(NULL);
    void *block = __libc_malloc(100);
    assert_non_null(block);
    assert_null(__libc_realloc(block, opaque_size(0)));
}

static void cfree_is_free(void **state) {
    (void)state;
    void (*cfree_function)(void *) = NULL;
    *(void **)&cfree_function = dlsym(RTLD_DEFAULT, "cfree");
    if (cfree_function == NULL) {
        assert_false(provider_is_hakmem()); /* glibc keeps it for old binaries only */
        skip();
    }
    size_t before = process_rss_bytes();
    for (int i = 0; i < 50000; i++) {
        cfree_function(used(malloc(4000), 4000));
    }
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        cfree_function(used(calloc(1, TIER_SIZES[tier]), TIER_SIZES[tier]));
    }
    cfree_function(NULL);
    assert_true(process_rss_bytes() < before + 150 * MIB);
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_cross_both_ways),
        cmocka_unit_test(errors_are_the_same),
        cmocka_unit_test(cfree_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
