/* looks_test.c
 * Purpose.     How often a thread looks at a list that it puts into and takes from: seldom, and still often enough for
 *              what all its lists may hold; and that a list which is longer than its capacity survives a fork.
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
#include "segment/view.h"

enum { PAIRS = 6 * HAK_CHORES_INTERVAL, SETTLED = 2 * HAK_CHORES_INTERVAL };

static struct thread *begin(void) {
    while (hak_api_thread() == NULL) {
    }
    return hak_thread_self;
}

/* A look begins the countdown of frees anew. How many there were, of frees and of mallocs. */
static void make_and_free(struct thread *thread, size_t size, unsigned *of_frees, unsigned *of_mallocs) {
    const struct hak_slot *slot = &thread->view.slot[size_class_of(size)];
    *of_frees = *of_mallocs = 0;
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        int32_t before = slot->frees_left;
        void *block = hak_malloc(size);
        EXPECT(block != NULL);
        int32_t between = slot->frees_left;
        hak_free(block);
        *of_mallocs += pair >= SETTLED && between != before;
        *of_frees += pair >= SETTLED && slot->frees_left != between - 1;
    }
}

static void use_few_classes(void *unused) {
    (void)unused;
    struct thread *thread = begin();
    for (size_t size = 16; size <= 128; size *= 2) {
        unsigned of_frees, of_mallocs;
        make_and_free(thread, size, &of_frees, &of_mallocs);
        EXPECT(of_frees == 0 && of_mallocs == (PAIRS - SETTLED) / HAK_CHORES_INTERVAL);
    }
}

static void what_goes_in_and_out_is_looked_at_by_chores_alone(void **state) {
    (void)state;
    assert_true(child_succeeds(use_few_classes, NULL));
}

static void have_caches_as_large_as_they_may_be(void *unused) {
    (void)unused;
    struct thread *thread = begin();
    thread->cache_bytes = HAK_THREAD_CACHE_BYTES;
    unsigned of_frees, of_mallocs;
    make_and_free(thread, 16, &of_frees, &of_mallocs);
    EXPECT(of_frees > (PAIRS - SETTLED) / HAK_RETURN_MAX / 2);
}

static void a_thread_that_holds_much_looks_often(void **state) {
    (void)state;
    assert_true(child_succeeds(have_caches_as_large_as_they_may_be, NULL));
}

static void end_countdown_of_mallocs(struct thread *thread, unsigned c) {
    struct hak_slot *slot = &thread->view.slot[c];
    thread->view.flow[c].mallocs_end -= (uint64_t)(slot->mallocs_left - 1);
    slot->mallocs_left = 1;
}

/* Chores that come by a list which is too long do not let it become longer. */
static void have_short_lists(void *unused) {
    (void)unused;
    enum { LIVE = 12, TURNS = 50 };
    struct thread *thread = begin();
    unsigned c = size_class_of(1024), long_lists = 0;
    const struct hak_flow *flow = &thread->view.flow[c];
    void *blocks[LIVE];
    hak_options.cache_bytes = 0;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned count = LIVE - turn % 7;
        for (unsigned i = 0; i < count; i++)
            EXPECT((blocks[i] = hak_malloc(1024)) != NULL);
        for (unsigned i = 0; i < count; i++) {
            hak_free(blocks[i]);
            if (figures_length(&thread->view, c) <= flow->capacity)
                continue;
            long_lists++;
            end_countdown_of_mallocs(thread, c);
            blocks[i] = hak_malloc(1024);
            EXPECT(thread->view.slot[c].frees_left + figures_length(&thread->view, c) <= 2 * flow->capacity);
            hak_free(blocks[i]);
        }
    }
    EXPECT(long_lists > 0);
}

static void a_list_never_holds_twice_its_capacity(void **state) {
    (void)state;
    assert_true(child_succeeds(have_short_lists, NULL));
}

enum { MANY = 12000, BEYOND = 1000 };

static void *many[MANY];
static unsigned live;
static pthread_barrier_t barrier;

/* Makes its list as long as it may be, much longer than its capacity. */
static void *free_beyond_capacity(void *unused) {
    struct thread *thread = begin();
    const struct hak_flow *flow = &thread->view.flow[1];
    for (live = 0; live < MANY; live++)
        EXPECT((many[live] = hak_malloc(16)) != NULL);
    while (figures_length(&thread->view, 1) < flow->capacity + BEYOND) {
        EXPECT(live > 0);
        hak_free(many[--live]);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

/* In the child that thread is gone, and nothing of its list may be. */
static void adopt(void *unused) {
    int64_t count = 0;
    (void)unused;
    hak_thread_flush();
    for (const struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        struct hak_class_sum sum = figures_class_sum(view, 1);
        count += (int64_t)(sum.mallocs - sum.frees);
    }
    EXPECT(count == live);
    while (live > 0)
        hak_free(many[--live]);
    hak_thread_flush();
    EXPECT(hak_view.errors == 0 && hak_view.active_bytes == 0);
}

static void a_fork_loses_nothing_of_a_long_list(void **state) {
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, free_beyond_capacity, NULL), 0);
    pthread_barrier_wait(&barrier);
    bool kept = child_succeeds(adopt, NULL);
    pthread_barrier_wait(&barrier);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_and_out_is_looked_at_by_chores_alone),
        cmocka_unit_test(a_thread_that_holds_much_looks_often),
        cmocka_unit_test(a_list_never_holds_twice_its_capacity),
        cmocka_unit_test(a_fork_loses_nothing_of_a_long_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
