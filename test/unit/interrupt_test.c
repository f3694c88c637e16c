/* interrupt_test.c
 * Purpose.     A program frees many blocks in another order than it made them, while another thread forks or a signal
 *              handler frees in the midst of it: none is in two hands, lost or counted wrongly.
 * Design.      Each test is a child, whose caches start empty. Linker wraps come in between: a thread stays there while
 *              another one forks, or a function is called there as a signal handler would be.
 * Not here.    Lists that a handler or a fork finds in a certain state: thread_interrupt_test.c.
 * link: -Wl,--wrap=hak_transfer_put,--wrap=hak_heap_take,--wrap=hak_meta_take,--wrap=hak_meta_give
 */
#include "support/child.h"
#include "support/lists.h"

#include <pthread.h>

#include "base/figures.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "segment/meta.h"
#include "segment/view.h"

static bool no_lists; /* there is no memory for what lists need */

enum point { TRANSFER, TAKE, TAKE_LIST, GIVE_LIST, POINTS };

/* Called at the n-th time that the thread comes to the point, before or after what is done there. */
static struct {
    void (*call)(void);
    enum point point;
    bool after;
    unsigned left, called;
} between;
static _Thread_local bool is_watched;

static void come_by(enum point point, bool after) {
    if (!is_watched || between.left == 0 || point != between.point || after != between.after)
        return;
    if (--between.left == 0) {
        between.called++;
        between.call();
    }
}

#define BETWEEN(type, point, name, parameters, arguments)                                                              \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters {                                                                                    \
        come_by(point, false);                                                                                         \
        type result = __real_##name arguments;                                                                         \
        come_by(point, true);                                                                                          \
        return result;                                                                                                 \
    }
#define BETWEEN_VOID(point, name, parameters, arguments)                                                               \
    void __real_##name parameters;                                                                                     \
    void __wrap_##name parameters;                                                                                     \
    void __wrap_##name parameters {                                                                                    \
        come_by(point, false);                                                                                         \
        __real_##name arguments;                                                                                       \
        come_by(point, true);                                                                                          \
    }

BETWEEN(unsigned, TRANSFER, hak_transfer_put, (unsigned size_class, void *const *from, unsigned count),
        (size_class, from, count))
BETWEEN(unsigned, TAKE, hak_heap_take, (struct heap * heap, unsigned size_class, unsigned want, void **to),
        (heap, size_class, want, to))
BETWEEN_VOID(GIVE_LIST, hak_meta_give, (void *memory, unsigned shift), (memory, shift))

void *__real_hak_meta_take(unsigned shift);
void *__wrap_hak_meta_take(unsigned shift);
void *__wrap_hak_meta_take(unsigned shift) {
    come_by(TAKE_LIST, false);
    void *memory = no_lists ? NULL : __real_hak_meta_take(shift);
    come_by(TAKE_LIST, true);
    return memory;
}

/* Which point, which side of it and which time. */
struct visit {
    enum point point;
    bool after;
    unsigned nth;
};

static void come_between(const struct visit *visit, void (*call)(void)) {
    between.call = call;
    between.point = visit->point;
    between.after = visit->after;
    between.left = visit->nth;
    between.called = 0;
}

/* For each of so many points, side and some of the first times. */
static bool each_visit_succeeds(void (*body)(void *), unsigned points) {
    struct visit visit;
    for (visit.point = 0; visit.point < points; visit.point++)
        for (unsigned side = 0; side < 2; side++)
            for (visit.nth = 1; visit.nth <= 3; visit.nth++) {
                visit.after = side != 0;
                if (!child_succeeds(body, &visit)) {
                    print_error("point %u, side %u, time %u\n", visit.point, side, visit.nth);
                    return false;
                }
            }
    return true;
}

enum { TURNS = 16, HELD = 9000 };

static void *held[HELD];

/* Two classes, whose lists may get each other's arrays. */
static size_t bytes_of(unsigned at) {
    return at % 2 == 0 ? 112 : 96;
}

static void *make_one(unsigned at) {
    void *block = hak_malloc(bytes_of(at));
    EXPECT(block != NULL);
    unit_fill(block, bytes_of(at), 32, at);
    return block;
}

/* It is in nobody's hands from the start. */
static void free_one(void **block, unsigned at) {
    void *freed = *block;
    if (freed == NULL)
        return;
    EXPECT(unit_holds(freed, bytes_of(at), bytes_of(at), 32, at));
    *block = NULL;
    hak_free(freed);
}

/* Makes and frees in turns, the more at once the longer it goes on: the list grows, and has to be given back from. With
 * a block that is in two hands, a mark is overwritten. */
static void mix(void) {
    uint64_t random = 1;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned most = HELD * (turn + 1) / TURNS;
        is_watched = true;
        for (unsigned i = 0; i < most; i++)
            if (held[i] == NULL)
                held[i] = make_one(i);
        for (unsigned i = 0; i < most; i++)
            if (unit_below(&random, 8) != 0)
                free_one(&held[i], i);
        is_watched = false;
    }
}

static pthread_barrier_t barrier;

static void stay(void) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
}

static void *mix_and_stay(void *visit) {
    (void)lists_begin_patient();
    for (unsigned i = 0; i < 10; i++)
        held[i] = make_one(i);
    come_between(visit, stay);
    mix();
    EXPECT(between.called == 1);
    return NULL;
}

/* In the child, with what the thread held, but the one that it was about to free. */
static void go_on_without(void *unused) {
    unsigned live = 0;
    (void)unused;
    (void)lists_begin_patient();
    between.left = 0;
    hak_thread_flush();
    for (unsigned i = 0; i < HELD; i++)
        live += held[i] != NULL;
    mix();
    for (unsigned i = 0; i < HELD; i++)
        free_one(&held[i], i);
    hak_thread_flush();
    EXPECT(load_relaxed(&hak_view.errors) == 0 && live > 0);
}

static void fork_amid(void *visit) {
    pthread_t thread;
    (void)lists_begin_patient();
    pthread_barrier_init(&barrier, NULL, 2);
    EXPECT(pthread_create(&thread, NULL, mix_and_stay, visit) == 0);
    pthread_barrier_wait(&barrier);
    EXPECT(child_succeeds(go_on_without, NULL));
    pthread_barrier_wait(&barrier);
    EXPECT(pthread_join(thread, NULL) == 0);
    for (unsigned i = 0; i < HELD; i++)
        free_one(&held[i], i);
    lists_expect_nothing_left();
}

static void a_forks_child_finds_none_twice(void **state) {
    (void)state;
    assert_true(each_visit_succeeds(fork_amid, POINTS));
}

/* Blocks that a signal handler frees while one is being made or freed. */
enum { STOCK = 1200, AT_ONCE = STOCK / 2 };
static void *stock[STOCK];
static unsigned stocked;

static void free_stock(void) {
    for (unsigned i = 0; i < AT_ONCE && stocked > 0; i++) {
        stocked--;
        free_one(&stock[stocked], stocked);
    }
}

static void make_stock(void) {
    for (; stocked < STOCK; stocked++)
        stock[stocked] = make_one(stocked);
}

static void free_all(void) {
    for (unsigned i = 0; i < HELD; i++)
        free_one(&held[i], i);
    while (stocked > 0)
        free_stock();
    hak_thread_flush();
    EXPECT(load_relaxed(&hak_view.errors) == 0);
}

/* None is in two hands, none is lost, none is counted wrongly. */
static void handle_amid(void *argument) {
    const struct visit *visit = argument;
    const struct thread *thread = lists_begin_patient();
    make_stock();
    hak_thread_flush(); /* the lists have no arrays again */
    come_between(visit, free_stock);
    mix();
    EXPECT(between.called == 1 && stocked < STOCK);
    mix();
    free_all();
    EXPECT(hak_view.active_bytes == 0);
    for (unsigned i = 0; i < 2; i++) {
        struct hak_class_sum sum = figures_class_sum(&thread->view, size_class_of(bytes_of(i)));
        EXPECT(sum.mallocs == sum.frees);
    }
}

static void a_handler_that_frees_doubles_none(void **state) {
    (void)state;
    assert_true(each_visit_succeeds(handle_amid, POINTS));
}

/* Where there is no memory for lists, blocks pass them. */
static void handle_amid_without_lists(void *visit) {
    no_lists = true;
    handle_amid(visit);
    EXPECT(hak_thread_self->view.flow[size_class_of(bytes_of(0))].base == NULL);
}

static void nor_does_it_without_lists(void **state) {
    (void)state;
    assert_true(each_visit_succeeds(handle_amid_without_lists, POINTS - 1));
}

/* Blocks of another heap, more than have room where its threads would find them. */
static void *make_for_others(void *unused) {
    (void)lists_begin_patient();
    for (unsigned i = 0; i < HELD; i++)
        held[i] = make_one(i);
    make_stock();
    return unused;
}

static void handle_amid_others(void *visit) {
    pthread_t other;
    (void)lists_begin_patient();
    EXPECT(pthread_create(&other, NULL, make_for_others, NULL) == 0 && pthread_join(other, NULL) == 0);
    EXPECT(entry_heap_id(page_map_flat_get(held[0])) != hak_thread_self->heap->id);
    come_between(visit, free_stock);
    is_watched = true;
    for (unsigned i = 0; i < HELD; i++)
        free_one(&held[i], i);
    is_watched = false;
    EXPECT(between.called == 1);
    free_all();
    lists_expect_nothing_left();
}

static void nor_does_it_with_other_heaps(void **state) {
    struct visit visit = {.point = TRANSFER};
    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        visit.after = side != 0;
        for (visit.nth = 1; visit.nth <= HELD / HAK_OUTBOX_BLOCKS / 2; visit.nth += 1 + visit.nth / 2)
            assert_true(child_succeeds(handle_amid_others, &visit));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forks_child_finds_none_twice),
        cmocka_unit_test(a_handler_that_frees_doubles_none),
        cmocka_unit_test(nor_does_it_without_lists),
        cmocka_unit_test(nor_does_it_with_other_heaps),
    };
    hak_options.heaps = 2;
    hak_thread_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
