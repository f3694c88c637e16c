/* sized_free.c                                                                                         hakmem-only
 * Purpose.     free_sized and free_aligned_sized of C23, used correctly: every size, every tier, after every way to
 *              get a block, from any thread.
 * Design.      A wrong report would end the process; that blocks are freed shows in resident memory.
 * Not here.    Wrong sizes (test/death/free_sized_*.c).
 */
#include "../support/contract.h"

#include <malloc.h>
#include <pthread.h>

static void (*free_sized_function)(void *, size_t);
static void (*free_aligned_sized_function)(void *, size_t, size_t);

static void every_size_is_accepted(void **state) {
    (void)state;
    for (size_t size = 0; size <= 64 * KIB; size++) {
        void *block = malloc(opaque_size(size));
        assert_non_null(block);
        free_sized_function(block, size);
    }
    for (size_t size = 64 * KIB; size <= 128 * MIB; size += size / 11 + 1) {
        void *block = malloc(size);
        assert_non_null(block);
        free_sized_function(block, size);
    }
}

static void every_origin_is_accepted(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        size_t size = TIER_SIZES[tier];
        free_sized_function(opaque(calloc(size, 1)), size);
        free_sized_function(opaque(realloc(NULL, size)), size);
        void *block = realloc(malloc(size), size * 3);
        assert_non_null(block);
        free_sized_function(block, size * 3);
        block = realloc(malloc(size), size / 2 + 1);
        assert_non_null(block);
        free_sized_function(block, size / 2 + 1);
    }
}

/* Also where realloc has left room, or left the block alone. */
static void every_way_of_growing_is_accepted(void **state) {
    (void)state;
    static const size_t pieces[] = {1, 5, 12, 29, 100, 1000};
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        for (size_t end = 1; end <= 80 * KIB; end += end / 3 + 7) {
            char *block = NULL;
            size_t size = 0;
            while (size < end) {
                size += pieces[p] < end - size ? pieces[p] : end - size;
                block = realloc(block, size);
                assert_non_null(block);
                assert_true(malloc_usable_size(block) >= size);
            }
            free_sized_function(block, size);
        }
    }
    for (size_t size = 1; size <= 64 * KIB; size += size / 50 + 1) {
        for (size_t less = size; less > 0; less -= less / 5 + 1) {
            void *block = realloc(malloc(opaque_size(size)), less);
            assert_non_null(block);
            free_sized_function(block, less);
        }
    }
}

static void every_alignment_is_accepted(void **state) {
    (void)state;
    for (size_t alignment = 1; alignment <= 16 * MIB; alignment *= 2) {
        for (size_t tier = 0; tier < TIER_COUNT; tier++) {
            void *block = aligned_alloc(alignment, TIER_SIZES[tier]);
            assert_non_null(block);
            free_aligned_sized_function(block, alignment, TIER_SIZES[tier]);
        }
    }
}

static void null_is_ignored(void **state) {
    (void)state;
    errno = 1234;
    free_sized_function(NULL, 0);
    free_sized_function(NULL, 100);
    free_aligned_sized_function(NULL, 64, 100);
    assert_int_equal(errno, 1234);
}

static void memory_is_reused(void **state) {
    (void)state;
    size_t before = process_rss_bytes();
    for (int i = 0; i < 200000; i++) {
        void *block = malloc(3000);
        assert_non_null(block);
        memset(block, 1, 3000);
        free_sized_function(block, 3000);
    }
    for (int i = 0; i < 2000; i++) {
        void *block = aligned_alloc(65536, 300000);
        assert_non_null(block);
        memset(block, 1, 300000);
        free_aligned_sized_function(block, 65536, 300000);
    }
    assert_true(process_rss_bytes() < before + 32 * MIB);
}

static void *free_for_another(void *blocks) {
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        free_sized_function(((void **)blocks)[tier], TIER_SIZES[tier]);
    }
    return NULL;
}

static void another_thread_is_accepted(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        void *blocks[TIER_COUNT];
        for (size_t tier = 0; tier < TIER_COUNT; tier++) {
            blocks[tier] = malloc(TIER_SIZES[tier]);
            assert_non_null(blocks[tier]);
        }
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, free_for_another, blocks), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

int main(void) {
    provider_require();
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&free_aligned_sized_function = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    if (free_sized_function == NULL || free_aligned_sized_function == NULL) {
        dprintf(STDERR_FILENO, "free_sized or free_aligned_sized is not exported\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_accepted),
        cmocka_unit_test(every_origin_is_accepted),
        cmocka_unit_test(every_way_of_growing_is_accepted),
        cmocka_unit_test(every_alignment_is_accepted),
        cmocka_unit_test(null_is_ignored),
        cmocka_unit_test(memory_is_reused),
        cmocka_unit_test(another_thread_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
