/* class_sum_test.c
 * Purpose.     What a record counts of a class is what its thread has done, though it moves the ends of its countdowns
 *              while somebody else looks.
 * Design.      The other thread's stores happen between the loads of the one that looks: before any of them, up to
 *              three times, and for ever.
 */
#include "support/unit.h"

#include "base/atomic.h"

static void the_thread_goes_on(void);

#undef load_acquire
#define load_acquire(p) (the_thread_goes_on(), __atomic_load_n((p), __ATOMIC_ACQUIRE))

#include "base/figures.h"

enum { SIZE_CLASS = 5, MALLOCS = 900, FREES = 4960, REMOTE_FREES = 7, MOVES = 3, LOADS_MAX = 6 * (MOVES + 1) };

static struct hak_thread_view thread;
static unsigned loads, loads_between, moves_left;
static bool moves_frees;

/* What chores do, or a look at a list that may be full: no count changes. */
static void the_thread_goes_on(void) {
    struct hak_slot *slot = &thread.slot[SIZE_CLASS];
    struct hak_flow *flow = &thread.flow[SIZE_CLASS];
    if (loads++ % (loads_between + 1) != loads_between || moves_left == 0)
        return;
    moves_left--;
    if (moves_frees) {
        flow->frees_end += HAK_CACHE_BLOCKS;
        slot->frees_left += HAK_CACHE_BLOCKS;
    } else {
        flow->mallocs_end += HAK_CHORES_INTERVAL;
        slot->mallocs_left += HAK_CHORES_INTERVAL;
    }
}

static struct hak_class_sum look(unsigned between, unsigned moves) {
    thread.slot[SIZE_CLASS] = (struct hak_slot){.mallocs_left = 100, .frees_left = 40};
    thread.flow[SIZE_CLASS] =
        (struct hak_flow){.mallocs_end = MALLOCS + 100, .frees_end = FREES + 40, .remote_frees = REMOTE_FREES};
    loads = 0;
    loads_between = between;
    moves_left = moves;
    return figures_class_sum(&thread, SIZE_CLASS);
}

static void ends_may_move_at_any_time(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2 * LOADS_MAX; i++) {
        moves_frees = i % 2 != 0;
        for (unsigned moves = 0; moves <= MOVES; moves++) {
            struct hak_class_sum sum = look(i / 2, moves);
            assert_int_equal(sum.mallocs, MALLOCS);
            assert_int_equal(sum.frees, FREES + REMOTE_FREES);
            assert_true(moves == 0 || i / 2 >= 4 || moves_left < moves);
        }
    }
}

static void the_looks_have_an_end(void **state) {
    (void)state;
    for (unsigned between = 0; between < LOADS_MAX; between++) {
        (void)look(between, 1000);
        assert_true(loads >= 4 && loads <= LOADS_MAX);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_may_move_at_any_time),
        cmocka_unit_test(the_looks_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
