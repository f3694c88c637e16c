/* thread_interrupt_test.c
 * Purpose.     Where a signal handler comes while a thread is at work with its lists, blocks pass these and are counted
 *              all the same; and whatever a fork has caught a list at, its child gets no block twice.
 * Design.      Each test is a child, whose caches start empty. Linker wraps stand for a handler that comes there. What
 *              a fork may catch a thread at is set up by hand.
 * Not here.    Handlers and forks anywhere in a program's work: interrupt_test.c.
 * link: -Wl,--wrap=hak_transfer_put,--wrap=hak_heap_take,--wrap=hak_heap_return_array,--wrap=hak_meta_give
 */
#include "support/child.h"
#include "support/lists.h"

#include <pthread.h>

#include "base/bits.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "segment/meta.h"
#include "segment/view.h"

/* As a signal handler that comes while blocks of a list are on their way to others, or while a list is being filled. */
static void (*handler)(void);

static void interrupted(void) {
    void (*handle)(void) = handler;
    handler = NULL;
    if (handle != NULL)
        handle();
}

unsigned __real_hak_transfer_put(unsigned size_class, void *const *from, unsigned count);
unsigned __wrap_hak_transfer_put(unsigned size_class, void *const *from, unsigned count);
unsigned __wrap_hak_transfer_put(unsigned size_class, void *const *from, unsigned count) {
    interrupted();
    return __real_hak_transfer_put(size_class, from, count);
}

unsigned __real_hak_heap_return_array(struct heap *heap, void **from, unsigned count);
unsigned __wrap_hak_heap_return_array(struct heap *heap, void **from, unsigned count);
unsigned __wrap_hak_heap_return_array(struct heap *heap, void **from, unsigned count) {
    interrupted();
    return __real_hak_heap_return_array(heap, from, count);
}

unsigned __real_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **to);
unsigned __wrap_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **to);
unsigned __wrap_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **to) {
    unsigned got = __real_hak_heap_take(heap, size_class, want, to);
    interrupted();
    return got;
}

void __real_hak_meta_give(void *memory, unsigned shift);
void __wrap_hak_meta_give(void *memory, unsigned shift);
void __wrap_hak_meta_give(void *memory, unsigned shift) {
    interrupted();
    __real_hak_meta_give(memory, shift);
}

/* ---- signal handlers ---- */

/* As one that has interrupted this thread's work with its lists: they are not looked at, nor filled, nor moved. */
static void interrupt(void *unused) {
    (void)unused;
    struct thread *thread = lists_begin();
    unsigned c = size_class_of(200);
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    lists_make(200, BLOCKS);
    while (length_of(thread, c) != 0)
        EXPECT(hak_malloc(200) != NULL);
    unsigned freed = 0;
    for (; slot->frees_left != 0; freed++)
        hak_free(blocks[freed]);
    struct words {
        struct hak_slot slot;
        void **base;
        uint64_t returned, moves;
    } before = {*slot, flow->base, flow->returned, flow->moves}, after;
    struct counts counts = counts_now(&hak_view);
    thread->busy = true;
    for (unsigned i = 0; i < 100; i++)
        hak_free(blocks[freed++]);
    after = (struct words){*slot, flow->base, flow->returned, flow->moves};
    EXPECT(memcmp(&before, &after, sizeof before) == 0);
    lists_expect_counted(&counts, c, 0, 100);
    /* Out of a list that has some, and past one that has none. */
    unsigned listed = (unsigned)length_of(thread, c);
    for (unsigned i = 0; i < listed + 10; i++)
        EXPECT((blocks[--freed] = hak_malloc(200)) != NULL);
    EXPECT(length_of(thread, c) == 0 && flow->moves == before.moves && flow->base == before.base);
    lists_expect_counted(&counts, c, listed + 10, 100);
    EXPECT(thread->busy);
    thread->busy = false;
    while (freed < BLOCKS)
        hak_free(blocks[freed++]);
    EXPECT(hak_view.errors == 0);
}

static void a_handler_leaves_lists_alone(void **state) {
    (void)state;
    assert_true(child_succeeds(interrupt, NULL));
}

enum { HANDLED = 40, HANDLED_SIZE = 1024 };
static void *handled[HANDLED];

static void free_in_handler(void) {
    for (unsigned i = 0; i < HANDLED; i++)
        hak_free(handled[i]);
}

static void take_in_handler(void) {
    for (unsigned i = 0; i < HANDLED; i++)
        EXPECT((handled[i] = hak_malloc(HANDLED_SIZE)) != NULL);
}

/* What it frees of the same class, and what it takes, is counted, and nothing is lost or there twice. */
static void interrupt_work(void *unused) {
    (void)unused;
    struct thread *thread = lists_begin();
    unsigned c = size_class_of(HANDLED_SIZE);
    hak_options.on_error = HAK_ON_ERROR_REPORT;
    struct counts before = counts_now(&hak_view);
    /* A list is given back. */
    take_in_handler();
    lists_make(HANDLED_SIZE, BLOCKS);
    handler = free_in_handler;
    for (unsigned i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
        lists_expect_whole(thread, c);
    }
    EXPECT(handler == NULL);
    lists_expect_counted(&before, c, BLOCKS + HANDLED, BLOCKS + HANDLED);
    lists_make(HANDLED_SIZE, BLOCKS);
    handler = take_in_handler;
    lists_drop(BLOCKS);
    EXPECT(handler == NULL);
    free_in_handler();
    lists_expect_counted(&before, c, 2 * (BLOCKS + HANDLED), 2 * (BLOCKS + HANDLED));
    /* Whole lists are, one that more would fit into among them. */
    take_in_handler();
    for (unsigned i = 0; i < 4; i++) {
        lists_make(HANDLED_SIZE, 100);
        lists_drop(100);
    }
    EXPECT(thread->view.slot[c].frees_left >= HANDLED && length_of(thread, c) > HANDLED);
    handler = free_in_handler;
    hak_thread_flush();
    EXPECT(handler == NULL);
    lists_expect_counted(&before, c, 2 * BLOCKS + 3 * HANDLED + 400, 2 * BLOCKS + 3 * HANDLED + 400);
    (void)hak_trim();
    EXPECT(hak_view.active_bytes == 0 && hak_view.errors == 0);
}

/* A list is filled: what the handler frees does not get among what it gets. */
static void interrupt_refill(void *unused) {
    (void)unused;
    lists_begin();
    hak_options.on_error = HAK_ON_ERROR_REPORT;
    struct counts before = counts_now(&hak_view);
    take_in_handler();
    /* As if some had been freed before, and more were sure to fit. */
    hak_free(handled[0]);
    EXPECT((handled[0] = hak_malloc(HANDLED_SIZE)) != NULL);
    handler = free_in_handler;
    for (unsigned i = 0; i < BLOCKS; i++) {
        EXPECT((blocks[i] = hak_malloc(HANDLED_SIZE)) != NULL);
        unit_fill(blocks[i], HANDLED_SIZE, 256, i);
    }
    EXPECT(handler == NULL);
    for (unsigned i = 0; i < BLOCKS; i++)
        EXPECT(unit_holds(blocks[i], HANDLED_SIZE, HANDLED_SIZE, 256, i));
    lists_drop(BLOCKS);
    (void)hak_trim();
    lists_expect_counted(&before, size_class_of(HANDLED_SIZE), BLOCKS + HANDLED + 1, BLOCKS + HANDLED + 1);
    EXPECT(hak_view.active_bytes == 0 && hak_view.errors == 0);
}

/* A class is closed: what the handler frees of it, the first since it was open, does not open it again. */
static void interrupt_close(void *unused) {
    (void)unused;
    struct thread *thread = lists_begin();
    unsigned c = size_class_of(HANDLED_SIZE);
    take_in_handler();
    while (length_of(thread, c) != 0)
        EXPECT(hak_malloc(HANDLED_SIZE) != NULL);
    handler = free_in_handler;
    hak_thread_flush();
    EXPECT(handler == NULL);
    lists_expect_closed(thread);
    EXPECT(thread->view.flow[c].capacity == 0 && thread->cache_bytes == 0);
}

static void a_handler_may_come_while_blocks_are_on_their_way(void **state) {
    (void)state;
    assert_true(child_succeeds(interrupt_work, NULL));
    assert_true(child_succeeds(interrupt_refill, NULL));
    assert_true(child_succeeds(interrupt_close, NULL));
}

/* ---- fork ---- */

enum { LISTED = 300, SIZE = 112, LOW_SHIFT = 16 };
static struct thread *other;
static void **low; /* an array below all others */
static pthread_barrier_t barrier;

static void *have_a_long_list(void *unused) {
    other = lists_begin();
    for (unsigned turn = 0; turn < 4; turn++) {
        lists_make(SIZE, LISTED);
        lists_drop(LISTED);
    }
    EXPECT(length_of(other, size_class_of(SIZE)) >= LISTED);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

/* Where that thread has been stopped. */
enum stop { AT_REST, BASE_MOVED, BASE_MOVED_DOWN, TOP_MOVED, ROOM_MOVED, FIRST_BASE, CLOSED, TAKEN_BACK, PUSHED };

static void **move(const struct hak_slot *slot, const struct hak_flow *flow, bool down) {
    unsigned shift = bits_log2((size_t)slot->room + 1) + 1 + bits_log2(sizeof(void *));
    void **array = down ? low : hak_meta_take(shift);
    EXPECT(array != NULL && shift <= LOW_SHIFT && (array < flow->base) == down);
    memset(array, 0x55, (size_t)1 << shift);
    array[0] = NULL;
    memcpy(array + 1, flow->base, (size_t)(slot->top - flow->base) * sizeof *array);
    return array + 1;
}

/* True if what was in the list is lost. */
static bool set_up(enum stop stop, struct hak_slot *slot, struct hak_flow *flow) {
    if (stop == AT_REST || stop == PUSHED) {
        *slot->top = stop == PUSHED ? slot->top[-1] : NULL; /* stored, but not in the list yet */
        return false;
    }
    void **to = move(slot, flow, stop == BASE_MOVED_DOWN), **had = flow->base;
    ptrdiff_t length = slot->top - had;
    flow->moves++;
    if (stop == TAKEN_BACK) { /* counted as given back, and still in the list */
        flow->returned += (uint64_t)length;
        return false;
    }
    if (stop == CLOSED || stop == FIRST_BASE) {
        slot->room = 0;
        slot->top = stop == FIRST_BASE ? HAK_NO_LIST_TOP : had;
        flow->base = stop == FIRST_BASE ? to : had;
        return true;
    }
    flow->base = to;
    if (stop >= TOP_MOVED)
        slot->top = to + length;
    if (stop >= ROOM_MOVED)
        slot->room = 2 * slot->room + 1;
    return stop < TOP_MOVED;
}

/* In the child. Each block that the other thread's list had is free, or lost with all of them; none is free twice. */
static void adopt(void *stop) {
    unsigned c = size_class_of(SIZE);
    struct hak_slot *slot = &other->view.slot[c];
    struct hak_flow *flow = &other->view.flow[c];
    uint64_t listed = (uint64_t)length_of(other, c);
    bool lost = set_up(*(const enum stop *)stop, slot, flow);
    hak_thread_flush();
    EXPECT(flow->moves % 2 == 0);
    lists_expect_closed(other);
    EXPECT(hak_view.errors == 0);
    EXPECT(lost ? hak_view.active_bytes >= listed * SIZE : hak_view.active_bytes == 0);
    EXPECT(lost || thread_is_alive(hak_thread_self));
    /* Its arrays are nobody's, or given back once. */
    lists_use_all(hak_thread_self);
    for (unsigned turn = 0; turn < 4; turn++) {
        lists_make(SIZE, BLOCKS);
        for (unsigned i = 0; i < BLOCKS; i++)
            memset(blocks[i], (int)i, SIZE);
        for (unsigned i = 0; i < BLOCKS; i++)
            EXPECT(*(unsigned char *)blocks[i] == (unsigned char)i);
        lists_drop(BLOCKS);
    }
    hak_thread_flush();
    lists_expect_closed(hak_thread_self);
    EXPECT(hak_view.errors == 0);
}

static void a_fork_may_catch_a_list_anywhere(void *unused) {
    static enum stop stops[] = {AT_REST,    BASE_MOVED, BASE_MOVED_DOWN, TOP_MOVED, ROOM_MOVED,
                                FIRST_BASE, CLOSED,     TAKEN_BACK,      PUSHED};
    pthread_t thread;
    (void)unused;
    lists_begin();
    hak_options.on_error = HAK_ON_ERROR_REPORT;
    EXPECT((low = hak_meta_take(LOW_SHIFT)) != NULL);
    EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
    EXPECT(pthread_create(&thread, NULL, have_a_long_list, NULL) == 0);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < sizeof stops / sizeof *stops; i++)
        EXPECT(child_succeeds(adopt, &stops[i]));
    pthread_barrier_wait(&barrier);
    EXPECT(pthread_join(thread, NULL) == 0);
}

static void a_forks_child_gets_no_block_twice(void **state) {
    (void)state;
    assert_true(child_succeeds(a_fork_may_catch_a_list_anywhere, NULL));
}

/* A transfer cache at which another thread is at work when a process forks is nobody's in the child; one at which the
 * forking thread is itself, as a handler may find it, stays that thread's, and so does what it has put there. */
static void a_forks_child_does_not_wait_for_who_is_gone(void **state) {
    struct transfer *others = &hak_transfers[HAK_CLASS_COUNT - 1], *own = &hak_transfers[HAK_CLASS_COUNT - 2];
    (void)state;
    others->busy = 1;
    assert_false(hak_thread_is_inside());
    own->busy = own->giver = hak_lock_self();
    assert_true(hak_thread_is_inside());
    pid_t child = fork();
    if (child == 0) {
        EXPECT(others->busy == 0 && own->busy == hak_lock_self() && hak_thread_is_inside());
        EXPECT(own->giver == hak_lock_self());
        _exit(0);
    }
    EXPECT_CHILD_OK(child);
    others->busy = own->busy = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_leaves_lists_alone),
        cmocka_unit_test(a_handler_may_come_while_blocks_are_on_their_way),
        cmocka_unit_test(a_forks_child_gets_no_block_twice),
        cmocka_unit_test(a_forks_child_does_not_wait_for_who_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
