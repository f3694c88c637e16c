/* api_test.c
 * Purpose.     What the functions of hakmem.h and entry.h promise beyond a block: sizes, ownership, errno, the C
 *              library's statistics, with and without the Tiny tier and with and without the flat page map.
 * Design.      One body, run in the modes; a mode without flat map is a fresh process under a limit of address space.
 */
#include "support/child.h"
#include "support/unit.h"

#include <limits.h>

#include "api/entry.h"
#include "api/request.h"
#include "hakmem.h"
#include "segment/view.h"

static const size_t sizes[] = {0,     1,     15,     16,      17,      1000,    1024,    1025,
                               32768, 32769, 100000, 2097152, 2097153, 9000000, 66000000};

enum { SIZES = sizeof sizes / sizeof *sizes };

static void sizes_agree(void) {
    for (unsigned i = 0; i < SIZES; i++) {
        size_t good = hak_good_size(sizes[i]);
        EXPECT(good >= sizes[i] && hak_good_size(good) == good);
        char *block = hak_malloc(sizes[i]);
        EXPECT(block != NULL && (uintptr_t)block % HAK_ALIGNMENT == 0);
        EXPECT(hak_usable_size(block) == (good == 0 ? HAK_ALIGNMENT : good));
        block[0] = 1;
        block[good - 1] = 1;
        EXPECT(hak_owns(block) && hak_owns(block + good / 2) && hak_owns(block + good - 1));
        EXPECT(hak_realloc(block, good) == block || sizes[i] == 0);
        hak_free_sized(block, good);
    }
    EXPECT(hak_good_size(SIZE_MAX) == SIZE_MAX);
    EXPECT(hak_good_size((size_t)PTRDIFF_MAX + 1) == (size_t)PTRDIFF_MAX + 1);
}

static void strangers_are_not_owned(void) {
    int local = 0;
    static int fixed;
    const void *strangers[] = {NULL, &local, &fixed, (void *)16, (void *)UINTPTR_MAX, (void *)(UINTPTR_MAX - 4095)};
    for (unsigned i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        EXPECT(!hak_owns(strangers[i]));
        EXPECT(hak_usable_size(strangers[i]) == 0);
    }
}

static void failures_set_errno_and_free_keeps_it(void) {
    void *block = hak_malloc(10);
    void *result = block;
    errno = 0;
    EXPECT(hak_malloc((size_t)PTRDIFF_MAX + 1) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(hak_calloc(SIZE_MAX / 4, 5) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(hak_realloc(block, PTRDIFF_MAX) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(hak_realloc(block, SIZE_MAX - 100) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(hak_reallocarray(block, SIZE_MAX / 4, 5) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(hak_aligned_alloc(24, 5) == NULL && errno == EINVAL);
    EXPECT(hak_aligned_alloc(0, 5) == NULL);
    errno = 0;
    EXPECT(hak_aligned_alloc((size_t)1 << 63, 5) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(hak_entry_memalign(SIZE_MAX / 2 + 2, 5) == NULL && errno == EINVAL);
    errno = 0;
    EXPECT(hak_entry_pvalloc(SIZE_MAX) == NULL && errno == ENOMEM);
    errno = 99;
    EXPECT(hak_entry_posix_memalign(&result, 24, 5) == EINVAL && hak_entry_posix_memalign(&result, 4, 5) == EINVAL);
    EXPECT(hak_entry_posix_memalign(&result, 16, SIZE_MAX) == ENOMEM);
    EXPECT(result == block && errno == 99);
    hak_free(block);
    hak_free(NULL);
    EXPECT(errno == 99);
}

static void alignments_are_kept(void) {
    for (size_t alignment = 1; alignment <= (size_t)32 << 20; alignment *= 2) {
        for (unsigned i = 0; i < SIZES; i += 3) {
            char *block = hak_aligned_alloc(alignment, sizes[i]);
            EXPECT(block != NULL && (uintptr_t)block % alignment == 0);
            EXPECT(hak_usable_size(block) >= sizes[i]);
            block[hak_usable_size(block) - 1] = 1;
            hak_free_aligned_sized(block, alignment, sizes[i]);
        }
    }
    void *odd = hak_entry_memalign(48, 100);
    EXPECT((uintptr_t)odd % 64 == 0);
    hak_free(odd);
}

static void calloc_is_zero_after_use(void) {
    unsigned same = 0;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < SIZES - 1; i++) {
            char *block = hak_calloc(1, sizes[i]);
            EXPECT(block != NULL && unit_is_zero(block, sizes[i]));
            memset(block, 0xee, hak_usable_size(block));
            hak_free(block);
        }
    }
    for (size_t size = 1; size <= HAK_TINY_MAX; size++) {
        char *block = hak_malloc(size);
        memset(block, 0xee, hak_usable_size(block));
        hak_free(block);
        char *zeroed = hak_calloc(size, 1);
        EXPECT(unit_is_zero(zeroed, size));
        same += zeroed == block;
        hak_free(zeroed);
    }
    EXPECT(same > HAK_TINY_MAX * 3 / 4); /* some small ones have gone to others */
}

static void realloc_keeps_contents_from_every_size_to_every_size(void) {
    for (unsigned from = 0; from < SIZES; from++) {
        for (unsigned to = 1; to < SIZES; to++) {
            size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            char *block = hak_malloc(sizes[from]);
            EXPECT(block != NULL);
            unit_fill(block, sizes[from], 100000, from);
            block = hak_realloc(block, sizes[to]);
            EXPECT(block != NULL);
            size_t usable = hak_usable_size(block);
            EXPECT(usable == hak_good_size(sizes[to]) || (usable <= HAK_MID_MAX && block_fits(usable, sizes[to])));
            EXPECT(unit_holds(block, sizes[from], kept, 100000, from));
            hak_free_sized(block, sizes[to]);
        }
    }
    EXPECT(hak_realloc(hak_malloc(5), 0) == NULL);
}

/* Differences of mallinfo2 are those of the blocks' sizes. */
static void statistics_follow_the_calls(void) {
    struct mallinfo2 before = hak_entry_mallinfo2();
    size_t small = 0;
    size_t huge = 0;
    void *blocks[SIZES];
    for (unsigned i = 0; i < SIZES; i++) {
        blocks[i] = hak_malloc(sizes[i]);
        size_t usable = hak_usable_size(blocks[i]);
        *(usable > HAK_LARGE_MAX ? &huge : &small) += usable;
    }
    struct mallinfo2 after = hak_entry_mallinfo2();
    EXPECT(after.uordblks - before.uordblks == small);
    EXPECT(after.hblkhd - before.hblkhd == huge);
    EXPECT(after.arena >= after.uordblks + after.keepcost && after.fordblks == after.arena - after.uordblks);
    /* A block that was taken and is not counted yet. */
    hak_view.recordless.large_freed_bytes += (uint64_t)1 << 40;
    struct mallinfo2 in_flight = hak_entry_mallinfo2();
    hak_view.recordless.large_freed_bytes -= (uint64_t)1 << 40;
    EXPECT(in_flight.uordblks <= after.uordblks);
    struct mallinfo narrow = hak_entry_mallinfo();
    EXPECT((size_t)narrow.uordblks == (after.uordblks > INT_MAX ? INT_MAX : after.uordblks));
    for (unsigned i = 0; i < SIZES; i++) {
        hak_free(blocks[i]);
    }
    after = hak_entry_mallinfo2();
    EXPECT(after.uordblks == before.uordblks && after.hblkhd == before.hblkhd);
}

static void malloc_info_agrees(void) {
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    unsigned long long mallocs = 0;
    unsigned long long frees = 0;
    unsigned long long live = 0;
    void *block = hak_malloc(40);
    EXPECT(stream != NULL && hak_entry_malloc_info(1, stream) == EINVAL);
    EXPECT(hak_entry_malloc_info(0, stream) == 0 && fclose(stream) == 0);
    const char *at = strstr(text, hak_options.wrap_tiny ? "bytes=\"48\"" : "bytes=\"1152\"");
    EXPECT(at != NULL);
    EXPECT(sscanf(strstr(at, "mallocs"), "mallocs=\"%llu\" frees=\"%llu\" live=\"%llu\"", &mallocs, &frees, &live) ==
           3);
    EXPECT(live >= 1 && mallocs - frees == live);
    EXPECT(strncmp(text, "<malloc version=", 16) == 0 && strcmp(text + length - 10, "</malloc>\n") == 0);
    free(text);
    hak_free(block);
}

static void trim_gives_back(void) {
    char *block = hak_malloc(1000000);
    EXPECT(block != NULL);
    memset(block, 1, 1000000);
    hak_free(block);
    EXPECT(hak_entry_malloc_trim(0) == 1);
    EXPECT(hak_view.retained_bytes == 0);
    EXPECT(hak_entry_malloc_trim(0) == 0);
    EXPECT(hak_entry_mallopt(-1, 5) == 0);
}

static void everything(void *unused) {
    (void)unused;
    sizes_agree();
    strangers_are_not_owned();
    failures_set_errno_and_free_keeps_it();
    alignments_are_kept();
    calloc_is_zero_after_use();
    realloc_keeps_contents_from_every_size_to_every_size();
    statistics_follow_the_calls();
    malloc_info_agrees();
    trim_gives_back();
    EXPECT(hak_view.errors == 0 && hak_view.foreign_frees == 0);
}

static void without_tiny(void *unused) {
    hak_options.wrap_tiny = 0;
    everything(unused);
}

static void with_tiny_in_the_space_of_large(void *unused) {
    hak_options.tiny_use_superslab = 0;
    everything(unused);
}

/* 4 GiB are too little for the flat map and enough for the rest. */
static void in_little_address_space(void *unused) {
    (void)unused;
    EXPECT(setenv("API_TEST_NOT_FLAT", "1", 1) == 0);
    struct rlimit limit = {(rlim_t)4 << 30, (rlim_t)4 << 30};
    EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
    execl("/proc/self/exe", "api_test", (char *)NULL);
    EXPECT(false);
}

static void in_every_mode(void **state) {
    (void)state;
    assert_int_equal(hak_view.page_map_flat, 1);
    assert_true(child_succeeds(everything, NULL));
    assert_true(child_succeeds(without_tiny, NULL));
    assert_true(child_succeeds(with_tiny_in_the_space_of_large, NULL));
}

static void without_a_flat_map(void **state) {
    (void)state;
    if (UNIT_SHADOW_MEMORY) {
        skip();
    }
    assert_true(child_succeeds(in_little_address_space, NULL));
}

int main(void) {
    if (getenv("API_TEST_NOT_FLAT") != NULL) {
        EXPECT(hak_view.page_map_flat == 0);
        everything(NULL);
        without_tiny(NULL);
        return 0;
    }
    hak_options.thp = HAK_THP_NEVER;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_every_mode),
        cmocka_unit_test(without_a_flat_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
