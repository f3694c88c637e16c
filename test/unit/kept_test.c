/* kept_test.c
 * Purpose.     Which mappings of freed blocks wait for the next block, how much of them, and when they go.
 * Design.      Blocks are made and freed as heap/huge.c does it. The clock is the test's.
 */
#include "support/fake_os.h"
#include "support/unit.h"

#include "hakmem.h"

#include "base/options.h"
#include "heap/large.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/direct.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/superslab.h"
#include "segment/view.h"

#define DELAY 1000
#define MIB ((size_t)1 << 20)

static uint64_t now_ms;

static void set_clock(uint64_t ms) {
    now_ms = ms;
    fake_os_set_clock(ms);
}

static struct slab *take_filled(unsigned granules) {
    bool zero;
    struct slab *run = hak_superslab_take(POOL_LARGE, granules, RUN_LARGE, 0, &zero);
    assert_non_null(run);
    memset((void *)run->base, 1, granules * HAK_GRANULE_SIZE);
    return run;
}

/* A block of its own, as huge.c makes and frees it. */
static struct superslab *map_block(size_t bytes) {
    size_t again;
    struct direct_rest tail = {.bytes = 0};
    lock_acquire(hak_arena_lock());
    struct superslab *unit = hak_direct_reuse(bytes, HAK_SUPERSLAB_SIZE, &again, &tail);
    if (unit == NULL) {
        hak_purge_mapped(bytes);
        unit = hak_direct_map(bytes, HAK_SUPERSLAB_SIZE);
    }
    assert_non_null(unit);
    owner_add(&hak_view.active_bytes, unit->mapped_bytes);
    lock_release(hak_arena_lock());
    assert_int_equal(tail.bytes, 0);
    *(char *)unit->base = 1;
    return unit;
}

static bool unmap_block(struct superslab *unit) {
    lock_acquire(hak_arena_lock());
    owner_add(&hak_view.active_bytes, 0 - unit->mapped_bytes);
    bool kept = hak_purge_admits(unit->mapped_bytes);
    struct direct_rest rest = kept ? hak_direct_keep(unit) : hak_direct_retire(unit);
    lock_release(hak_arena_lock());
    assert_int_equal(rest.bytes == 0, kept);
    if (rest.bytes != 0)
        hak_direct_release(rest);
    hak_purge_excess();
    return kept;
}

static void tick_until_nothing_is_due(void) {
    uint64_t before;
    do {
        before = hak_view.retained_bytes;
        hak_purge_tick();
        assert_true(before - hak_view.retained_bytes <= 8 * HAK_SUPERSLAB_SIZE);
    } while (hak_view.retained_bytes != before);
}

static void mappings_that_are_wanted_again_are_kept(void **state) {
    (void)state;
    uint64_t purged = hak_view.purged_bytes;
    assert_false(unmap_block(map_block(80 * MIB)));
    set_clock(now_ms + DELAY + 1);
    assert_false(unmap_block(map_block(80 * MIB)));
    set_clock(now_ms + DELAY);
    assert_false(unmap_block(map_block(161 * MIB))); /* is not the like of it */
    assert_false(unmap_block(map_block(80 * MIB)));
    struct superslab *unit = map_block(80 * MIB);
    uintptr_t base = unit->base;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(unmap_block(unit));
        assert_int_equal(hak_view.retained_bytes, 80 * MIB);
        assert_ptr_equal(map_block(80 * MIB), unit);
        assert_int_equal(*(char *)base, 1);
        assert_int_equal(hak_view.retained_bytes, 0);
    }
    assert_int_equal(hak_view.purged_bytes, purged);
    assert_true(unmap_block(unit));
    set_clock(now_ms + DELAY - 1);
    tick_until_nothing_is_due();
    assert_int_equal(hak_view.retained_bytes, 80 * MIB);
    set_clock(now_ms + 1);
    tick_until_nothing_is_due();
    assert_int_equal(hak_view.retained_bytes, 0);
    assert_int_equal(hak_view.purged_bytes - purged, 80 * MIB);
    assert_null(hak_superslab_of((void *)base));
}

/* As other free memory, up to a quarter of what is in use; when that becomes less, they go. */
static void mappings_are_kept_beside_larger_ones(void **state) {
    (void)state;
    struct superslab *large = map_block(360 * MIB), *units[] = {map_block(64 * MIB), map_block(64 * MIB)};
    uintptr_t base = units[0]->base;
    assert_true(unmap_block(units[0]));
    assert_false(unmap_block(units[1]));
    struct slab *run = take_filled(4);
    hak_superslab_give(run, 4);
    assert_int_equal(hak_view.retained_bytes, 64 * MIB + 4 * HAK_GRANULE_SIZE);
    assert_int_equal(hak_superslab_of((void *)base)->state, UNIT_KEPT);
    assert_false(unmap_block(large));
    assert_int_equal(hak_view.retained_bytes, 4 * HAK_GRANULE_SIZE);
    assert_null(hak_superslab_of((void *)base));
}

/* Neither goes for the other: what was learned of mappings is for these, and what is exchanged is of units. */
static void mappings_and_units_wait_side_by_side(void **state) {
    enum { RUNS = 20 };
    (void)state;
    bool zero;
    struct slab *runs[RUNS];
    for (unsigned i = 0; i < RUNS; i++)
        runs[i] = take_filled(40);
    assert_false(unmap_block(map_block(600 * MIB)));
    assert_true(unmap_block(map_block(600 * MIB)));
    for (unsigned i = 0; i < RUNS; i++)
        hak_superslab_give(runs[i], 40);
    uint64_t units = hak_view.retained_bytes - 600 * MIB;
    assert_true(units > 0 && units <= 32 * MIB);
    struct slab *grown = hak_superslab_take(POOL_TINY, 60, RUN_SLAB, 1u << 16 | 16, &zero);
    hak_purge_excess();
    assert_true(hak_view.retained_bytes < units + 600 * MIB);
    assert_int_equal(hak_direct_kept_bytes(), 600 * MIB);
    hak_superslab_give(grown, 0);
    (void)hak_purge_mappings();
    assert_true(hak_view.retained_bytes > 0 && hak_view.retained_bytes <= 32 * MIB);
}

/* Of cycles in which more goes and comes, no more is kept than half of what is in use, or one mapping. */
static void what_is_kept_of_mappings_is_bounded(void **state) {
    enum { BLOCKS = 6 };
    (void)state;
    uint64_t most = 0;
    for (unsigned round = 0; round < 4; round++) {
        struct superslab *units[BLOCKS];
        for (unsigned i = 0; i < BLOCKS; i++) {
            units[i] = map_block(64 * MIB);
        }
        for (unsigned i = 0; i < BLOCKS; i++) {
            (void)unmap_block(units[i]);
        }
        most = round == 0 ? 0 : hak_view.retained_bytes > most ? hak_view.retained_bytes : most;
    }
    assert_true(most >= 64 * MIB && most <= (BLOCKS / 2 * 64 + 32) * MIB);
}

static void mappings_go_back_on_request(void **state) {
    (void)state;
    for (unsigned all = 0; all < 2; all++) {
        struct superslab *large = map_block(400 * MIB);
        uintptr_t base = map_block(64 * MIB)->base;
        assert_true(unmap_block(hak_superslab_of((void *)base)));
        assert_true(all ? hak_purge_all() : hak_purge_mappings());
        assert_false(all ? hak_purge_all() : hak_purge_mappings());
        assert_int_equal(hak_view.retained_bytes, 0);
        assert_null(hak_superslab_of((void *)base));
        assert_true(unmap_block(map_block(64 * MIB)));
        hak_options.purge_delay = 0;
        hak_purge_excess();
        assert_int_equal(hak_view.retained_bytes, 0);
        assert_false(unmap_block(map_block(64 * MIB)));
        hak_options.purge_delay = DELAY;
        (void)unmap_block(large);
        (void)hak_purge_all();
    }
}

/* Whoever frees one twice is told so, as long as it is kept; what lies behind it is somebody else's. */
static void a_kept_mapping_is_free(void **state) {
    struct large_info info;
    (void)state;
    char *large = hak_large_alloc(400 * MIB, 16, false), *start = hak_large_alloc(81 * MIB, 16, false);
    assert_true(large != NULL && start != NULL);
    assert_int_equal(hak_large_free(start, 0, &info), LARGE_FOUND);
    assert_int_equal(hak_superslab_of(start)->state, UNIT_KEPT);
    const char *inside[] = {start, start + MIB, start + 81 * MIB - 1};
    for (unsigned i = 0; i < sizeof inside / sizeof *inside; i++) {
        assert_int_equal(hak_large_find(inside[i], &info), LARGE_IS_FREE);
    }
    assert_int_equal(hak_large_find(start + 81 * MIB, &info), LARGE_FOREIGN);
    assert_true(hak_owns(start) && !hak_owns(start + 81 * MIB));
    assert_false(hak_large_fits(start, 81 * MIB));
    assert_int_equal(hak_large_free(start, 0, &info), LARGE_IS_FREE);
    assert_ptr_equal(hak_large_alloc(75 * MIB, 16, false), start);
    assert_int_equal(hak_view.retained_bytes, 0);
    assert_int_equal(hak_large_free(start, 0, &info), LARGE_FOUND);
    assert_int_equal(hak_large_free(large, 0, &info), LARGE_FOUND);
}

static void use_block(size_t bytes, size_t alignment, bool zeroed) {
    struct large_info info;
    char *block = hak_large_alloc(bytes, alignment, zeroed);
    assert_non_null(block);
    assert_int_equal(hak_large_free(block, 0, &info), LARGE_FOUND);
}

/* Pages that were kept are worth no more than fresh ones where zeros are asked for; and to map a few is no work. */
static void what_would_gain_nothing_is_not_kept(void **state) {
    struct large_info info;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        use_block(80 * MIB, 16, true);
        assert_int_equal(hak_view.retained_bytes, 0);
    }
    char *large = hak_large_alloc(400 * MIB, 16, false);
    assert_non_null(large);
    use_block(5000, 64 * MIB, false);
    assert_int_equal(hak_view.retained_bytes, 0);
    use_block(80 * MIB, 64 * MIB, false);
    assert_int_equal(hak_view.retained_bytes, 80 * MIB);
    assert_int_equal(hak_large_free(large, 0, &info), LARGE_FOUND);
}

/* What waits in vain is less in time. So less than 32 MiB are left of what was learned. */
static int forget_learned(void **state) {
    (void)state;
    fake_os_succeed();
    hak_options.purge_delay = DELAY;
    (void)hak_purge_all();
    for (unsigned i = 0; i == 0 || unmap_block(map_block(64 * MIB)); i++) {
        assert_true(i < 30);
        set_clock(now_ms + DELAY + 1);
        tick_until_nothing_is_due();
    }
    set_clock(now_ms + DELAY + 1);
    return hak_view.active_bytes + hak_view.retained_bytes == 0 ? 0 : -1;
}

static int start(void **state) {
    hak_options.thp = HAK_THP_NEVER;
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    set_clock(100 * DELAY);
    return forget_learned(state);
}

int main(void) {
#define KEPT_TEST(f) cmocka_unit_test_teardown(f, forget_learned)
    const struct CMUnitTest tests[] = {
        KEPT_TEST(mappings_that_are_wanted_again_are_kept),
        KEPT_TEST(mappings_are_kept_beside_larger_ones),
        KEPT_TEST(mappings_and_units_wait_side_by_side),
        KEPT_TEST(what_is_kept_of_mappings_is_bounded),
        KEPT_TEST(mappings_go_back_on_request),
        KEPT_TEST(a_kept_mapping_is_free),
        KEPT_TEST(what_would_gain_nothing_is_not_kept),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
