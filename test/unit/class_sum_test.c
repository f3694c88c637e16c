/* class_sum_test.c
 * Purpose.     What a record counts of a class is what its thread has done, though it moves words that count together
 *              while somebody else looks: from a count to a countdown, from the heap into the list, to another array.
 * Design.      The sources that move them are compiled here with stores that are written down. Each call that moved
 *              something is then played back on a copy of the record while that is looked at: some stores before the
 *              first load, some before a later one, in every way.
 */
#include "support/unit.h"

#include "base/atomic.h"

static void loading(void);
static void stored(void);

#undef load_acquire
#undef load_relaxed
#undef store_release
#undef store_relaxed
#undef owner_store
#define load_acquire(p) (loading(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define load_relaxed(p) (loading(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define store_release(p, v) (__atomic_store_n((p), (v), __ATOMIC_RELEASE), stored())
#define store_relaxed(p, v) (__atomic_store_n((p), (v), __ATOMIC_RELAXED), stored())
#define owner_store(p, v) (__atomic_store_n((p), (v), __ATOMIC_RELAXED), stored())

#include "heap/thread_capacity.c"

#include "heap/thread.c"

enum { SIZE_CLASS = 5, BLOCKS = 8000, STEPS_MAX = 64, LOADS_PER_LOOK = 12 };
enum { LOADS_MAX = FIGURES_LOOKS_MAX * LOADS_PER_LOOK };

/* What a class counts with, and what is written down of it. */
struct words {
    struct hak_slot slot;
    struct hak_flow flow;
};

#define WORD(member)                                                                                                   \
    { offsetof(struct words, member), sizeof(((struct words *)0)->member) }
static const struct {
    size_t offset, size;
} word[] = {
    WORD(slot.frees_left), WORD(slot.top),      WORD(slot.room),  WORD(flow.base),         WORD(flow.frees_end),
    WORD(flow.taken),      WORD(flow.returned), WORD(flow.moves), WORD(flow.passed_frees),
};
enum { WORDS = sizeof word / sizeof *word, FREES_LEFT = 0, TOP = 1, ROOM, BASE, FREES_END, TAKEN, RETURNED, MOVES };

static struct step {
    unsigned word;
    uint64_t value;
} steps[STEPS_MAX];
static unsigned step_count;
static bool writes_down;
static struct words known;

static struct words words_of(const struct hak_thread_view *view) {
    return (struct words){view->slot[SIZE_CLASS], view->flow[SIZE_CLASS]};
}

/* What has changed since the last store. What a single instruction of the fast path changes is no store of these and
 * comes first. */
static void stored(void) {
    if (!writes_down)
        return;
    struct words now = words_of(&hak_thread_self->view);
    for (unsigned i = 0; i < WORDS; i++) {
        struct step step = {.word = i};
        if (memcmp((char *)&now + word[i].offset, (char *)&known + word[i].offset, word[i].size) == 0)
            continue;
        memcpy(&step.value, (char *)&now + word[i].offset, word[i].size);
        assert_true(step_count < STEPS_MAX);
        steps[step_count++] = step;
    }
    known = now;
}

/* ---- the one who looks ---- */

static struct hak_thread_view copy;
static unsigned loads, pause_at, steps_then, steps_done;
static bool looks, never_ends;

static void do_steps(unsigned count) {
    for (; count > 0 && steps_done < step_count; count--, steps_done++) {
        const struct step *step = &steps[steps_done];
        struct words now = words_of(&copy);
        memcpy((char *)&now + word[step->word].offset, &step->value, word[step->word].size);
        copy.slot[SIZE_CLASS] = now.slot;
        copy.flow[SIZE_CLASS] = now.flow;
    }
}

/* A thread that is not stopped where it moves words goes on with that. */
static void loading(void) {
    if (!looks)
        return;
    if (never_ends)
        copy.flow[SIZE_CLASS].moves += 2;
    else if (loads == pause_at)
        do_steps(steps_then);
    else if (loads > pause_at && (copy.flow[SIZE_CLASS].moves & 1) != 0)
        do_steps(1);
    loads++;
}

static struct hak_class_sum look(void) {
    loads = 0;
    looks = true;
    struct hak_class_sum sum = figures_class_sum(&copy, SIZE_CLASS);
    looks = false;
    assert_in_range(loads, LOADS_PER_LOOK / 2, LOADS_MAX);
    return sum;
}

static bool is_near(uint64_t found, uint64_t expected, uint64_t most_off) {
    return found + most_off >= expected && found <= expected + most_off;
}

/* Plays back what a call did to a record that had counted so much before, and may be off by the call itself. */
static void expect_looks(const struct words *before, struct hak_class_sum expected, uint64_t most_off) {
    for (unsigned first = 0; first <= step_count; first++)
        for (steps_then = 0; steps_then <= step_count - first; steps_then++)
            for (pause_at = 0; pause_at < LOADS_PER_LOOK; pause_at++) {
                copy.slot[SIZE_CLASS] = before->slot;
                copy.flow[SIZE_CLASS] = before->flow;
                steps_done = 0;
                do_steps(first);
                struct hak_class_sum sum = look();
                if (is_near(sum.mallocs, expected.mallocs, most_off) && is_near(sum.frees, expected.frees, most_off))
                    continue;
                fail_msg("%u steps, and %u before load %u: %lld mallocs, %lld frees more", first, steps_then, pause_at,
                         (long long)(sum.mallocs - expected.mallocs), (long long)(sum.frees - expected.frees));
            }
}

/* ---- the thread ---- */

static uint64_t mallocs, frees;
static unsigned moved[WORDS]; /* calls that moved words, by word */

static struct words begin_call(void) {
    step_count = 0;
    known = words_of(&hak_thread_self->view);
    writes_down = true;
    return known;
}

static void end_call(const struct words *before, uint64_t most_off) {
    stored();
    writes_down = false;
    bool moves = before->flow.moves != known.flow.moves;
    for (unsigned i = 0; i < step_count && moves; i++)
        moved[steps[i].word]++;
    if (moves || most_off == 0)
        expect_looks(before, (struct hak_class_sum){mallocs, frees}, most_off);
}

static void *take(void) {
    struct words before = begin_call();
    void *block = hak_thread_take(hak_thread_self, SIZE_CLASS);
    end_call(&before, 1);
    assert_non_null(block);
    mallocs++;
    return block;
}

static void keep(void *block) {
    struct words before = begin_call();
    hak_thread_keep(hak_thread_self, SIZE_CLASS, block);
    end_call(&before, 1);
    frees++;
}

/* No call of the program: nothing may be off. */
static void flush(void) {
    struct words before = begin_call();
    hak_thread_flush();
    end_call(&before, 0);
    assert_int_equal(known.slot.room, 0);
}

static void expect_exact(void) {
    struct hak_class_sum sum = figures_class_sum(&hak_thread_self->view, SIZE_CLASS);
    assert_int_equal(sum.mallocs, mallocs);
    assert_int_equal(sum.frees, frees);
}

static void words_may_move_at_any_time(void **state) {
    static void *blocks[BLOCKS];
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned count = BLOCKS / 400; count <= BLOCKS; count *= 20) {
            for (unsigned i = 0; i < count; i++)
                blocks[i] = take();
            for (unsigned i = 0; i < count; i++)
                keep(blocks[i]);
            expect_exact();
        }
        flush();
        expect_exact();
    }
    assert_true(moved[FREES_LEFT] > 4 && moved[FREES_END] > 4 && moved[TAKEN] > 4 && moved[RETURNED] > 2);
    assert_true(moved[BASE] > 4 && moved[TOP] > 4 && moved[ROOM] > 4);
}

/* Of frees on the fast path, which step no number, none is missed that came between two loads. */
static void frees_may_come_between_two_loads(void **state) {
    enum { EACH = 12 };
    void *blocks[EACH];
    (void)state;
    for (unsigned i = 0; i < EACH; i++)
        blocks[i] = take();
    while (hak_thread_self->view.slot[SIZE_CLASS].frees_left < EACH)
        keep(take());
    struct words before = begin_call();
    for (unsigned i = 0; i < EACH; i++)
        hak_thread_keep(hak_thread_self, SIZE_CLASS, blocks[i]);
    stored();
    writes_down = false;
    assert_int_equal(before.flow.moves, known.flow.moves);
    frees += EACH;
    for (steps_then = 0; steps_then <= step_count; steps_then++)
        for (pause_at = 0; pause_at < LOADS_PER_LOOK; pause_at++) {
            copy.slot[SIZE_CLASS] = before.slot;
            copy.flow[SIZE_CLASS] = before.flow;
            steps_done = 0;
            assert_true(is_near(look().mallocs, mallocs, 1));
        }
}

static void the_looks_have_an_end(void **state) {
    (void)state;
    never_ends = true;
    (void)look();
    assert_true(loads > LOADS_MAX / 2);
    never_ends = false;
    /* A copy of a record whose thread was stopped there. */
    copy.flow[SIZE_CLASS].moves |= 1;
    step_count = 0;
    (void)look();
    assert_true(loads > LOADS_MAX / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_may_move_at_any_time),
        cmocka_unit_test(frees_may_come_between_two_loads),
        cmocka_unit_test(the_looks_have_an_end),
    };
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    hak_thread_init(1);
    if (!hak_thread_begin())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
