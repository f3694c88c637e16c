/* home_test.c
 * Purpose.     Blocks that go home past a full list: they are not touched, none is lost or counted wrongly, and the
 *              list gets them again as soon as the thread, or others, take some.
 * Design.      Each test is a child, whose caches start empty.
 */
#include "support/child.h"
#include "support/unit.h"

#include <pthread.h>

#include "api/init.h"
#include "base/figures.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread.h"
#include "heap/thread_list.h"
#include "heap/transfer.h"
#include "segment/view.h"

enum { MANY = 20000 };

static uint64_t *many[MANY];

static struct thread *begin(void) {
    while (hak_api_thread() == NULL) {
    }
    return hak_thread_self;
}

static void make_many(size_t size) {
    for (unsigned i = 0; i < MANY; i++) {
        EXPECT((many[i] = hak_malloc(size)) != NULL);
        *many[i] = i;
    }
}

/* Frees from `first` on until blocks of the class go home; the next one's index. */
static unsigned free_until_home(const struct thread *thread, unsigned c, unsigned first) {
    for (; !thread->goes_home[c]; first++) {
        EXPECT(first < MANY);
        hak_free(many[first]);
    }
    return first;
}

static int64_t length_of(const struct thread *thread, unsigned c) {
    int64_t length = 0;
    for (const struct block *block = thread->view.slot[c].head; block != NULL; block = block->next)
        length++;
    EXPECT(length == figures_length(&thread->view, c) && thread->view.slot[c].frees_left >= 0);
    return length;
}

static void nothing_is_left(void) {
    hak_thread_flush();
    EXPECT(hak_view.active_bytes == 0 && load_relaxed(&hak_view.errors) == 0);
}

/* What was written into them is still there, where a list would have its link: until they are made again. */
static void free_one_class(void *size_of) {
    struct thread *thread = begin();
    size_t size = (size_t)size_of;
    unsigned c = size_class_of(size);
    hak_options.purge_delay = 1 << 30;
    make_many(size);
    unsigned first = free_until_home(thread, c, 0);
    const struct hak_flow *flow = &thread->view.flow[c];
    EXPECT(length_of(thread, c) >= flow->capacity && !hak_transfer_has_room(transfer_of(thread->heap, c)));
    uint64_t frees = figures_class_sum(&thread->view, c).frees, remote = flow->remote_frees;
    int64_t length = length_of(thread, c);
    for (unsigned i = first; i < MANY; i++) {
        hak_free(many[i]);
        EXPECT(thread->goes_home[c] && thread->outbox.home_count <= HAK_HOME_BLOCKS);
    }
    EXPECT(figures_class_sum(&thread->view, c).frees == frees + MANY - first && flow->remote_frees == remote);
    EXPECT(length_of(thread, c) == length);
    EXPECT(hak_view.retained_bytes != 0 && hak_view.purged_bytes == 0);
    for (unsigned i = first; i < MANY; i++)
        EXPECT(*many[i] == i);
    nothing_is_left();
}

static void what_goes_home_is_not_touched(void **state) {
    (void)state;
    for (size_t size = 16; size <= HAK_TINY_MAX; size *= 2)
        assert_true(child_succeeds(free_one_class, (void *)size));
}

static void free_larger_ones(void *unused) {
    struct thread *thread = begin();
    (void)unused;
    for (unsigned c = HAK_TINY_CLASSES + 1; c < HAK_CLASS_COUNT; c += 13) {
        for (unsigned i = 0; i < 1000; i++)
            EXPECT((many[i] = hak_malloc(size_class_bytes(c))) != NULL);
        for (unsigned i = 0; i < 1000; i++) {
            hak_free(many[i]);
            EXPECT(!thread->goes_home[c]);
        }
    }
    EXPECT(thread->outbox.home_count == 0);
    nothing_is_left();
}

static void larger_ones_go_through_lists(void **state) {
    (void)state;
    assert_true(child_succeeds(free_larger_ones, NULL));
}

/* A refill ends it at once; mallocs that the list has blocks for, when there were as many as between chores. */
static void take_again(void *unused) {
    struct thread *thread = begin();
    unsigned c = size_class_of(48), mallocs = 0;
    (void)unused;
    make_many(48);
    unsigned first = free_until_home(thread, c, 0);
    for (; thread->goes_home[c]; mallocs++) {
        void *block = hak_malloc(48);
        EXPECT(block != NULL && mallocs < HAK_CHORES_INTERVAL);
        hak_free(block);
    }
    EXPECT(thread->outbox.home_count == 0);
    int64_t length = length_of(thread, c);
    EXPECT(length >= thread->view.flow[c].capacity - (int64_t)mallocs);
    hak_free(many[first++]);
    EXPECT(length_of(thread, c) == length + 1 && thread->outbox.home_count == 0);
    first = free_until_home(thread, c, first);
    static void *taken[MANY];
    unsigned count = 0;
    while (thread->view.slot[c].head != NULL && count < HAK_CHORES_INTERVAL / 2)
        EXPECT((taken[count++] = hak_malloc(48)) != NULL);
    hak_thread_flush();
    EXPECT(!thread->goes_home[c]);
    while (count > 0)
        hak_free(taken[--count]);
    while (first < MANY)
        hak_free(many[first++]);
    nothing_is_left();
}

static void taking_ends_it(void **state) {
    (void)state;
    assert_true(child_succeeds(take_again, NULL));
}

static void others_take(void *unused) {
    struct thread *thread = begin();
    unsigned c = size_class_of(64);
    (void)unused;
    make_many(64);
    unsigned first = free_until_home(thread, c, 0);
    hak_transfer_empty(transfer_of(thread->heap, c), hak_heaps);
    for (unsigned more = 0; thread->goes_home[c]; more++) {
        EXPECT(more <= HAK_HOME_BLOCKS);
        hak_free(many[first++]);
    }
    EXPECT(thread->outbox.home_count == 0);
    first = free_until_home(thread, c, first);
    EXPECT(transfer_of(thread->heap, c)->count == transfer_of(thread->heap, c)->room);
    while (first < MANY)
        hak_free(many[first++]);
    nothing_is_left();
}

static void others_that_take_get_some_again(void **state) {
    (void)state;
    assert_true(child_succeeds(others_take, NULL));
}

/* The class that begins to go home finds the way full of another one. */
static void free_two_classes(void *unused) {
    struct thread *thread = begin();
    unsigned first = 0, c = size_class_of(48);
    static void *small[MANY];
    (void)unused;
    for (unsigned i = 0; i < MANY; i++)
        EXPECT((small[i] = hak_malloc(16)) != NULL);
    make_many(48);
    while (thread->outbox.home_count != HAK_HOME_BLOCKS) {
        EXPECT(first < MANY);
        hak_free(small[first++]);
    }
    EXPECT(thread->goes_home[1]);
    unsigned next = free_until_home(thread, c, 0);
    EXPECT(thread->outbox.home_count == 1 && thread->outbox.home[0] == (void *)many[next - 1]);
    while (first < MANY)
        hak_free(small[first++]);
    while (next < MANY)
        hak_free(many[next++]);
    nothing_is_left();
}

static void several_classes_share_the_way(void **state) {
    (void)state;
    assert_true(child_succeeds(free_two_classes, NULL));
}

/* Of those that any thread's list may hold, each goes to its own heap. */
static void *free_others(void *unused) {
    struct thread *thread = begin();
    unsigned c = size_class_of(256), own = 0;
    static void *blocks[MANY];
    for (; own < MANY; own++)
        EXPECT((blocks[own] = hak_malloc(256)) != NULL);
    for (unsigned i = 0; i < MANY; i++) {
        hak_free(blocks[i]);
        hak_free(many[i]);
    }
    EXPECT(thread->goes_home[c]);
    return unused;
}

static void free_two_heaps(void *unused) {
    pthread_t other;
    (void)unused;
    (void)begin();
    make_many(256);
    EXPECT(pthread_create(&other, NULL, free_others, NULL) == 0 && pthread_join(other, NULL) == 0);
    hak_thread_flush();
    nothing_is_left();
}

static void each_goes_to_its_own_heap(void **state) {
    (void)state;
    assert_true(child_succeeds(free_two_heaps, NULL));
}

static pthread_barrier_t barrier;
static unsigned freed;

static void *free_and_stay(void *unused) {
    const struct thread *thread = begin();
    make_many(32);
    freed = free_until_home(thread, 2, 0);
    while (thread->outbox.home_count != HAK_HOME_BLOCKS / 2)
        hak_free(many[freed++]);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void adopt(void *unused) {
    (void)unused;
    (void)begin();
    hak_thread_flush();
    while (freed < MANY)
        hak_free(many[freed++]);
    nothing_is_left();
}

static void fork_amid(void *unused) {
    pthread_t thread;
    (void)unused;
    pthread_barrier_init(&barrier, NULL, 2);
    EXPECT(pthread_create(&thread, NULL, free_and_stay, NULL) == 0);
    pthread_barrier_wait(&barrier);
    EXPECT(child_succeeds(adopt, NULL));
    pthread_barrier_wait(&barrier);
    EXPECT(pthread_join(thread, NULL) == 0);
}

static void a_forks_child_sends_them_home(void **state) {
    (void)state;
    assert_true(child_succeeds(fork_amid, NULL));
}

/* The next thread begins without it. */
static void *end_amid(void *unused) {
    const struct thread *thread = begin();
    make_many(32);
    for (unsigned i = free_until_home(thread, 2, 0); i < MANY; i++)
        hak_free(many[i]);
    EXPECT(thread->goes_home[2] && thread->outbox.home_count != 0);
    return unused;
}

static void end_a_thread(void *unused) {
    pthread_t thread;
    (void)unused;
    (void)begin();
    EXPECT(pthread_create(&thread, NULL, end_amid, NULL) == 0 && pthread_join(thread, NULL) == 0);
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        const struct thread *each = (const struct thread *)(const void *)view;
        EXPECT(!each->goes_home[2] && each->outbox.home_count == 0 && each->outbox.count == 0);
    }
    hak_thread_flush();
    nothing_is_left();
}

static void a_thread_that_ends_leaves_none(void **state) {
    (void)state;
    assert_true(child_succeeds(end_a_thread, NULL));
}

/* Noticed when it goes home, or by the next one of that slab. */
static void free_twice(void *unused) {
    struct thread *thread = begin();
    (void)unused;
    hak_options.on_error = HAK_ON_ERROR_REPORT;
    make_many(80);
    unsigned first = free_until_home(thread, 5, 0);
    hak_free(many[first]);
    hak_free(many[first++]);
    uint64_t errors = load_relaxed(&hak_view.errors);
    while (thread->outbox.home_count != 1 && first < MANY)
        hak_free(many[first++]);
    EXPECT(load_relaxed(&hak_view.errors) == errors + 1);
}

static void a_block_freed_twice_is_noticed(void **state) {
    (void)state;
    assert_true(child_succeeds(free_twice, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_home_is_not_touched),
        cmocka_unit_test(larger_ones_go_through_lists),
        cmocka_unit_test(taking_ends_it),
        cmocka_unit_test(others_that_take_get_some_again),
        cmocka_unit_test(several_classes_share_the_way),
        cmocka_unit_test(each_goes_to_its_own_heap),
        cmocka_unit_test(a_forks_child_sends_them_home),
        cmocka_unit_test(a_thread_that_ends_leaves_none),
        cmocka_unit_test(a_block_freed_twice_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
