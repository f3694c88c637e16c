/* counts_test.c
 * Purpose.     The counts in hak_view are those of the calls made, exactly, for every entry and every class.
 * Design.      Random calls through all entries; each adds to the test's own count of what it is by hakmem_stats.h, and
 *              the sums of all threads must have risen by just that. In one thread, across threads that free each
 *              other's blocks, across threads that end, and in calls after a thread's record is gone.
 */
#include "support/counts.h"
#include "support/expect.h"
#include "support/unit.h"

#include <malloc.h>
#include <pthread.h>

#include "api/entry.h"
#include "api/request.h"
#include "base/figures.h"
#include "base/options.h"
#include "hakmem.h"
#include "heap/thread.h"
#include "os/os.h"
#include "segment/view.h"

enum { SLOTS = 400, THREADS = 4 };

struct owned {
    void *block;
    size_t alignment; /* 1: none */
    size_t size;      /* as requested */
};

/* One thread's blocks and what it expects of the counts. */
struct caller {
    struct owned owned[SLOTS];
    uint64_t random;
    struct calls calls;
    struct hak_class_sum of_class[HAK_CLASS_COUNT];
    uint64_t large_allocs, large_frees, resize_allocs, resize_frees, null_frees;
    struct caller *partner; /* whose blocks are freed */
    unsigned steps;
};

static unsigned class_of(size_t alignment, size_t size) {
    return alignment <= HAK_ALIGNMENT ? request_class(size) : request_class_aligned(alignment, size);
}

static void expect_out(struct caller *caller, size_t alignment, size_t size) {
    unsigned c = class_of(alignment, size);
    *(c != 0 ? &caller->of_class[c].mallocs : &caller->large_allocs) += 1;
    caller->calls.blocks_out++;
}

static void expect_back(struct caller *caller, size_t alignment, size_t size) {
    unsigned c = class_of(alignment, size);
    *(c != 0 ? &caller->of_class[c].frees : &caller->large_frees) += 1;
    caller->calls.blocks_back++;
}

static size_t pick_size(struct caller *caller) {
    unsigned kind = unit_below(&caller->random, 40);
    if (kind == 0) {
        return unit_below(&caller->random, 6 << 20);
    }
    return unit_below(&caller->random, kind < 4 ? 100000 : kind < 12 ? 9000 : 400);
}

static void allocate(struct caller *caller, struct owned *owned) {
    static const enum hak_entry entries[] = {HAK_ENTRY_MALLOC,         HAK_ENTRY_CALLOC,   HAK_ENTRY_ALIGNED_ALLOC,
                                             HAK_ENTRY_POSIX_MEMALIGN, HAK_ENTRY_MEMALIGN, HAK_ENTRY_VALLOC,
                                             HAK_ENTRY_PVALLOC,        HAK_ENTRY_REALLOC,  HAK_ENTRY_MALLOC};
    enum hak_entry entry = entries[unit_below(&caller->random, sizeof entries / sizeof *entries)];
    size_t page = hak_os_page_size();
    size_t size = pick_size(caller);
    size_t alignment = (size_t)8 << unit_below(&caller->random, 10);
    *owned = (struct owned){.alignment = 1, .size = size};
    if (entry == HAK_ENTRY_MALLOC) {
        owned->block = unit_below(&caller->random, 2) == 0 ? hak_malloc(size) : hak_alloc_at(size, HAK_CALLSITE());
    } else if (entry == HAK_ENTRY_CALLOC) {
        owned->block = hak_calloc(1, size);
    } else if (entry == HAK_ENTRY_VALLOC || entry == HAK_ENTRY_PVALLOC) {
        owned->block = entry == HAK_ENTRY_VALLOC ? hak_entry_valloc(size) : hak_entry_pvalloc(size);
        owned->alignment = page;
        owned->size = entry == HAK_ENTRY_VALLOC ? size : (size + page - 1) / page * page;
    } else if (entry == HAK_ENTRY_REALLOC) {
        owned->block = hak_realloc(NULL, size);
        caller->resize_allocs++;
    } else {
        owned->alignment = alignment;
        if (entry == HAK_ENTRY_ALIGNED_ALLOC) {
            owned->block = hak_aligned_alloc(alignment, size);
        } else if (entry == HAK_ENTRY_MEMALIGN) {
            owned->block = hak_entry_memalign(alignment, size);
        } else {
            EXPECT(hak_entry_posix_memalign(&owned->block, alignment, size) == 0);
        }
    }
    EXPECT(owned->block != NULL);
    caller->calls.entry[entry]++;
    expect_out(caller, owned->alignment, owned->size);
}

static void release(struct caller *caller, struct owned *owned) {
    bool aligned = owned->alignment > HAK_ALIGNMENT;
    unsigned kind = unit_below(&caller->random, 8);
    enum hak_entry entry = HAK_ENTRY_FREE;
    if (kind == 0) {
        entry = HAK_ENTRY_CFREE;
        hak_entry_cfree(owned->block);
    } else if (kind == 1 && !aligned) {
        entry = HAK_ENTRY_FREE_SIZED;
        hak_free_sized(owned->block, owned->size);
    } else if (kind == 2) {
        entry = HAK_ENTRY_FREE_ALIGNED_SIZED;
        hak_free_aligned_sized(owned->block, owned->alignment, owned->size);
    } else if (kind == 3) {
        entry = HAK_ENTRY_REALLOC;
        EXPECT(hak_realloc(owned->block, 0) == NULL);
        caller->resize_frees++;
    } else if (kind == 4) {
        hak_free_at(owned->block, HAK_CALLSITE());
    } else {
        hak_free(owned->block);
    }
    caller->calls.entry[entry]++;
    expect_back(caller, owned->alignment, owned->size);
    owned->block = NULL;
}

/* A block whose address changed went out and one came back. */
static void reallocate(struct caller *caller, struct owned *owned) {
    size_t size = 1 + pick_size(caller);
    bool as_array = unit_below(&caller->random, 2) == 0;
    void *block = as_array ? hak_reallocarray(owned->block, 1, size) : hak_realloc(owned->block, size);
    EXPECT(block != NULL);
    caller->calls.entry[as_array ? HAK_ENTRY_REALLOCARRAY : HAK_ENTRY_REALLOC]++;
    size_t usable = hak_usable_size(block);
    if (block != owned->block) {
        caller->resize_allocs++;
        caller->resize_frees++;
        expect_out(caller, 1, usable);
        expect_back(caller, owned->alignment, owned->size);
    }
    *owned = (struct owned){.block = block, .alignment = 1, .size = usable};
}

static void free_null(struct caller *caller) {
    hak_free(NULL);
    hak_free_sized(NULL, 5);
    hak_free_aligned_sized(NULL, 64, 5);
    hak_entry_cfree(NULL);
    caller->null_frees += 4;
}

/* Calls that fail hand out nothing and count nothing. */
static void fail_to_allocate(void) {
    EXPECT(hak_malloc(SIZE_MAX / 2 + 1) == NULL);
    EXPECT(hak_calloc(SIZE_MAX / 2, 3) == NULL);
    EXPECT(hak_realloc(NULL, SIZE_MAX) == NULL);
    EXPECT(hak_aligned_alloc(48, 10) == NULL);
}

static void one_step(struct caller *caller) {
    struct owned *owned = &caller->owned[unit_below(&caller->random, SLOTS)];
    unsigned choice = unit_below(&caller->random, 64);
    if (owned->block == NULL) {
        allocate(caller, owned);
    } else if (choice == 0) {
        free_null(caller);
        fail_to_allocate();
    } else if (choice < 16) {
        reallocate(caller, owned);
    } else {
        release(caller, owned);
    }
}

static void release_all(struct caller *caller, struct owned *owned) {
    for (unsigned i = 0; i < SLOTS; i++) {
        if (owned[i].block != NULL) {
            release(caller, &owned[i]);
        }
    }
}

static void add_caller(struct caller *sum, const struct caller *caller) {
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++) {
        sum->calls.entry[i] += caller->calls.entry[i];
    }
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        sum->of_class[c].mallocs += caller->of_class[c].mallocs;
        sum->of_class[c].frees += caller->of_class[c].frees;
    }
    sum->calls.blocks_out += caller->calls.blocks_out;
    sum->calls.blocks_back += caller->calls.blocks_back;
    sum->large_allocs += caller->large_allocs;
    sum->large_frees += caller->large_frees;
    sum->resize_allocs += caller->resize_allocs;
    sum->resize_frees += caller->resize_frees;
    sum->null_frees += caller->null_frees;
}

static void check_difference(const struct counts *before, const struct caller *sum) {
    struct counts now = counts_now(&hak_view);
    struct calls calls_before = counts_to_calls(before);
    struct calls calls_now = counts_to_calls(&now);
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++) {
        assert_int_equal(calls_now.entry[i] - calls_before.entry[i], sum->calls.entry[i]);
    }
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        assert_int_equal(now.of_class[c].mallocs - before->of_class[c].mallocs, sum->of_class[c].mallocs);
        assert_int_equal(now.of_class[c].frees - before->of_class[c].frees, sum->of_class[c].frees);
    }
    assert_int_equal(calls_now.blocks_out - calls_before.blocks_out, sum->calls.blocks_out);
    assert_int_equal(calls_now.blocks_back - calls_before.blocks_back, sum->calls.blocks_back);
    assert_int_equal(now.tally.large_allocs - before->tally.large_allocs, sum->large_allocs);
    assert_int_equal(now.tally.large_frees - before->tally.large_frees, sum->large_frees);
    assert_int_equal(now.tally.resize_allocs - before->tally.resize_allocs, sum->resize_allocs);
    assert_int_equal(now.tally.resize_frees - before->tally.resize_frees, sum->resize_frees);
    assert_int_equal(now.tally.null_frees - before->tally.null_frees, sum->null_frees);
}

static struct caller callers[THREADS];

static int reset_callers(void **state) {
    (void)state;
    memset(callers, 0, sizeof callers);
    return 0;
}

static void one_thread(void **state) {
    struct caller *caller = &callers[0];
    struct counts before = counts_now(&hak_view);
    (void)state;
    for (unsigned step = 0; step < 40000; step++) {
        one_step(caller);
        if (step % 1000 == 0) {
            check_difference(&before, caller);
        }
    }
    release_all(caller, caller->owned);
    check_difference(&before, caller);
    (void)hak_trim();
    check_difference(&before, caller);
    assert_int_equal(caller->calls.blocks_out, caller->calls.blocks_back);
}

/* Lists are filled and looked at between any two calls. */
static void a_look_may_come_at_any_call(void **state) {
    struct counts before = counts_now(&hak_view);
    struct caller expected = {.steps = 0};
    uint32_t moves = hak_thread_self->view.flow[class_of(1, 32)].moves;
    (void)state;
    for (unsigned i = 0; i < 5 * HAK_CHORES_INTERVAL + 3; i++) {
        void *tiny = hak_malloc(32);
        void *mid = hak_malloc(2000);
        assert_non_null(tiny);
        assert_non_null(mid);
        hak_free(tiny);
        hak_free(mid);
        expect_out(&expected, 1, 32);
        expect_out(&expected, 1, 2000);
        expect_back(&expected, 1, 32);
        expect_back(&expected, 1, 2000);
        expected.calls.entry[HAK_ENTRY_MALLOC] += 2;
        expected.calls.entry[HAK_ENTRY_FREE] += 2;
        check_difference(&before, &expected);
    }
    assert_true(hak_thread_self->view.flow[class_of(1, 32)].moves - moves > 4);
}

static void *work(void *argument) {
    struct caller *caller = argument;
    for (unsigned step = 0; step < caller->steps; step++) {
        one_step(caller);
    }
    if (caller->partner != NULL) {
        release_all(caller, caller->partner->owned);
    }
    return NULL;
}

static void run_threads(unsigned steps, bool exchange) {
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        callers[i].random += i * 1000 + 1;
        callers[i].steps = steps;
        callers[i].partner = exchange ? &callers[(i + 1) % THREADS] : NULL;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &callers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* Threads fill their slots and end; new threads free what others left. */
static void threads_that_end(void **state) {
    struct counts before = counts_now(&hak_view);
    struct caller sum;
    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        run_threads(2000, false);
        run_threads(0, true);
        memset(&sum, 0, sizeof sum);
        for (unsigned i = 0; i < THREADS; i++) {
            add_caller(&sum, &callers[i]);
        }
        check_difference(&before, &sum);
    }
    assert_int_equal(sum.calls.blocks_out, sum.calls.blocks_back);
    assert_int_equal(counts_now(&hak_view).threads, before.threads);
    (void)hak_trim();
    check_difference(&before, &sum);
}

static void *work_after_the_end(void *argument) {
    struct caller *caller = argument;
    work(caller);
    hak_thread_end();
    work(caller);
    release_all(caller, caller->owned);
    return NULL;
}

static void a_thread_without_a_record(void **state) {
    struct counts before = counts_now(&hak_view);
    pthread_t thread;
    (void)state;
    callers[0].steps = 3000;
    assert_int_equal(pthread_create(&thread, NULL, work_after_the_end, &callers[0]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    check_difference(&before, &callers[0]);
    assert_int_equal(callers[0].calls.blocks_out, callers[0].calls.blocks_back);
    assert_int_equal(counts_now(&hak_view).threads, before.threads);
}

static void ping_pong(size_t alignment) {
    void *block = alignment == 1 ? hak_malloc(HAK_MID_MAX) : hak_aligned_alloc(alignment, HAK_MID_MAX);
    assert_non_null(block);
    hak_free(block);
}

/* Where a list holds few blocks, it is looked at often. */
static void mid_lists_are_counted_exactly(void **state) {
    static const size_t alignments[] = {1, 64};
    unsigned c = class_of(1, HAK_MID_MAX);
    (void)state;
    for (unsigned a = 0; a < sizeof alignments / sizeof *alignments; a++) {
        do
            ping_pong(alignments[a]);
        while (!thread_is_alive(hak_thread_self) ||
               figures_length(&hak_thread_self->view.slot[c], &hak_thread_self->view.flow[c]) == 0);
        struct counts before = counts_now(&hak_view);
        struct caller expected = {.steps = 0};
        for (unsigned i = 1; i <= 50; i++) {
            ping_pong(alignments[a]);
            expect_out(&expected, alignments[a], HAK_MID_MAX);
            expect_back(&expected, alignments[a], HAK_MID_MAX);
            expected.calls.entry[a == 0 ? HAK_ENTRY_MALLOC : HAK_ENTRY_ALIGNED_ALLOC]++;
            expected.calls.entry[HAK_ENTRY_FREE]++;
            check_difference(&before, &expected);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(one_thread, reset_callers),
        cmocka_unit_test(mid_lists_are_counted_exactly),
        cmocka_unit_test_teardown(a_look_may_come_at_any_call, reset_callers),
        cmocka_unit_test_teardown(threads_that_end, reset_callers),
        cmocka_unit_test_teardown(a_thread_without_a_record, reset_callers),
    };
    hak_options.heaps = THREADS;
    hak_thread_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
