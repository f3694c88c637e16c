/* large_test.c
 * Purpose.     Blocks without a size class: what a pointer into, beside or beyond one turns out to be; zeros where
 *              zeros are asked for; contents through every way of resizing.
 * Design.      Random operations against the list of live blocks. Freed memory was written before, so a block that is
 *              said to be zero, and is not, shows.
 */
#include "support/fake_os.h"
#include "support/expect.h"
#include "support/unit.h"

#include <pthread.h>
#include <sched.h>

#include "base/bits.h"
#include "base/options.h"
#include "heap/large.h"
#include "heap/thread.h"
#include "os/os.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/superslab.h"
#include "segment/view.h"

#define MIB ((size_t)1 << 20)
#define STEP 20000

enum { BLOCKS = 24 };

struct large {
    char *start;
    size_t bytes; /* usable */
    uint64_t seed;
};

static struct large blocks[BLOCKS];
static uint64_t random_state = 11;

static enum large_answer find(const void *p, struct large_info *info) {
    *info = (struct large_info){.base = NULL};
    return hak_large_find(p, info);
}

static void check_found(const struct large *block) {
    struct large_info info;
    assert_int_equal(find(block->start, &info), LARGE_FOUND);
    assert_ptr_equal(info.base, block->start);
    assert_int_equal(info.bytes, block->bytes);
    assert_true(hak_large_fits(block->start, block->bytes));
    assert_true(hak_large_fits(block->start, block->bytes - hak_os_page_size() + 1));
    assert_false(hak_large_fits(block->start, block->bytes + 1));
    assert_false(hak_large_fits(block->start, block->bytes - hak_os_page_size()));
    assert_false(hak_large_fits(block->start + HAK_ALIGNMENT, block->bytes));
    size_t reach = block->bytes < 4 * MIB ? block->bytes : 4 * MIB; /* a mapping is known by its first 4 MiB */
    const size_t offsets[] = {1, 8, 4096, reach / 2, reach - 1};
    for (unsigned i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        if (offsets[i] >= block->bytes) {
            continue;
        }
        assert_int_equal(find(block->start + offsets[i], &info), LARGE_INTERIOR);
        assert_ptr_equal(info.base, block->start);
        assert_int_equal(info.bytes, block->bytes);
    }
}

static size_t pick_bytes(void) {
    static const size_t limits[] = {100000, 400000, 2 * MIB, 3 * MIB, 12 * MIB, 40 * MIB, 160 * MIB};
    return 32769 + unit_random(&random_state) % limits[unit_below(&random_state, 7)];
}

static void get(struct large *block, size_t bytes, size_t alignment, bool zeroed) {
    block->start = hak_large_alloc(bytes, alignment, zeroed);
    block->bytes = hak_large_good_size(bytes);
    block->seed = unit_random(&random_state);
    assert_non_null(block->start);
    assert_int_equal(block->bytes, round_up(bytes, hak_os_page_size()));
    assert_int_equal((uintptr_t)block->start % alignment, 0);
    if (zeroed) {
        assert_true(unit_is_zero(block->start, block->bytes));
    }
    unit_fill(block->start, block->bytes, STEP, block->seed);
    check_found(block);
}

static void drop(struct large *block) {
    struct large_info info;
    assert_true(unit_holds(block->start, block->bytes, block->bytes, STEP, block->seed));
    assert_int_equal(hak_large_free(block->start, 0, &info), LARGE_FOUND);
    assert_int_equal(info.bytes, block->bytes);
    enum large_answer answer = find(block->start, &info);
    assert_true(answer == LARGE_IS_FREE || answer == LARGE_FOREIGN);
    assert_int_equal(hak_large_free(block->start, 0, &info), answer);
    block->start = NULL;
}

static bool resize(struct large *block, size_t bytes) {
    char *moved = hak_large_resize(block->start, bytes);
    if (moved != NULL) {
        size_t had = block->bytes;
        size_t kept = had < bytes ? had : bytes;
        block->start = moved;
        block->bytes = hak_large_good_size(bytes);
        assert_true(unit_holds(moved, had, kept, STEP, block->seed));
        unit_fill(moved, block->bytes, STEP, block->seed);
    }
    assert_true(unit_holds(block->start, block->bytes, block->bytes, STEP, block->seed));
    check_found(block);
    return moved != NULL;
}

static void drop_all(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (blocks[i].start != NULL) {
            drop(&blocks[i]);
        }
    }
    hak_thread_flush();
    assert_int_equal(hak_view.active_bytes + hak_view.huge_bytes + hak_view.large_bytes, 0);
}

static uint64_t live_huge_bytes(void) {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        struct superslab *unit = blocks[i].start == NULL ? NULL : hak_superslab_of(blocks[i].start);
        bytes += unit != NULL && unit->state != UNIT_GRANULES ? blocks[i].bytes : 0;
    }
    return bytes;
}

static void random_operations_agree_with_the_model(void **state) {
    (void)state;
    for (unsigned step = 0; step < (UNIT_SHADOW_MEMORY ? 300 : 1200); step++) {
        struct large *block = &blocks[unit_below(&random_state, BLOCKS)];
        unsigned choice = unit_below(&random_state, 8);
        if (block->start == NULL) {
            get(block, pick_bytes(), choice == 0 ? 65536 : choice == 1 ? MIB : 16, choice < 6);
        } else if (choice < 3) {
            (void)resize(block, pick_bytes());
        } else {
            drop(block);
        }
        assert_int_equal(hak_view.huge_bytes, live_huge_bytes());
        assert_true(hak_view.active_bytes + hak_view.retained_bytes <= hak_view.committed_bytes);
        assert_true(hak_view.committed_bytes <= hak_view.mapped_bytes);
    }
    drop_all();
}

static void threads_that_keep_runs_agree_with_the_model(void **state) {
    assert_true(hak_thread_begin());
    random_operations_agree_with_the_model(state);
    hak_thread_end();
}

static void keep_a_run(void) {
    for (unsigned i = 0; i < 3; i++) {
        get(&blocks[0], 100000, 16, false);
        drop(&blocks[0]);
    }
    assert_int_equal(hak_thread_self->spares.count, 1);
}

/* Not for those that find room, and not for mappings; and not if it was of use since the last time. */
static void a_spare_run_makes_way_for_larger_blocks(void **state) {
    const struct spares *spares;
    (void)state;
    assert_true(hak_thread_begin());
    spares = &hak_thread_self->spares;
    keep_a_run();
    get(&blocks[1], 31 * HAK_GRANULE_SIZE, 16, false);
    get(&blocks[2], 31 * HAK_GRANULE_SIZE, 16, false);
    assert_int_equal(spares->count, 1);
    get(&blocks[3], 20 * HAK_GRANULE_SIZE, 16, false);
    assert_int_equal(spares->count, 0);
    keep_a_run();
    get(&blocks[4], 70 * MIB, 16, false);
    get(&blocks[5], 5 * MIB, 16, false);
    assert_int_equal(spares->count, 1);
    get(&blocks[6], 5 * MIB, 16, false);
    assert_int_equal(spares->count, 0);
    drop_all();
    hak_thread_end();
}

/* Blocks of an odd size, which spares may serve, and others. */
static void a_spare_run_is_free_and_serves_again(void **state) {
    struct large_info info;
    (void)state;
    assert_true(hak_thread_begin());
    keep_a_run();
    assert_int_equal(hak_view.active_bytes, 2 * HAK_GRANULE_SIZE);
    char *start = (char *)hak_thread_self->spares.run[0]->base;
    assert_int_equal(find(start, &info), LARGE_IS_FREE);
    assert_int_equal(find(start + HAK_GRANULE_SIZE, &info), LARGE_IS_FREE);
    assert_false(hak_large_fits(start, 100000));
    assert_null(hak_large_resize(start, 50000));
    get(&blocks[0], 70000, 16, true);
    assert_ptr_equal(blocks[0].start, start);
    assert_true(resize(&blocks[0], 130000));
    drop(&blocks[0]);
    get(&blocks[0], 100000, 16, true);
    assert_ptr_equal(blocks[0].start, start);
    drop(&blocks[0]);
    hak_options.purge_delay = 0;
    get(&blocks[0], 100000, 16, false);
    drop(&blocks[0]);
    hak_options.purge_delay = 1000;
    assert_int_equal(hak_view.active_bytes, 0);
    hak_thread_end();
}

enum { RACES = UNIT_SHADOW_MEMORY ? 500 : 20000 };

static struct {
    pthread_barrier_t barrier;
    void *block;
    unsigned arrived; /* atomic; threads, over all rounds */
    unsigned found;   /* atomic; frees of this round that found the block */
} race;

/* A new block for both threads, who go on within a few instructions of each other. */
static void start_race(unsigned round) {
    if (pthread_barrier_wait(&race.barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
        race.found = 0;
        race.block = hak_large_alloc(100000 + round % 3 * 65536, 16, false);
        EXPECT(race.block != NULL);
    }
    pthread_barrier_wait(&race.barrier);
    __atomic_fetch_add(&race.arrived, 1, __ATOMIC_SEQ_CST);
    for (unsigned looks = 0; __atomic_load_n(&race.arrived, __ATOMIC_SEQ_CST) < 2 * (round + 1); looks++) {
        if (looks > 10000)
            sched_yield();
    }
}

static void check_spares(void) {
    const struct spares *spares = &hak_thread_self->spares;
    uint32_t granules = 0;
    for (unsigned i = 0; i < spares->count; i++)
        granules += spares->run[i]->granules;
    EXPECT(spares->granules == granules && granules <= spares->room && spares->room <= HAK_SPARE_GRANULES);
}

static void *free_at_once(void *unused) {
    struct large_info info;
    (void)unused;
    EXPECT(hak_thread_begin());
    for (unsigned i = 0; i < RACES; i++) {
        start_race(i);
        __atomic_fetch_add(&race.found, hak_large_free(race.block, 0, &info) == LARGE_FOUND, __ATOMIC_RELAXED);
        pthread_barrier_wait(&race.barrier);
        EXPECT(race.found == 1);
        check_spares();
    }
    hak_thread_end();
    return NULL;
}

/* As a program does that reallocs what another thread frees: the block is lost, hakmem's books are not. */
static void *resize_at_once(void *unused) {
    struct large_info info;
    (void)unused;
    EXPECT(hak_thread_begin());
    for (unsigned i = 0; i < RACES; i++) {
        start_race(i);
        (void)!hak_large_resize(race.block, i % 2 == 0 ? 40000 : 300000);
        pthread_barrier_wait(&race.barrier);
        if (race.found == 0) /* the free came while the resize had it */
            EXPECT(hak_large_free(race.block, 0, &info) == LARGE_FOUND);
        check_spares();
        pthread_barrier_wait(&race.barrier);
    }
    hak_thread_end();
    return NULL;
}

static void *free_while_resized(void *unused) {
    struct large_info info;
    (void)unused;
    EXPECT(hak_thread_begin());
    for (unsigned i = 0; i < RACES; i++) {
        start_race(i);
        race.found = hak_large_free(race.block, 0, &info) == LARGE_FOUND;
        pthread_barrier_wait(&race.barrier);
        check_spares();
        pthread_barrier_wait(&race.barrier);
    }
    hak_thread_end();
    return NULL;
}

static void run_race(void *(*one)(void *), void *(*other)(void *)) {
    pthread_t thread[2];
    race.arrived = 0;
    assert_int_equal(pthread_barrier_init(&race.barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread[0], NULL, one, NULL), 0);
    assert_int_equal(pthread_create(&thread[1], NULL, other, NULL), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    pthread_barrier_destroy(&race.barrier);
    hak_thread_flush();
    assert_int_equal(hak_view.active_bytes, 0);
}

static void of_two_that_free_a_block_one_does(void **state) {
    (void)state;
    run_race(free_at_once, free_at_once);
}

static void of_a_free_and_a_resize_one_comes_first(void **state) {
    (void)state;
    run_race(resize_at_once, free_while_resized);
}

static void a_free_names_the_size_it_expects(void **state) {
    struct large_info info;
    (void)state;
    const size_t sizes[] = {100000, 3 * MIB, 64 * MIB};
    for (unsigned i = 0; i < 3; i++) {
        get(&blocks[0], sizes[i], 16, false);
        size_t bytes = blocks[0].bytes;
        assert_int_equal(hak_large_free(blocks[0].start, bytes + 4096, &info), LARGE_FOUND);
        assert_int_equal(info.bytes, bytes);
        check_found(&blocks[0]);
        assert_int_equal(hak_large_free(blocks[0].start + 64, 0, &info), LARGE_INTERIOR);
        check_found(&blocks[0]);
        assert_int_equal(hak_large_free(blocks[0].start, bytes, &info), LARGE_FOUND);
        blocks[0].start = NULL;
    }
}

static void other_memory_is_foreign_or_free(void **state) {
    struct large_info info;
    int local = 0;
    (void)state;
    get(&blocks[0], 100000, 16, false);
    get(&blocks[1], 3 * MIB, 16, false);
    get(&blocks[2], 64 * MIB, 16, false);
    const void *foreign[] = {NULL, &local, (void *)1, (void *)&blocks, (void *)UINTPTR_MAX, (void *)(UINTPTR_MAX / 2)};
    for (unsigned i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        assert_int_equal(find(foreign[i], &info), LARGE_FOREIGN);
    }
    assert_int_equal(find(blocks[0].start + blocks[0].bytes, &info), LARGE_INTERIOR); /* of its last granule */
    assert_int_equal(find(blocks[0].start + 2 * HAK_GRANULE_SIZE, &info), LARGE_IS_FREE);
    assert_int_equal(find(blocks[1].start + blocks[1].bytes, &info), LARGE_IS_FREE);
    assert_int_equal(find(blocks[2].start + blocks[2].bytes, &info), LARGE_FOREIGN);
    drop_all();
}

static void a_large_block_grows_into_free_granules(void **state) {
    (void)state;
    get(&blocks[0], 100000, 16, false);
    char *start = blocks[0].start;
    assert_true(resize(&blocks[0], MIB));
    assert_ptr_equal(blocks[0].start, start);
    assert_true(resize(&blocks[0], 40000));
    assert_ptr_equal(blocks[0].start, start);
    get(&blocks[1], 65536, 16, true);
    assert_ptr_equal(blocks[1].start, start + HAK_GRANULE_SIZE);
    assert_false(resize(&blocks[0], MIB));
    assert_false(resize(&blocks[0], HAK_LARGE_MAX + 1));
    drop_all();
}

static void a_huge_block_stays_in_its_arena_or_its_mapping(void **state) {
    (void)state;
    get(&blocks[0], 3 * MIB, 16, true);
    assert_true(resize(&blocks[0], 40 * MIB));
    assert_int_equal(hak_superslab_of(blocks[0].start)->state, UNIT_HUGE);
    assert_false(resize(&blocks[0], MIB));
    assert_false(resize(&blocks[0], HAK_DIRECT_MIN));
    get(&blocks[1], 100 * MIB, 16, true);
    assert_int_equal(hak_superslab_of(blocks[1].start)->state, UNIT_DIRECT);
    assert_true(resize(&blocks[1], 300 * MIB));
    assert_true(resize(&blocks[1], HAK_DIRECT_MIN));
    assert_false(resize(&blocks[1], HAK_DIRECT_MIN - 4096));
    drop_all();
}

/* Whatever it held: zeros where they are asked for. */
static void a_kept_mapping_is_a_block_again(void **state) {
    static const size_t sizes[] = {81 * MIB, 80 * MIB, 72 * MIB, 130 * MIB, 66 * MIB};
    (void)state;
    get(&blocks[0], 600 * MIB, 16, false);
    for (unsigned zeroed = 0; zeroed < 2; zeroed++) {
        get(&blocks[1], 81 * MIB, 16, false);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            drop(&blocks[1]);
            assert_int_equal(hak_view.active_bytes, 600 * MIB);
            assert_true(hak_view.retained_bytes != 0);
            get(&blocks[1], sizes[i], 16, zeroed);
            assert_int_equal(hak_view.retained_bytes, 0);
            assert_int_equal(hak_view.active_bytes, 600 * MIB + sizes[i]);
            assert_int_equal(hak_view.huge_bytes, 600 * MIB + sizes[i]);
        }
        drop(&blocks[1]);
    }
    drop_all();
}

static void a_mapping_moves_where_it_cannot_grow(void **state) {
    (void)state;
    get(&blocks[0], 70 * MIB, 16, true);
    uintptr_t before = (uintptr_t)blocks[0].start;
    uint64_t mapped = hak_view.mapped_bytes;
    fake_os_fail(FAKE_OS_BIT(RESIZE), 1, UINT64_MAX);
    assert_true(resize(&blocks[0], 90 * MIB));
    fake_os_succeed();
    struct large_info info;
    assert_true((uintptr_t)blocks[0].start != before);
    assert_int_equal(find((void *)before, &info), LARGE_FOREIGN);
    assert_int_equal(hak_view.mapped_bytes, mapped + 20 * MIB);
    static const unsigned sets[] = {FAKE_OS_BIT(RESIZE) | FAKE_OS_BIT(RESERVE_ALIGNED),
                                    FAKE_OS_BIT(RESIZE) | FAKE_OS_BIT(MOVE)};
    for (unsigned i = 0; i < 2; i++) {
        mapped = hak_view.mapped_bytes;
        fake_os_fail(sets[i], 1, UINT64_MAX);
        assert_false(resize(&blocks[0], 200 * MIB));
        fake_os_succeed();
        assert_int_equal(hak_view.mapped_bytes, mapped);
    }
    drop_all();
}

static void strict_alignments_get_mappings(void **state) {
    (void)state;
    for (size_t alignment = HAK_GRANULE_SIZE; alignment <= ((size_t)1 << 30); alignment *= 4) {
        get(&blocks[0], 5000, alignment, true);
        get(&blocks[1], 5000, alignment, true);
        drop_all();
    }
    assert_null(hak_large_alloc(PTRDIFF_MAX, 16, true));
    assert_null(hak_large_alloc(4096, (size_t)1 << 62, true));
    assert_int_equal(hak_view.mapped_bytes, 0); /* arenas without a block went back to make room */
}

static void good_sizes_are_whole_pages(void **state) {
    size_t page = hak_os_page_size();
    (void)state;
    for (size_t bytes = 32769; bytes < 3 * MIB; bytes += 1237) {
        assert_int_equal(hak_large_good_size(bytes), (bytes + page - 1) / page * page);
    }
    assert_int_equal(hak_large_good_size(SIZE_MAX), SIZE_MAX);
    assert_int_equal(hak_large_good_size((size_t)PTRDIFF_MAX + 1), (size_t)PTRDIFF_MAX + 1);
}

static int start(void **state) {
    (void)state;
    hak_options.thp = HAK_THP_NEVER;
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    hak_thread_init(2);
    return 0;
}

/* Every test finds memory as the kernel gives it. */
static int begin(void **state) {
    (void)state;
    (void)hak_purge_all();
    lock_acquire(hak_arena_lock());
    (void)hak_arena_release_unused();
    lock_release(hak_arena_lock());
    return 0;
}

int main(void) {
#define LARGE_TEST(f) cmocka_unit_test_setup(f, begin)
    const struct CMUnitTest tests[] = {
        LARGE_TEST(random_operations_agree_with_the_model), LARGE_TEST(threads_that_keep_runs_agree_with_the_model),
        LARGE_TEST(a_spare_run_is_free_and_serves_again),   LARGE_TEST(a_spare_run_makes_way_for_larger_blocks),
        LARGE_TEST(of_two_that_free_a_block_one_does),      LARGE_TEST(of_a_free_and_a_resize_one_comes_first),
        LARGE_TEST(a_free_names_the_size_it_expects),       LARGE_TEST(other_memory_is_foreign_or_free),
        LARGE_TEST(a_large_block_grows_into_free_granules), LARGE_TEST(a_huge_block_stays_in_its_arena_or_its_mapping),
        LARGE_TEST(a_kept_mapping_is_a_block_again),        LARGE_TEST(a_mapping_moves_where_it_cannot_grow),
        LARGE_TEST(strict_alignments_get_mappings),         LARGE_TEST(good_sizes_are_whole_pages),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
