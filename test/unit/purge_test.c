/* purge_test.c
 * Purpose.     Dirty pages go back to the kernel when their delay is over, when too many wait, and on request; never
 *              pages in use, and never before.
 * Design.      The clock is the test's. Whether pages went back is asked of the kernel (mincore).
 */
#include "support/fake_os.h"
#include "support/unit.h"

#include <sys/mman.h>

#include "base/options.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/superslab.h"
#include "segment/view.h"

#define DELAY 1000

static uint64_t now_ms;

static void set_clock(uint64_t ms) {
    now_ms = ms;
    fake_os_set_clock(ms);
}

static size_t resident_granules(const void *p, unsigned granules) {
    static unsigned char resident[HAK_SUPERSLAB_SIZE / 4096];
    size_t pages = granules * HAK_GRANULE_SIZE / hak_os_page_size();
    size_t count = 0;
    assert_int_equal(mincore((void *)(uintptr_t)p, granules * HAK_GRANULE_SIZE, resident), 0);
    for (size_t i = 0; i < pages; i++) {
        count += resident[i] & 1;
    }
    return count * hak_os_page_size() / HAK_GRANULE_SIZE;
}

static struct slab *take_filled(unsigned granules) {
    bool zero;
    struct slab *run = hak_superslab_take(POOL_LARGE, granules, RUN_LARGE, 0, &zero);
    assert_non_null(run);
    memset((void *)run->base, 1, granules * HAK_GRANULE_SIZE);
    assert_int_equal(resident_granules((void *)run->base, granules), granules);
    return run;
}

static uint64_t retained_granules(void) {
    return hak_view.retained_bytes / HAK_GRANULE_SIZE;
}

static void pages_go_back_when_their_delay_is_over(void **state) {
    (void)state;
    struct slab *run = take_filled(10);
    struct slab *kept = take_filled(2);
    uintptr_t base = run->base;
    uint64_t purged = hak_view.purged_bytes;
    hak_superslab_give(run, 10);
    assert_int_equal(retained_granules(), 10);
    set_clock(now_ms + DELAY - 1);
    hak_purge_tick();
    assert_int_equal(resident_granules((void *)base, 10), 10);
    set_clock(now_ms + 1);
    hak_purge_tick();
    assert_int_equal(resident_granules((void *)base, 10), 0);
    assert_int_equal(resident_granules((void *)kept->base, 2), 2);
    assert_int_equal(retained_granules(), 0);
    assert_int_equal(hak_view.purged_bytes - purged, 10 * HAK_GRANULE_SIZE);
    assert_true(unit_is_zero((void *)base, 10 * HAK_GRANULE_SIZE));
    hak_superslab_give(kept, 2);
}

/* As far as it held data; whether it is a slab or a Large block, new or growing in place. */
static void what_waits_is_used_again(void **state) {
    (void)state;
    bool zero;
    uint64_t reused = hak_view.reused_bytes;
    struct slab *kept = take_filled(1), *run = take_filled(9);
    hak_superslab_give(run, 9);
    run = hak_superslab_take(POOL_LARGE, 4, RUN_LARGE, 0, &zero);
    assert_int_equal(hak_view.reused_bytes - reused, 4 * HAK_GRANULE_SIZE);
    lock_acquire(hak_arena_lock());
    assert_true(hak_superslab_extend(hak_superslab_of((void *)run->base), run, 12));
    lock_release(hak_arena_lock());
    assert_int_equal(hak_view.reused_bytes - reused, 9 * HAK_GRANULE_SIZE);
    hak_superslab_give(run, 12);
    hak_superslab_give(kept, 1);
    reused = hak_view.reused_bytes;
    for (unsigned touched = 0; touched < 4; touched++) {
        struct slab *slab = hak_superslab_take(POOL_TINY, 7, RUN_SLAB, 1u << 16 | 16, &zero);
        assert_int_equal(hak_view.reused_bytes - reused, touched == 0 ? 0 : (touched - 1) * HAK_GRANULE_SIZE);
        reused = hak_view.reused_bytes;
        slab->stale = false;
        hak_superslab_give(slab, touched);
    }
    (void)hak_purge_all();
    struct slab *slab = hak_superslab_take(POOL_TINY, 7, RUN_SLAB, 1u << 16 | 16, &zero);
    assert_int_equal(hak_view.reused_bytes - reused, 0);
    hak_superslab_give(slab, 0);
}

/* A tick that finds nothing due knows when to look again. */
static void units_go_back_each_in_its_turn(void **state) {
    (void)state;
    struct slab *first = take_filled(40);
    struct slab *second = take_filled(40);
    uintptr_t first_base = first->base, second_base = second->base;
    hak_superslab_give(first, 40);
    set_clock(now_ms + DELAY / 2);
    hak_superslab_give(second, 40);
    hak_purge_tick();
    assert_int_equal(retained_granules(), 80);
    set_clock(now_ms + DELAY / 2);
    hak_purge_tick();
    assert_int_equal(resident_granules((void *)first_base, 40), 0);
    assert_int_equal(resident_granules((void *)second_base, 40), 40);
    set_clock(now_ms + DELAY / 2 - 1);
    hak_purge_tick();
    assert_int_equal(retained_granules(), 40);
    set_clock(now_ms + 1);
    hak_purge_tick();
    assert_int_equal(retained_granules(), 0);
    struct slab *third = take_filled(40);
    hak_superslab_give(third, 40);
    set_clock(now_ms + DELAY);
    hak_purge_tick();
    assert_int_equal(retained_granules(), 0);
}

/* A thread may look at the clock, be stopped, and find a unit that became dirty later. */
static void a_unit_from_the_future_is_not_due(void **state) {
    (void)state;
    struct slab *run = take_filled(1);
    hak_superslab_give(run, 1);
    set_clock(now_ms - 1);
    hak_purge_tick();
    assert_int_equal(retained_granules(), 1);
}

static void all_on_request(void **state) {
    (void)state;
    struct slab *runs[8];
    for (unsigned i = 0; i < 8; i++) {
        runs[i] = take_filled(20);
    }
    for (unsigned i = 0; i < 8; i += 2) {
        hak_superslab_give(runs[i], 20);
    }
    assert_int_equal(retained_granules(), 80);
    assert_true(hak_purge_all());
    assert_int_equal(retained_granules(), 0);
    assert_true(list_is_empty(&hak_purge_queue));
    assert_false(hak_purge_all());
    for (unsigned i = 1; i < 8; i += 2) {
        assert_int_equal(resident_granules((void *)runs[i]->base, 20), 20);
        assert_int_equal(*(char *)runs[i]->base, 1);
        hak_superslab_give(runs[i], 20);
    }
}

static void without_delay_at_once(void **state) {
    (void)state;
    hak_options.purge_delay = 0;
    struct slab *run = take_filled(5);
    uintptr_t base = run->base;
    hak_superslab_give(run, 5);
    assert_int_equal(retained_granules(), 0);
    assert_int_equal(resident_granules((void *)base, 5), 0);
}

/* Of what is too much the oldest goes. */
static void what_waits_is_limited(void **state) {
    (void)state;
    enum { RUNS = 32 };
    struct slab *runs[RUNS];
    uintptr_t first = 0;
    for (unsigned i = 0; i < RUNS; i++) {
        runs[i] = take_filled(32);
    }
    first = runs[0]->base;
    for (unsigned i = 0; i < RUNS; i++) {
        hak_superslab_give(runs[i], 32);
        uint64_t limit = hak_view.active_bytes / 4;
        assert_true(hak_view.retained_bytes <= (limit > HAK_RETAINED_MIN_BYTES ? limit : HAK_RETAINED_MIN_BYTES));
    }
    assert_true(hak_view.retained_bytes > HAK_RETAINED_MIN_BYTES / 2);
    assert_int_equal(resident_granules((void *)first, 32), 0);
}

/* What is free where it cannot be used is exchanged for what is taken clean elsewhere. */
static void growing_purges_what_waits(void **state) {
    (void)state;
    struct slab *blocks[3], *grown[2];
    bool zero;
    for (unsigned i = 0; i < 3; i++) {
        blocks[i] = take_filled(40);
    }
    uintptr_t first = blocks[0]->base, second = blocks[1]->base;
    hak_superslab_give(blocks[0], 40);
    hak_superslab_give(blocks[1], 40);
    assert_int_equal(retained_granules(), 80);
    grown[0] = hak_superslab_take(POOL_TINY, 7, RUN_SLAB, 1u << 16 | 16, &zero);
    assert_true(zero);
    hak_purge_excess();
    assert_int_equal(retained_granules(), 80);
    grown[1] = hak_superslab_take(POOL_TINY, 1, RUN_SLAB, 1u << 16 | 16, &zero);
    hak_purge_excess();
    assert_int_equal(retained_granules(), 40);
    assert_int_equal(resident_granules((void *)first, 40), 0);
    assert_int_equal(resident_granules((void *)second, 40), 40);
    hak_superslab_give(blocks[2], 40);
    hak_superslab_give(grown[0], 0);
    hak_superslab_give(grown[1], 0);
}

/* Locked pages, say. Asked for once, and again when more is grown by, but not at every turn. */
static void what_the_kernel_refuses_is_not_exchanged(void **state) {
    (void)state;
    bool zero;
    struct slab *block = take_filled(40), *other = take_filled(30);
    hak_superslab_give(block, 40);
    fake_os_fail(FAKE_OS_BIT(PURGE), 1, UINT64_MAX);
    struct slab *grown = hak_superslab_take(POOL_TINY, 20, RUN_SLAB, 1u << 16 | 16, &zero);
    for (unsigned i = 0; i < 10; i++) {
        hak_purge_excess();
    }
    assert_int_equal(fake_os_failures(), 1);
    assert_int_equal(retained_granules(), 40);
    fake_os_succeed();
    hak_superslab_give(grown, 0);
    hak_superslab_give(other, 30);
}

/* Once it proves that what was exchanged is wanted back, as much may wait, and more: what else goes round with it need
 * not prove it piece by piece. */
static void what_is_wanted_back_may_wait(void **state) {
    (void)state;
    bool zero;
    uint64_t purged = 0;
    for (unsigned round = 0; round < 3; round++) {
        uint64_t before = hak_view.purged_bytes;
        struct slab *blocks = take_filled(40);
        struct slab *kept = take_filled(20);
        hak_superslab_give(blocks, 40);
        struct slab *grown = hak_superslab_take(POOL_TINY, 40, RUN_SLAB, 1u << 16 | 16, &zero);
        hak_purge_excess();
        purged = hak_view.purged_bytes - before;
        assert_int_equal(purged, round == 0 ? 40 * HAK_GRANULE_SIZE : 0);
        memset((void *)grown->base, 1, 40 * HAK_GRANULE_SIZE);
        hak_superslab_give(grown, 40);
        hak_superslab_give(kept, 20);
    }
    enum { BLOCKS = 7 };
    struct slab *blocks[BLOCKS], *kept[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = take_filled(40);
        kept[i] = take_filled(20);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        hak_superslab_give(blocks[i], 40);
    }
    purged = hak_view.purged_bytes;
    struct slab *grown = hak_superslab_take(POOL_TINY, 60, RUN_SLAB, 1u << 16 | 16, &zero);
    hak_purge_excess();
    assert_int_equal(hak_view.purged_bytes, purged);
    hak_superslab_give(grown, 0);
    for (unsigned i = 0; i < BLOCKS; i++) {
        hak_superslab_give(kept[i], 20);
    }
}

static void a_refusal_is_tried_again_after_another_delay(void **state) {
    (void)state;
    struct slab *run = take_filled(3);
    struct slab *other = take_filled(40);
    struct slab *filler = take_filled(40);
    hak_superslab_give(run, 3);
    hak_superslab_give(other, 40);
    uint64_t purged = hak_view.purged_bytes;
    fake_os_fail(FAKE_OS_BIT(PURGE), 1, UINT64_MAX);
    set_clock(now_ms + DELAY);
    hak_purge_tick();
    assert_false(hak_purge_all());
    fake_os_succeed();
    assert_int_equal(fake_os_failures(), 2);
    assert_int_equal(retained_granules(), 43);
    assert_int_equal(hak_view.purged_bytes, purged);
    set_clock(now_ms + DELAY);
    hak_purge_tick();
    assert_int_equal(retained_granules(), 0);
    hak_superslab_give(filler, 40);
}

static void a_tick_does_not_wait_for_the_lock(void **state) {
    (void)state;
    struct slab *run = take_filled(1);
    hak_superslab_give(run, 1);
    set_clock(now_ms + DELAY);
    lock_acquire(hak_arena_lock());
    hak_purge_tick();
    lock_release(hak_arena_lock());
    assert_int_equal(retained_granules(), 1);
    hak_purge_tick();
    assert_int_equal(retained_granules(), 0);
}

static int clean(void **state) {
    (void)state;
    fake_os_succeed();
    hak_options.purge_delay = DELAY;
    hak_options.thp = HAK_THP_NEVER;
    set_clock(now_ms + 100 * DELAY);
    (void)hak_purge_all();
    return hak_view.active_bytes + hak_view.retained_bytes == 0 ? 0 : -1;
}

static int start(void **state) {
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    return clean(state);
}

int main(void) {
#define PURGE_TEST(f) cmocka_unit_test_teardown(f, clean)
    const struct CMUnitTest tests[] = {
        PURGE_TEST(pages_go_back_when_their_delay_is_over),
        PURGE_TEST(what_waits_is_used_again),
        PURGE_TEST(units_go_back_each_in_its_turn),
        PURGE_TEST(a_unit_from_the_future_is_not_due),
        PURGE_TEST(all_on_request),
        PURGE_TEST(without_delay_at_once),
        PURGE_TEST(what_waits_is_limited),
        PURGE_TEST(growing_purges_what_waits),
        PURGE_TEST(what_the_kernel_refuses_is_not_exchanged),
        PURGE_TEST(what_is_wanted_back_may_wait),
        PURGE_TEST(a_refusal_is_tried_again_after_another_delay),
        PURGE_TEST(a_tick_does_not_wait_for_the_lock),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
