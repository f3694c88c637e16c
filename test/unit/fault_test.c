/* fault_test.c
 * Purpose.     Every call of the kernel may fail, at any moment: then calls of hakmem return NULL with ENOMEM, nothing
 *              that was there before is lost, and when there is memory again everything works.
 * Design.      One scenario goes through all tiers and all ways to grow, shrink, move and free. A forked child runs it
 *              with the n-th call failing, for n = 1, 2, ... until a run meets no failure: once with that call failing
 *              alone, once with all that follow. A second, shorter one is a fresh process whose calls fail from the
 *              first on, before main. The first marks of each block are checked wherever the scenario looks at it.
 */
#include "support/child.h"
#include "support/fake_os.h"
#include "support/unit.h"

#include <pthread.h>

#include "base/options.h"
#include "hakmem.h"
#include "os/os.h"
#include "segment/view.h"

#define MIB ((size_t)1 << 20)
#define STEP (2 * MIB + 8192)

enum { BLOCKS = 40, NTH_MAX = 1000 };

/* ThreadSanitizer makes a fork dear: there, every 7th call; the other builds see all of them. */
#if defined(__SANITIZE_THREAD__)
#define EVERY 7
#else
#define EVERY 1
#endif

enum exit_status { RAN_WITHOUT_FAILURE = 0, RAN_WITH_FAILURE = 3 };

struct block_of_test {
    void *start;
    size_t size;
    uint64_t seed;
};

static struct block_of_test blocks[BLOCKS];

static void check_block(const struct block_of_test *block) {
    if (block->start != NULL) {
        EXPECT(unit_holds(block->start, block->size, block->size, STEP, block->seed));
        EXPECT(hak_usable_size(block->start) >= block->size);
    }
}

static void check_blocks(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        check_block(&blocks[i]);
    }
}

/* `start` is what a call returned: a block, or NULL with ENOMEM. */
static void keep_result(unsigned i, void *start, size_t size) {
    EXPECT(start != NULL || errno == ENOMEM);
    EXPECT(start == NULL || blocks[i].start == NULL);
    errno = 0;
    if (start != NULL) {
        blocks[i] = (struct block_of_test){.start = start, .size = size, .seed = i + size};
        unit_fill(start, size, STEP, blocks[i].seed);
    }
}

static void get(unsigned i, size_t size) {
    errno = 0;
    keep_result(i, hak_malloc(size), size);
}

static void get_zeroed(unsigned i, size_t size) {
    errno = 0;
    char *start = hak_calloc(size / 8, 8);
    for (size_t at = 0; start != NULL && at < size; at += 3 * 65536 - 4096) {
        EXPECT(start[at] == 0 && start[at + 7] == 0);
    }
    keep_result(i, start, size);
}

static void get_aligned(unsigned i, size_t alignment, size_t size) {
    errno = 0;
    void *start = hak_aligned_alloc(alignment, size);
    EXPECT((uintptr_t)start % alignment == 0);
    keep_result(i, start, size);
}

static void resize(unsigned i, size_t size) {
    struct block_of_test *block = &blocks[i];
    if (block->start == NULL) {
        return;
    }
    errno = 0;
    void *moved = hak_realloc(block->start, size);
    if (moved == NULL) {
        EXPECT(errno == ENOMEM);
        check_block(block);
        return;
    }
    EXPECT(unit_holds(moved, block->size, block->size < size ? block->size : size, STEP, block->seed));
    *block = (struct block_of_test){.start = moved, .size = size, .seed = block->seed + 1};
    unit_fill(moved, size, STEP, block->seed);
}

static void drop(unsigned i) {
    check_block(&blocks[i]);
    errno = 77;
    hak_free(blocks[i].start);
    EXPECT(errno == 77);
    blocks[i].start = NULL;
}

/* A thread that may find no memory for a record of its own, and leaves a block behind. */
static void *live_in_a_thread(void *unused) {
    (void)unused;
    get(37, 48);
    get(38, 3000);
    get(39, 200000);
    drop(38);
    return NULL;
}

static void run_thread(void) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, live_in_a_thread, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
}

static void get_every_tier(void) {
    static const size_t sizes[] = {1, 16, 100, 1024, 1025, 5000, 32768, 32769, 300000, 2 * MIB, 2 * MIB + 1};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        get(i, sizes[i]);
    }
    get_zeroed(11, 3 * MIB);
    get(12, 61 * MIB);
    get(13, 64 * MIB);
    get_zeroed(14, 70 * MIB);
    get_aligned(15, 64, 200);
    get_aligned(16, 65536, 100);
    get_aligned(17, MIB, 100);
    get_aligned(18, 16 * MIB, MIB);
    get_aligned(19, 4096, 40000);
}

static void resize_every_way(void) {
    resize(0, 2000);
    resize(4, 100000);
    resize(8, 700000);  /* in place, or moved */
    resize(8, 100000);  /* in place */
    resize(8, 3 * MIB); /* Large to Huge */
    resize(10, 3 * MIB);
    resize(10, 4 * MIB);
    resize(10, 3 * MIB);
    resize(12, 63 * MIB);
    resize(10, 70 * MIB);  /* to a mapping */
    resize(13, 200 * MIB); /* in place or moved */
    resize(14, 300 * MIB);
    resize(13, 65 * MIB);
    resize(13, 1000); /* copied */
    resize(18, 80 * MIB);
}

static void scenario(void) {
    get_every_tier();
    check_blocks();
    resize_every_way();
    run_thread();
    check_blocks();
    for (unsigned i = 0; i < BLOCKS; i += 3) {
        drop(i);
    }
    (void)hak_trim();
    check_blocks();
    for (unsigned i = 20; i < 36; i++) {
        get(i, (size_t)1 << i % 23);
    }
    get_zeroed(36, 2 * MIB + 1000);
    check_blocks();
    for (unsigned i = 1; i < BLOCKS; i += 3) {
        drop(i);
    }
}

/* When there is memory again, everything that is left can be used and freed, and a new round succeeds. */
static void recover(void) {
    fake_os_succeed();
    check_blocks();
    for (unsigned i = 0; i < BLOCKS; i++) {
        drop(i);
    }
    get_every_tier();
    for (unsigned i = 0; i < 20; i++) {
        EXPECT(blocks[i].start != NULL);
    }
    resize_every_way();
    EXPECT(blocks[10].size == 70 * MIB && blocks[12].size == 63 * MIB && blocks[14].size == 300 * MIB &&
           blocks[13].size == 1000);
    check_blocks();
    for (unsigned i = 0; i < BLOCKS; i++) {
        drop(i);
    }
    (void)hak_trim();
    EXPECT(hak_view.huge_bytes == 0 && hak_view.large_bytes == 0);
    EXPECT(hak_view.active_bytes + hak_view.retained_bytes <= hak_view.committed_bytes);
    EXPECT(hak_view.committed_bytes <= hak_view.mapped_bytes);
    EXPECT(hak_view.errors == 0);
}

struct plan {
    uint64_t nth;
    uint64_t times;
};

static void run_with_plan(void *argument) {
    const struct plan *plan = argument;
    fake_os_fail(FAKE_OS_ALL, plan->nth, plan->times);
    scenario();
    uint64_t failures = fake_os_failures();
    recover();
    _exit(failures == 0 ? RAN_WITHOUT_FAILURE : RAN_WITH_FAILURE);
}

static void fail_at_every_call(uint64_t times) {
    static struct child child;
    struct plan plan = {.nth = 1, .times = times};
    for (;; plan.nth += EVERY) {
        assert_true(plan.nth < NTH_MAX);
        child_run(&child, run_with_plan, &plan);
        if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != RAN_WITH_FAILURE) {
            break;
        }
    }
    if (child.status != RAN_WITHOUT_FAILURE) {
        print_error("call %llu failed: wait status %#x\n%s", (unsigned long long)plan.nth, (unsigned)child.status,
                    child.text);
    }
    assert_int_equal(child.status, RAN_WITHOUT_FAILURE);
    assert_true(plan.nth > 20);
}

static void one_failing_call_is_survived(void **state) {
    (void)state;
    fail_at_every_call(1);
}

static void lasting_failure_is_survived(void **state) {
    (void)state;
    fail_at_every_call(UINT64_MAX);
}

/* The scenario meets each kind of call, so that the tests above failed each of them. */
static void count_calls(void *unused) {
    uint64_t before[FAKE_OS_COUNT];
    (void)unused;
    for (unsigned call = 0; call < FAKE_OS_COUNT; call++) {
        before[call] = fake_os_calls(call);
    }
    hak_options.thp = HAK_THP_ALWAYS;
    fake_os_fail(FAKE_OS_BIT(RESIZE) | FAKE_OS_BIT(ADVISE_HUGE), 1, UINT64_MAX);
    scenario();
    recover();
    for (unsigned call = 0; call < FAKE_OS_COUNT; call++) {
        bool at_start_only = call == FAKE_OS_RESERVE || call == FAKE_OS_MAKE_READABLE;
        EXPECT(at_start_only ? fake_os_calls(call) >= 1 : fake_os_calls(call) > before[call]);
    }
}

static void every_kind_of_call_is_made(void **state) {
    (void)state;
    assert_true(child_succeeds(count_calls, NULL));
}

/* ---- from the first call of the process on ---- */

static int life_of_a_process(void) {
    for (unsigned i = 0; i < 4; i++) {
        get(i, (size_t)10 << (4 * i));
    }
    get(4, 3 * MIB);
    run_thread();
    for (unsigned i = 0; i < 4; i++) {
        drop(i);
    }
    uint64_t failures = fake_os_failures();
    recover();
    return failures == 0 ? RAN_WITHOUT_FAILURE : RAN_WITH_FAILURE;
}

struct birth {
    uint64_t nth;
    const char *times;
};

static void start_process(void *argument) {
    const struct birth *birth = argument;
    char nth[24];
    snprintf(nth, sizeof nth, "%llu", (unsigned long long)birth->nth);
    EXPECT(setenv("FAKE_OS_NTH", nth, 1) == 0 && setenv("FAKE_OS_TIMES", birth->times, 1) == 0);
    execl("/proc/self/exe", "fault_test", (char *)NULL);
    EXPECT(false);
}

static void failure_at_birth_is_survived(void **state) {
    static struct child child;
    static const char *const times[] = {"1", "18446744073709551615"};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct birth birth = {.nth = 1, .times = times[i]};
        do {
            child_run(&child, start_process, &birth);
        } while (WIFEXITED(child.status) && WEXITSTATUS(child.status) == RAN_WITH_FAILURE && birth.nth++ < 100);
        if (child.status != RAN_WITHOUT_FAILURE) {
            print_error("call %llu failed, %s times: wait status %#x\n%s", (unsigned long long)birth.nth, times[i],
                        (unsigned)child.status, child.text);
        }
        assert_int_equal(child.status, RAN_WITHOUT_FAILURE);
        assert_true(birth.nth > 4);
    }
}

int main(void) {
    if (getenv("FAKE_OS_NTH") != NULL) {
        return life_of_a_process();
    }
    hak_options.thp = HAK_THP_NEVER; /* one mark would have a huge page zeroed */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_call_is_made),
        cmocka_unit_test(one_failing_call_is_survived),
        cmocka_unit_test(lasting_failure_is_survived),
        cmocka_unit_test(failure_at_birth_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
