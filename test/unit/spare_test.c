/* spare_test.c
 * Purpose.     What a thread keeps of the runs of its Large blocks: no more than it has shown to use, each run once,
 *              the latest first, and all of it comes back.
 * Design.      Runs are taken from the arena and given to spares of the test's own: what is missing at the end shows as
 *              memory in use.
 */
#include "support/expect.h"
#include "support/unit.h"

#include <pthread.h>

#include "base/options.h"
#include "heap/spare.h"
#include "os/os.h"
#include "segment/limit.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/view.h"

enum { LIVE = 40 };

static struct spares spares;

static struct slab *from_arena(unsigned granules) {
    bool zero;
    struct slab *run = hak_superslab_take(POOL_LARGE, granules, RUN_SPARE, 0, &zero);
    assert_non_null(run);
    return run;
}

static void give(struct slab *run) {
    hak_superslab_give(run, run->granules);
}

static struct slab *take(unsigned granules) {
    struct slab *run = hak_spare_take(&spares, granules);
    return run != NULL ? run : from_arena(granules);
}

/* True if it is kept. */
static bool put(struct slab *run) {
    bool kept = hak_spare_put(&spares, run);
    if (!kept)
        give(run);
    return kept;
}

/* Of that length, until one is kept. */
static void earn(unsigned granules) {
    for (unsigned i = 0; i < 3; i++) {
        if (put(take(granules)))
            return;
    }
    fail();
}

/* Takes `count` of one granule and gives all of them up again, in so many turns. */
static void take_and_put(struct slab **run, unsigned count, unsigned turns) {
    for (unsigned turn = 0; turn < turns; turn++) {
        for (unsigned i = 0; i < count; i++)
            run[i] = take(1);
        for (unsigned i = 0; i < count; i++)
            (void)put(run[i]);
    }
}

static uint64_t held(void) {
    uint64_t granules = 0;
    for (unsigned i = 0; i < spares.count; i++) {
        const struct slab *run = spares.run[i];
        assert_int_equal(run->kind, RUN_SPARE);
        granules += run->granules;
        for (unsigned k = 0; k < i; k++)
            assert_ptr_not_equal(run, spares.run[k]);
    }
    assert_int_equal(spares.granules, granules);
    assert_true(granules <= spares.room && spares.room <= HAK_SPARE_GRANULES);
    return granules;
}

static int flush(void **state) {
    (void)state;
    hak_spare_flush(&spares);
    hak_spare_collect();
    memset(&spares, 0, sizeof spares);
    (void)hak_purge_all();
    return hak_view.active_bytes == 0 ? 0 : -1;
}

static void who_only_frees_keeps_nothing(void **state) {
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        assert_false(put(from_arena(1 + i % HAK_SPARE_RUN_MAX)));
    assert_int_equal(held(), 0);
}

static void who_only_takes_has_no_room(void **state) {
    (void)state;
    struct slab *run[LIVE];
    for (unsigned i = 0; i < LIVE; i++)
        run[i] = take(1 + i % HAK_SPARE_RUN_MAX);
    assert_int_equal(spares.room, 0);
    for (unsigned i = 0; i < LIVE; i++)
        (void)put(run[i]);
    assert_int_equal(held(), 0);
}

static void who_does_both_gets_the_same_run_again(void **state) {
    (void)state;
    earn(3);
    struct slab *run = hak_spare_take(&spares, 3);
    assert_non_null(run);
    uint64_t reused = hak_view.reused_bytes;
    for (unsigned i = 0; i < 100; i++) {
        assert_true(put(run));
        assert_ptr_equal(take(3), run);
    }
    assert_int_equal(hak_view.reused_bytes, reused);
    assert_true(put(run));
    assert_int_equal(held(), 3);
}

static void another_length_is_another_matter(void **state) {
    (void)state;
    earn(3);
    assert_null(hak_spare_take(&spares, 2));
    assert_null(hak_spare_take(&spares, 4));
    assert_int_equal(held(), 3);
}

static void the_latest_comes_first(void **state) {
    (void)state;
    struct slab *run[4];
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = 0; i < 4; i++)
            run[i] = take(2);
        for (unsigned i = 0; i < 4; i++)
            (void)put(run[i]);
    }
    assert_int_equal(held(), 8);
    for (unsigned i = 4; i-- > 0;)
        assert_ptr_equal(hak_spare_take(&spares, 2), run[i]);
    for (unsigned i = 0; i < 4; i++)
        give(run[i]);
}

static void long_runs_are_not_kept(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        assert_false(put(take(HAK_SPARE_RUN_MAX + 1)));
    for (unsigned i = 0; i < 10; i++)
        assert_false(put(take(HAK_GRANULES / 2)));
    earn(HAK_SPARE_RUN_MAX);
}

/* The next ones find room without a way to the arena for each. */
static void the_oldest_half_makes_room(void **state) {
    (void)state;
    struct slab *run[HAK_SPARE_GRANULES + 1];
    take_and_put(run, HAK_SPARE_GRANULES, 3);
    assert_int_equal(held(), HAK_SPARE_GRANULES);
    run[HAK_SPARE_GRANULES] = from_arena(1);
    assert_true(put(run[HAK_SPARE_GRANULES]));
    assert_int_equal(held(), HAK_SPARE_GRANULES / 2 + 1);
    for (unsigned i = HAK_SPARE_GRANULES; spares.count > 0; i--)
        give(hak_spare_take(&spares, 1) == run[i] ? run[i] : NULL);
}

static void what_is_not_used_goes_at_the_second_look(void **state) {
    (void)state;
    earn(3);
    hak_spare_cool(&spares);
    assert_int_equal(held(), 3);
    hak_spare_cool(&spares);
    assert_int_equal(hak_view.active_bytes, 0);
    assert_int_equal(spares.room, 0);
}

static void where_nothing_is_retained_nothing_is_kept(void **state) {
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        hak_spare_collect();
        earn(2);
        earn(3);
        struct slab *run = from_arena(2);
        hak_limits.noted = way % 2;
        hak_options.purge_delay = way % 2 != 0 ? 1000 : 0;
        if (way < 2)
            hak_spare_cool(&spares);
        else
            assert_false(hak_spare_put(&spares, run));
        assert_int_equal(held(), 0);
        assert_int_equal(hak_view.active_bytes, 2 * HAK_GRANULE_SIZE);
        give(run);
        hak_limits.noted = 0;
        hak_options.purge_delay = 1000;
    }
}

/* A signal handler's call does not touch what the one that it interrupts is changing; a fork's child does. */
static void what_a_call_is_changing_is_left_alone(void **state) {
    (void)state;
    earn(2);
    struct slab *run = from_arena(2);
    spares.busy = true;
    assert_false(hak_spare_put(&spares, run));
    assert_null(hak_spare_take(&spares, 2));
    hak_spare_flush(&spares);
    hak_spare_cool(&spares);
    hak_spare_cool(&spares);
    assert_int_equal(held(), 2);
    hak_spare_adopt(&spares);
    assert_int_equal(held(), 0);
    assert_false(spares.busy);
    assert_int_equal(hak_view.active_bytes, 2 * HAK_GRANULE_SIZE);
    give(run);
}

/* A thread that only frees has no other look at the clock. */
static void what_is_due_goes_when_some_are_given(void **state) {
    struct slab *run[HAK_SPARE_GRANULES + 1];
    (void)state;
    take_and_put(run, HAK_SPARE_GRANULES, 3);
    assert_int_equal(held(), HAK_SPARE_GRANULES);
    run[0] = from_arena(1);
    give(from_arena(8));
    assert_true(hak_view.retained_bytes >= 8 * HAK_GRANULE_SIZE);
    hak_options.purge_delay = 1;
    for (uint64_t begun = hak_os_now_ms(); hak_os_now_ms() < begun + 2;) {
    }
    assert_true(put(run[0]));
    assert_int_equal(hak_view.retained_bytes, 0);
    hak_options.purge_delay = 1000;
}

/* The spares of the test are those of the thread that takes. */
static struct spares freeing;

static bool put_freeing(struct slab *run) {
    bool left = hak_spare_put(&freeing, run);
    assert_int_equal(freeing.count, 0);
    if (!left)
        give(run);
    return left;
}

static void what_one_thread_missed_another_leaves_for_it(void **state) {
    (void)state;
    struct slab *run = from_arena(2);
    assert_false(put_freeing(run));
    run = take(2);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(put_freeing(run));
        assert_ptr_equal(hak_spare_take(&spares, 2), run);
    }
    assert_int_equal(held(), 0);
    assert_true(put_freeing(run));
    assert_null(hak_spare_take(&spares, 1));
    assert_ptr_equal(hak_spare_take(NULL, 2), run); /* a thread without a record takes and leaves */
    assert_true(hak_spare_put(NULL, run));
    memset(&freeing, 0, sizeof freeing);
}

/* 512 KiB of a length, six at most. */
static void few_are_left_for_others(void **state) {
    static const unsigned most[HAK_SPARE_RUN_MAX + 1] = {0, 6, 4, 2, 2, 1, 1, 1, 1};
    (void)state;
    for (unsigned granules = 1; granules <= HAK_SPARE_RUN_MAX; granules++) {
        assert_null(hak_spare_take(&spares, granules));
        for (unsigned i = 0; i < 10; i++)
            assert_false(put_freeing(from_arena(granules)));
        for (unsigned i = 0; i < 10; i++)
            assert_null(hak_spare_take(&spares, granules));
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(put_freeing(from_arena(granules)), i < most[granules]);
    }
    memset(&freeing, 0, sizeof freeing);
}

static void what_nobody_takes_goes_to_the_arena(void **state) {
    (void)state;
    assert_false(put_freeing(from_arena(3)));
    assert_null(hak_spare_take(&spares, 3));
    assert_true(put_freeing(from_arena(3)));
    hak_options.purge_delay = 3600000;
    hak_spare_tick();
    hak_spare_tick();
    assert_int_equal(hak_view.active_bytes, 3 * HAK_GRANULE_SIZE);
    hak_options.purge_delay = 1; /* any time is long enough */
    hak_spare_tick();
    assert_int_equal(hak_view.active_bytes, 0);
    assert_false(put_freeing(from_arena(3)));
    assert_null(hak_spare_take(&spares, 3));
    assert_true(put_freeing(from_arena(3)));
    assert_true(put_freeing(hak_spare_take(&spares, 3)));
    hak_spare_tick(); /* one was taken since the last look */
    assert_int_equal(hak_view.active_bytes, 3 * HAK_GRANULE_SIZE);
    hak_spare_tick();
    assert_int_equal(hak_view.active_bytes, 0);
    hak_options.purge_delay = 1000;
    memset(&freeing, 0, sizeof freeing);
}

enum { THREADS = 4, PASSED = 16 };

static struct slab *passed[PASSED]; /* atomic: runs that one thread has taken and another will free */

/* What a thread misses that it had itself, and had no room for, it does not expect of others. */
static void who_gave_it_away_asks_nobody(void **state) {
    (void)state;
    struct slab *run[HAK_SPARE_GRANULES + 4];
    take_and_put(run, HAK_SPARE_GRANULES + 4, 8);
    assert_int_equal(spares.room, HAK_SPARE_GRANULES);
    assert_false(put_freeing(from_arena(1)));
    assert_null(hak_spare_take(NULL, 1));
}

/* Where a superslab more would be taken, and what is kept was of no use since the last time. Room stays earned. */
static void what_is_spare_makes_way(void **state) {
    (void)state;
    earn(4);
    give(hak_spare_take(&spares, 4));
    hak_spare_make_way(&spares, 20);
    for (unsigned turn = 0; turn < 2; turn++) {
        unsigned granules = turn == 0 ? 20 : HAK_GRANULES;
        assert_true(put(from_arena(4)));
        struct slab *filler = turn == 0 ? from_arena(HAK_GRANULES - 10) : NULL;
        uint64_t active = hak_view.active_bytes;
        hak_spare_make_way(&spares, 6);
        assert_int_equal(held(), 4);
        struct slab *run = hak_spare_take(&spares, 4);
        assert_true(put(run));
        hak_spare_make_way(&spares, granules);
        assert_int_equal(held(), 4);
        hak_spare_make_way(&spares, granules);
        assert_int_equal(held(), 0);
        assert_int_equal(hak_view.active_bytes, active - 4 * HAK_GRANULE_SIZE);
        if (filler != NULL)
            give(filler);
    }
    hak_spare_make_way(&spares, HAK_GRANULES);
    hak_spare_make_way(NULL, HAK_GRANULES);
}

/* A run says who has it in large_bytes: 0, nobody. */
static void *pass_runs_on(void *argument) {
    uint64_t random = (uintptr_t)argument, me = random;
    struct spares own = {.count = 0};
    for (unsigned step = 0; step < (UNIT_SHADOW_MEMORY ? 4000 : 40000); step++) {
        unsigned granules = 1 + unit_below(&random, 4);
        struct slab *run = hak_spare_take(&own, granules);
        if (run == NULL) {
            run = from_arena(granules);
            run->large_bytes = 0;
        }
        EXPECT(run->granules == granules && run->kind == RUN_SPARE && run->large_bytes == 0);
        run->large_bytes = me;
        run = __atomic_exchange_n(&passed[unit_below(&random, PASSED)], run, __ATOMIC_ACQ_REL);
        if (run != NULL) {
            EXPECT(run->large_bytes != 0);
            run->large_bytes = 0;
            if (!hak_spare_put(&own, run))
                give(run);
        }
        if (step % 1000 == 0)
            hak_spare_tick();
    }
    hak_spare_flush(&own);
    return NULL;
}

static void a_run_is_in_one_place(void **state) {
    pthread_t thread[THREADS];
    (void)state;
    hak_options.purge_delay = 1;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, pass_runs_on, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    hak_options.purge_delay = 1000;
    for (unsigned i = 0; i < PASSED; i++) {
        if (passed[i] != NULL)
            give(passed[i]);
    }
}

static void random_turns_keep_the_books(void **state) {
    uint64_t random = 7;
    struct slab *live[LIVE] = {NULL};
    uint64_t granules = 0;
    (void)state;
    for (unsigned step = 0; step < 20000; step++) {
        struct slab **at = &live[unit_below(&random, LIVE)];
        if (*at == NULL) {
            unsigned want = 1 + unit_below(&random, step % 4000 < 2000 ? 4 : HAK_SPARE_RUN_MAX + 2);
            *at = take(want);
            assert_int_equal((*at)->granules, want);
            granules += want;
        } else {
            granules -= (*at)->granules;
            (void)put(*at);
            *at = NULL;
        }
        for (unsigned i = 0; i < spares.count && *at != NULL; i++)
            assert_ptr_not_equal(*at, spares.run[i]);
        uint64_t others = hak_view.active_bytes / HAK_GRANULE_SIZE - granules - held();
        assert_true(others <= HAK_SPARE_RUN_MAX * HAK_SPARE_RUN_MAX);
    }
    assert_int_equal(spares.room, HAK_SPARE_GRANULES);
    for (unsigned i = 0; i < LIVE; i++) {
        if (live[i] != NULL)
            give(live[i]);
    }
}

static int start(void **state) {
    (void)state;
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    return 0;
}

int main(void) {
#define SPARE_TEST(f) cmocka_unit_test_setup_teardown(f, flush, flush)
    const struct CMUnitTest tests[] = {
        SPARE_TEST(who_only_frees_keeps_nothing),
        SPARE_TEST(who_only_takes_has_no_room),
        SPARE_TEST(who_does_both_gets_the_same_run_again),
        SPARE_TEST(another_length_is_another_matter),
        SPARE_TEST(the_latest_comes_first),
        SPARE_TEST(long_runs_are_not_kept),
        SPARE_TEST(the_oldest_half_makes_room),
        SPARE_TEST(what_is_not_used_goes_at_the_second_look),
        SPARE_TEST(where_nothing_is_retained_nothing_is_kept),
        SPARE_TEST(what_a_call_is_changing_is_left_alone),
        SPARE_TEST(what_is_due_goes_when_some_are_given),
        SPARE_TEST(what_one_thread_missed_another_leaves_for_it),
        SPARE_TEST(few_are_left_for_others),
        SPARE_TEST(what_nobody_takes_goes_to_the_arena),
        SPARE_TEST(who_gave_it_away_asks_nobody),
        SPARE_TEST(what_is_spare_makes_way),
        SPARE_TEST(a_run_is_in_one_place),
        SPARE_TEST(random_turns_keep_the_books),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
