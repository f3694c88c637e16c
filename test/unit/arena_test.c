/* arena_test.c
 * Purpose.     Address space of hakmem: runs of units are disjoint, coalesce, keep what is known of their contents, and
 *              go back to the system when asked.
 * Design.      Random operations against a model that knows each unit by its address: who holds it, which granules of
 *              it were ever written. After every step all headers are walked by their boundary tags and compared with
 *              it. The units' owners write, so that overlapping runs destroy each other's marks.
 */
#include "support/fake_os.h"
#include "support/unit.h"

#include <sys/mman.h>

#include "base/bits.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/page_map.h"
#include "segment/view.h"

enum { SLOTS = 64, UNITS_MAX = 160, TRACKED_MAX = 1024 };

struct run {
    struct superslab *first;
    unsigned units;
    enum arena_use use;
    uint64_t seed;
};

/* What the model knows of a unit, for as long as its address space is hakmem's. */
struct tracked {
    uintptr_t base;
    uint64_t written; /* granules */
};

static struct {
    struct run run[SLOTS];
    struct tracked tracked[TRACKED_MAX];
    unsigned tracked_count;
    unsigned units_taken;
    uint64_t random;
} model;

static struct tracked *track(uintptr_t base) {
    for (unsigned i = 0; i < model.tracked_count; i++) {
        if (model.tracked[i].base == base) {
            return &model.tracked[i];
        }
    }
    assert_true(model.tracked_count < TRACKED_MAX);
    model.tracked[model.tracked_count] = (struct tracked){.base = base};
    return &model.tracked[model.tracked_count++];
}

static struct superslab *unit_at(const struct run *run, unsigned i) {
    return hak_arena_unit(run->first, run->first->index + i);
}

static void write_marks(struct run *run, unsigned from) {
    for (unsigned i = from; i < run->units; i++) {
        struct superslab *unit = unit_at(run, i);
        unit_mark_at((void *)unit->base, 64, run->seed + i);
    }
}

static void check_marks(const struct run *run) {
    for (unsigned i = 0; i < run->units; i++) {
        assert_true(unit_marked_at((void *)unit_at(run, i)->base, 64, run->seed + i));
    }
}

/* The headers of new units of a run say what the model knows; the run's user then holds all of their granules. */
static void check_taken(struct run *run, unsigned from) {
    assert_int_equal(run->first->units, run->units);
    for (unsigned i = from; i < run->units; i++) {
        struct superslab *unit = unit_at(run, i);
        assert_int_equal(unit->base, run->first->base + i * HAK_SUPERSLAB_SIZE);
        assert_int_equal(unit->index, run->first->index + i);
        assert_ptr_equal(unit->arena, run->first->arena);
        assert_true(unit->state != UNIT_FREE);
        assert_int_equal(unit->dirty, track(unit->base)->written);
        if (unit->dirty == 0) {
            assert_true(unit_is_zero((void *)unit->base, HAK_GRANULE_SIZE));
        }
        (void)!hak_unit_remove_dirty(unit, ~(uint64_t)0);
        unit->free = 0;
    }
    write_marks(run, from);
}

/* Says of the units that go back that their first granule was written, and some others. */
static void leave_units(struct run *run, unsigned from) {
    for (unsigned i = from; i < run->units; i++) {
        struct superslab *unit = unit_at(run, i);
        uint64_t left = 1 | (unit_random(&model.random) & unit_random(&model.random));
        track(unit->base)->written |= left;
        unit->free = ~(uint64_t)0;
        hak_unit_add_dirty(unit, track(unit->base)->written);
    }
}

static uint64_t purge_queue_length(void) {
    uint64_t length = 0;
    for (struct link *at = hak_purge_queue.next; at != &hak_purge_queue; at = at->next) {
        length++;
        assert_ptr_equal(at->next->prev, at);
    }
    return length;
}

static uint64_t units_of_arena(const struct superslab *unit) {
    uint64_t count = 0;
    while (true) {
        struct superslab *next = hak_superslab_of((void *)(unit->base + (count - unit->index) * HAK_SUPERSLAB_SIZE));
        if (next == NULL || next->arena != unit->arena) {
            return count;
        }
        count++;
    }
}

static bool is_taken(uintptr_t base) {
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct run *run = &model.run[i];
        if (run->units != 0 && base - run->first->base < run->units * HAK_SUPERSLAB_SIZE) {
            return true;
        }
    }
    return false;
}

/* Walks an arena by its boundary tags. Free runs are as long as they can be. */
static void check_arena(const struct superslab *any, uint64_t *dirty_units, uint64_t *dirty_granules) {
    uint64_t count = units_of_arena(any);
    bool free_before = false;
    for (uint32_t i = 0; i < count;) {
        struct superslab *unit = hak_arena_unit(any, i);
        bool is_free = unit->state == UNIT_FREE;
        uint32_t units = is_free ? unit->units : 1;
        assert_true(!(is_free && free_before));
        assert_true(units >= 1 && i + units <= count);
        assert_int_equal(hak_arena_unit(any, i + units - 1)->units, is_free ? units : unit->units);
        for (uint32_t j = i; j < i + units; j++) {
            struct superslab *each = hak_arena_unit(any, j);
            assert_int_equal(is_taken(each->base), !is_free);
            assert_true(hak_unit_is_valid(each));
            assert_ptr_equal(hak_superslab_of((void *)(each->base + HAK_SUPERSLAB_SIZE - 1)), each);
            *dirty_units += each->dirty != 0;
            *dirty_granules += (uint64_t)__builtin_popcountll(each->dirty);
            if (is_free) {
                assert_int_equal(each->dirty, track(each->base)->written);
            }
        }
        i += units;
        free_before = is_free;
    }
}

/* Returns the bytes of all arenas of which some unit was ever taken. */
static uint64_t check_everything(void) {
    const struct arena *seen[64];
    unsigned seen_count = 0;
    uint64_t dirty_units = 0;
    uint64_t dirty_granules = 0;
    uint64_t mapped = 0;
    for (unsigned t = 0; t < model.tracked_count; t++) {
        const struct superslab *unit = hak_superslab_of((void *)model.tracked[t].base);
        bool known = false;
        for (unsigned i = 0; i < seen_count && unit != NULL; i++) {
            known |= seen[i] == unit->arena;
        }
        if (unit == NULL || known) {
            continue;
        }
        assert_true(seen_count < 64);
        seen[seen_count++] = unit->arena;
        mapped += units_of_arena(unit) * HAK_SUPERSLAB_SIZE;
        check_arena(unit, &dirty_units, &dirty_granules);
    }
    assert_int_equal(purge_queue_length(), dirty_units);
    assert_int_equal(hak_view.retained_bytes, dirty_granules * HAK_GRANULE_SIZE);
    assert_true(hak_view.committed_bytes <= hak_view.mapped_bytes);
    assert_true(model.units_taken * HAK_SUPERSLAB_SIZE + hak_view.retained_bytes <= hak_view.committed_bytes);
    return mapped;
}

static struct run *take(unsigned slot, enum arena_use use, unsigned units) {
    struct run *run = &model.run[slot];
    *run = (struct run){.first = hak_arena_take(use, units), .use = use, .seed = unit_random(&model.random)};
    if (run->first == NULL) {
        return NULL;
    }
    assert_int_equal(run->first->base % HAK_SUPERSLAB_SIZE, 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct run *other = &model.run[i];
        assert_false(i != slot && other->units != 0 && other->use != use && other->first->arena == run->first->arena);
    }
    run->units = units;
    model.units_taken += units;
    check_taken(run, 0);
    return run;
}

/* Gives back the units of the run from `keep` on. */
static void give(struct run *run, unsigned keep) {
    check_marks(run);
    leave_units(run, keep);
    unsigned units = run->units - keep;
    run->units = keep;
    model.units_taken -= units;
    struct superslab *from = unit_at(run, keep);
    run->first->units = keep;
    hak_arena_give(from, units);
}

static void extend(struct run *run, unsigned more) {
    unsigned had = run->units;
    uint32_t next = run->first->index + had;
    bool room = next < units_of_arena(run->first) && hak_arena_unit(run->first, next)->state == UNIT_FREE &&
                hak_arena_unit(run->first, next)->units >= more;
    assert_int_equal(hak_arena_extend(run->first, had, more), room);
    if (room) {
        run->units = had + more;
        model.units_taken += more;
        check_taken(run, had);
    } else {
        assert_int_equal(run->first->units, had);
    }
    check_marks(run);
}

static void give_all(void) {
    for (unsigned i = 0; i < SLOTS; i++) {
        if (model.run[i].units != 0) {
            give(&model.run[i], 0);
        }
    }
}

/* Every test starts and ends without a reservation. */
static int forget_everything(void **state) {
    (void)state;
    give_all();
    (void)hak_arena_release_unused();
    bool clean = hak_view.mapped_bytes == 0 && hak_view.retained_bytes == 0 && hak_view.committed_bytes == 0;
    memset(&model, 0, sizeof model);
    model.random = 1;
    return clean ? 0 : -1;
}

static void random_operations_agree_with_the_model(void **state) {
    (void)state;
    for (unsigned step = 0; step < 3000; step++) {
        struct run *run = &model.run[unit_below(&model.random, SLOTS)];
        unsigned units = 1 + unit_below(&model.random, unit_below(&model.random, 4) == 0 ? ARENA_RUN_MAX : 4);
        if (run->units == 0) {
            if (model.units_taken + units <= UNITS_MAX) {
                enum arena_use use = unit_below(&model.random, 3) == 0 ? ARENA_TINY : ARENA_BLOCKS;
                assert_non_null(take((unsigned)(run - model.run), use, units));
            }
        } else if (unit_below(&model.random, 3) == 0 && run->units + units <= ARENA_RUN_MAX) {
            extend(run, units);
        } else if (unit_below(&model.random, 3) == 0) {
            give(run, unit_below(&model.random, run->units));
        } else {
            give(run, 0);
        }
        if (run->units == 0) {
            *run = (struct run){.units = 0};
        }
        assert_int_equal(check_everything(), hak_view.mapped_bytes);
    }
    give_all();
    assert_int_equal(check_everything(), hak_view.mapped_bytes);
}

static void neighbours_coalesce_whatever_the_order(void **state) {
    (void)state;
    for (unsigned order = 0; order < 6; order++) {
        static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        struct run *whole = take(3, ARENA_BLOCKS, ARENA_RUN_MAX);
        uintptr_t base = whole->first->base;
        give(whole, 0);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(take(i, ARENA_BLOCKS, i == 0 ? 6 : 5)->first->base,
                             base + (i == 0 ? 0 : i * 5 + 1) * HAK_SUPERSLAB_SIZE);
        }
        for (unsigned i = 0; i < 3; i++) {
            give(&model.run[orders[order][i]], 0);
            check_everything();
        }
        whole = take(3, ARENA_BLOCKS, ARENA_RUN_MAX);
        assert_int_equal(whole->first->base, base);
        give(whole, 0);
    }
}

static void extension_stops_at_used_units_and_at_the_end(void **state) {
    (void)state;
    struct run *run = take(0, ARENA_BLOCKS, 2);
    struct run *next = take(1, ARENA_BLOCKS, 3);
    assert_int_equal(next->first->base, run->first->base + 2 * HAK_SUPERSLAB_SIZE);
    assert_false(hak_arena_extend(run->first, 2, 1));
    give(next, 2);
    assert_false(hak_arena_extend(run->first, 2, 1));
    give(next, 0);
    uint64_t all = units_of_arena(run->first);
    extend(run, (unsigned)all - 2);
    assert_int_equal(run->units, all);
    assert_false(hak_arena_extend(run->first, run->units, 1));
    check_everything();
}

static void unused_arenas_go_back(void **state) {
    (void)state;
    struct run *kept = take(0, ARENA_BLOCKS, 1);
    struct run *other = take(1, ARENA_TINY, 1);
    uintptr_t gone = other->first->base;
    uint64_t bytes = units_of_arena(other->first) * HAK_SUPERSLAB_SIZE;
    uint64_t mapped = hak_view.mapped_bytes;
    unsigned char resident;
    assert_false(hak_arena_release_unused());
    give(other, 0);
    assert_true(hak_arena_release_unused());
    assert_int_equal(hak_view.mapped_bytes, mapped - bytes);
    assert_null(hak_superslab_of((void *)gone));
    assert_int_equal(mincore((void *)gone, hak_os_page_size(), &resident), -1);
    assert_int_equal(errno, ENOMEM);
    check_marks(kept);
    check_everything();
    assert_false(hak_arena_release_unused());
}

/* Metadata is never returned, so what is retired has to serve again. */
static void released_arenas_cost_no_metadata(void **state) {
    (void)state;
    uint64_t before = 0;
    for (unsigned round = 0; round < 40; round++) {
        model.tracked_count = 0;
        assert_non_null(take(0, ARENA_TINY, 3));
        give(&model.run[0], 0);
        assert_true(hak_arena_release_unused());
        if (round == 8) {
            before = hak_view.metadata_bytes;
        }
    }
    /* A new address may need another leaf of the tree of superslabs, not 31 of them. */
    assert_true(hak_view.metadata_bytes - before <= 4 * 32768);
}

static void reserves_less_where_much_is_refused(void **state) {
    (void)state;
    fake_os_fail(FAKE_OS_BIT(RESERVE_ALIGNED), 1, 1);
    struct run *run = take(0, ARENA_BLOCKS, 5);
    fake_os_succeed();
    assert_int_equal(fake_os_failures(), 1);
    assert_non_null(run);
    check_everything();
}

static void without_memory_nothing_changes(void **state) {
    static const unsigned sets[] = {FAKE_OS_BIT(RESERVE_ALIGNED), FAKE_OS_BIT(COMMIT)};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct run *run = i == 1 ? take(0, ARENA_BLOCKS, 3) : NULL;
        fake_os_fail(sets[i], 1, UINT64_MAX);
        struct run *second = i == 0 ? take(1, ARENA_TINY, 1) : take(1, ARENA_BLOCKS, ARENA_RUN_MAX);
        bool extended = i == 1 && hak_arena_extend(run->first, 3, 9);
        fake_os_succeed();
        assert_true(fake_os_failures() > 0);
        assert_null(second);
        assert_false(extended);
        if (run != NULL) {
            check_marks(run);
        }
        check_everything();
        assert_non_null(take(1, i == 0 ? ARENA_TINY : ARENA_BLOCKS, ARENA_RUN_MAX));
        check_everything();
        give_all();
        assert_true(hak_arena_release_unused());
        model.tracked_count = 0;
    }
}

static void what_another_use_has_reserved_is_better_than_nothing(void **state) {
    (void)state;
    struct run *run = take(0, ARENA_BLOCKS, 3);
    fake_os_fail(FAKE_OS_BIT(RESERVE_ALIGNED), 1, UINT64_MAX);
    struct superslab *first = hak_arena_take(ARENA_TINY, 2);
    fake_os_succeed();
    assert_true(fake_os_failures() > 0);
    assert_non_null(first);
    assert_ptr_equal(first->arena, run->first->arena);
    check_marks(run);
    hak_arena_give(first, 2);
    check_everything();
}

/* Where no more can be made accessible, free units that are will do, whatever they were meant for. */
static void accessible_units_are_found_wherever_they_are(void **state) {
    (void)state;
    for (unsigned use = 0; use < ARENA_USES; use++) {
        struct run *run = take(0, ARENA_BLOCKS, 9);
        uintptr_t base = run->first->base;
        give(run, 1);
        fake_os_fail(FAKE_OS_BIT(RESERVE_ALIGNED) | FAKE_OS_BIT(COMMIT), 1, UINT64_MAX);
        struct superslab *none = hak_arena_take(use, 9);
        struct superslab *first = hak_arena_take(use, 8);
        fake_os_succeed();
        assert_null(none);
        assert_non_null(first);
        assert_int_equal(first->base, base + HAK_SUPERSLAB_SIZE);
        model.run[1] = (struct run){.first = first, .units = 8, .use = ARENA_BLOCKS, .seed = use};
        model.units_taken += 8;
        check_taken(&model.run[1], 0);
        check_everything();
        give_all();
    }
}

static void an_arena_that_cannot_be_released_stays(void **state) {
    (void)state;
    assert_non_null(take(0, ARENA_TINY, 2));
    give(&model.run[0], 0);
    fake_os_fail(FAKE_OS_BIT(RELEASE), 1, UINT64_MAX);
    assert_false(hak_arena_release_unused());
    fake_os_succeed();
    check_everything();
    assert_non_null(take(0, ARENA_TINY, 2));
    check_everything();
}

static uint64_t advised_by_taking(unsigned slot, enum arena_use use, unsigned units) {
    uint64_t before = fake_os_calls(FAKE_OS_ADVISE_HUGE);
    assert_non_null(take(slot, use, units));
    return fake_os_calls(FAKE_OS_ADVISE_HUGE) - before;
}

static void what_is_large_asks_for_huge_pages(void **state) {
    (void)state;
    unsigned small = (unsigned)(HAK_HUGE_PAGE_HEAP_BYTES / HAK_SUPERSLAB_SIZE);
    hak_options.thp = HAK_THP_ADAPTIVE;
    assert_int_equal(advised_by_taking(0, ARENA_BLOCKS, ARENA_RUN_MAX), 0);
    assert_int_equal(advised_by_taking(1, ARENA_BLOCKS, 1), 0);
    assert_int_equal(advised_by_taking(2, ARENA_TINY, small), 0);
    assert_int_equal(advised_by_taking(3, ARENA_TINY, 1), 1);
    assert_int_equal(advised_by_taking(4, ARENA_HUGE, small), 0);
    assert_int_equal(advised_by_taking(5, ARENA_HUGE, 2), 1);
    lock_release(hak_arena_lock());
    for (unsigned heaps = 0; heaps < 3; heaps++) {
        hak_arena_add_heap();
    }
    lock_acquire(hak_arena_lock());
    assert_int_equal(advised_by_taking(8, ARENA_TINY, 2 * small - 1), 0);
    assert_int_equal(advised_by_taking(9, ARENA_TINY, 1), 1);
    hak_options.thp = HAK_THP_NEVER;
    assert_int_equal(advised_by_taking(6, ARENA_TINY, 1), 0);
    hak_options.thp = HAK_THP_ALWAYS;
    assert_int_equal(advised_by_taking(7, ARENA_BLOCKS, 1), 1);
    hak_options.thp = HAK_THP_ADAPTIVE;
}

static int start(void **state) {
    hak_page_map_init();
    hak_arena_init();
    lock_acquire(hak_arena_lock());
    return forget_everything(state);
}

int main(void) {
#define ARENA_TEST(f) cmocka_unit_test_teardown(f, forget_everything)
    const struct CMUnitTest tests[] = {
        ARENA_TEST(random_operations_agree_with_the_model),
        ARENA_TEST(neighbours_coalesce_whatever_the_order),
        ARENA_TEST(extension_stops_at_used_units_and_at_the_end),
        ARENA_TEST(unused_arenas_go_back),
        ARENA_TEST(released_arenas_cost_no_metadata),
        ARENA_TEST(reserves_less_where_much_is_refused),
        ARENA_TEST(without_memory_nothing_changes),
        ARENA_TEST(what_another_use_has_reserved_is_better_than_nothing),
        ARENA_TEST(what_is_large_asks_for_huge_pages),
        ARENA_TEST(accessible_units_are_found_wherever_they_are),
        ARENA_TEST(an_arena_that_cannot_be_released_stays),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
