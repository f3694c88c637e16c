/* errno_kept.c
 * Purpose.     free never changes errno, whatever the tier, the thread, or the mood of the kernel; successful calls
 *              have no need to; failing ones set ENOMEM.
 * Design.      The kernel's failures come from RLIMIT_AS set to what the process has. The free of a block that
 *              another thread allocated takes another way inside, so each tier is also freed by a thread that does
 *              nothing else.
 * Not here.    Failure of munmap, madvise and mprotect (hazard/os_faults.c, hazard/map_limit.c).
 */
#include "../support/contract.h"

#include <malloc.h>
#include <pthread.h>

enum { MARK = 4711, PER_TIER = 50 };

/* Frees with errno set to a mark; false if the mark did not survive. */
static bool free_keeps_errno(void *block) {
    errno = MARK;
    free(block);
    return errno == MARK;
}

static void free_keeps_errno_in_every_tier(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        void *blocks[PER_TIER];
        int count = TIER_SIZES[tier] > MIB ? 4 : PER_TIER;
        for (int i = 0; i < count; i++) {
            blocks[i] = malloc(TIER_SIZES[tier]);
            assert_non_null(blocks[i]);
            memset(blocks[i], 1, TIER_SIZES[tier]);
        }
        for (int i = 0; i < count; i++) {
            assert_true(free_keeps_errno(blocks[i]));
        }
    }
}

static void realloc_to_zero_keeps_errno(void **state) {
    (void)state;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        void *block = malloc(TIER_SIZES[tier]);
        assert_non_null(block);
        errno = MARK;
        assert_null(realloc(block, opaque_size(0)));
        assert_int_equal(errno, MARK);
    }
}

static void cfree_keeps_errno(void **state) {
    (void)state;
    void (*cfree_function)(void *) = NULL;
    *(void **)&cfree_function = dlsym(RTLD_DEFAULT, "cfree");
    if (cfree_function == NULL) {
        assert_false(provider_is_hakmem());
        skip();
    }
    void *block = malloc(100);
    assert_non_null(block);
    errno = MARK;
    cfree_function(block);
    assert_int_equal(errno, MARK);
}

/* Blocks of the main thread for another thread to free. */
struct batch {
    void *blocks[TIER_COUNT][PER_TIER];
    bool errno_lost;
};

static void *free_batch(void *argument) {
    struct batch *batch = argument;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        for (int i = 0; i < PER_TIER; i++) {
            batch->errno_lost |= !free_keeps_errno(batch->blocks[tier][i]);
        }
    }
    return NULL;
}

static void free_keeps_errno_in_another_thread(void **state) {
    (void)state;
    static struct batch batch;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        int count = TIER_SIZES[tier] > MIB ? 2 : PER_TIER;
        for (int i = 0; i < count; i++) {
            batch.blocks[tier][i] = malloc(TIER_SIZES[tier]);
            assert_non_null(batch.blocks[tier][i]);
        }
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, free_batch, &batch), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(batch.errno_lost);
}

static void free_keeps_errno_when_the_kernel_refuses(void **state) {
    (void)state;
    static void *blocks[TIER_COUNT][PER_TIER];
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        int count = TIER_SIZES[tier] > MIB ? 2 : PER_TIER;
        for (int i = 0; i < count; i++) {
            blocks[tier][i] = malloc(TIER_SIZES[tier]);
            assert_non_null(blocks[tier][i]);
        }
    }
    assert_true(process_limit_growth(0));
    bool kept = true;
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        for (int i = 0; i < PER_TIER; i++) {
            kept &= free_keeps_errno(blocks[tier][i]);
        }
    }
    assert_true(process_unlimit());
    assert_true(kept);
}

/* With nothing to be had every entry point says so in the same way, until there is memory again. */
static void exhaustion_is_enomem(void **state) {
    (void)state;
    size_t size = 16 * GIB;
    int codes[7] = {0};
    void *results[7] = {NULL};
    void *untouched = &untouched;
    assert_true(process_limit_growth(64 * MIB));
#define TRY(index, call)                                                                                               \
    errno = 0;                                                                                                         \
    results[index] = opaque(call);                                                                                     \
    codes[index] = errno
    TRY(0, malloc(opaque_size(size)));
    TRY(1, calloc(1, opaque_size(size)));
    TRY(2, realloc(NULL, opaque_size(size)));
    TRY(3, memalign(4096, opaque_size(size)));
    TRY(4, aligned_alloc(64, opaque_size(size)));
    TRY(5, valloc(opaque_size(size)));
    TRY(6, pvalloc(opaque_size(size)));
#undef TRY
    errno = MARK;
    int posix_code = posix_memalign(&untouched, 64, opaque_size(size));
    int posix_errno = errno;
    assert_true(process_unlimit());
    for (int i = 0; i < 7; i++) {
        assert_null(results[i]);
        assert_int_equal(codes[i], ENOMEM);
    }
    assert_int_equal(posix_code, ENOMEM);
    assert_ptr_equal(untouched, &untouched);
    if (provider_is_hakmem()) {
        assert_int_equal(posix_errno, MARK); /* glibc's own code sets errno on the way; POSIX leaves it open */
    }
}

static void success_leaves_errno_alone(void **state) {
    (void)state;
    if (!provider_is_hakmem()) {
        skip(); /* C lets a successful call change errno, and glibc's arena code does */
    }
    for (size_t tier = 0; tier < TIER_COUNT; tier++) {
        errno = MARK;
        void *block = malloc(TIER_SIZES[tier]);
        assert_int_equal(errno, MARK);
        block = realloc(opaque(block), TIER_SIZES[tier] * 2);
        assert_int_equal(errno, MARK);
        assert_true(malloc_usable_size(block) > 0);
        assert_int_equal(errno, MARK);
        free(block);
        assert_int_equal(errno, MARK);
    }
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_keeps_errno_in_every_tier),
        cmocka_unit_test(realloc_to_zero_keeps_errno),
        cmocka_unit_test(cfree_keeps_errno),
        cmocka_unit_test(free_keeps_errno_in_another_thread),
        cmocka_unit_test(free_keeps_errno_when_the_kernel_refuses),
        cmocka_unit_test(exhaustion_is_enomem),
        cmocka_unit_test(success_leaves_errno_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
