/* looks_test.c
 * Purpose.     How often a thread looks at a list that it puts into and takes from: seldom, and still often enough for
 *              what all its lists may hold, and for its chores; what it finds out of its part in what goes round, as
 *              one that makes blocks, that frees others', that does both, and that changes; and that a list which is
 *              longer than its capacity survives a fork.
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

/* What a list may hold, less than as shipped: all of them together are not more than a thread may. */
enum { LIST_BYTES = 262144 };
enum { PAIRS = 16 * HAK_EXCESS_MAX, SETTLED = 4 * HAK_EXCESS_MAX };

static struct thread *begin(void) {
    hak_options.cache_bytes = LIST_BYTES;
    while (hak_api_thread() == NULL) {
    }
    return hak_thread_self;
}

static int32_t list_length(const struct thread *thread, unsigned c) {
    return (int32_t)figures_length(&thread->view.slot[c], &thread->view.flow[c]);
}

/* What a list may hold of blocks that the thread frees more of than it takes. */
static int32_t most_passing(unsigned c) {
    size_t blocks = least(HAK_PASSING_BYTES, (size_t)hak_options.cache_bytes) / size_class_bytes(c);
    return blocks < HAK_PASSING_MIN ? HAK_PASSING_MIN : blocks < HAK_PASSING_MAX ? (int32_t)blocks : HAK_PASSING_MAX;
}

/* A look begins the countdown of frees anew. How many there were in frees and in mallocs. */
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
        EXPECT(of_mallocs == 0);
        EXPECT(of_frees > 0 && of_frees <= (PAIRS - SETTLED) / HAK_CHORES_INTERVAL);
    }
    for (size_t size = 2048; size <= HAK_MID_MAX; size *= 2) {
        unsigned of_frees, of_mallocs;
        make_and_free(thread, size, &of_frees, &of_mallocs);
        EXPECT(of_mallocs == 0);
        /* A quarter less is no reason to move the list. */
        EXPECT(of_frees > 0 && of_frees <= (PAIRS - SETTLED) / (HAK_EXCESS_MIN - HAK_EXCESS_MIN / 4));
    }
}

static void what_goes_in_and_out_is_looked_at_seldom(void **state) {
    (void)state;
    assert_true(child_succeeds(use_few_classes, NULL));
}

/* A burst of blocks after single ones: what a countdown lets in beyond the list's capacity. */
static void have_caches_as_large_as_they_may_be(void *unused) {
    static void *blocks[4 * HAK_EXCESS_MAX];
    enum { BLOCKS = sizeof blocks / sizeof *blocks };
    (void)unused;
    struct thread *thread = begin();
    thread->cache_bytes = HAK_THREAD_CACHE_BYTES;
    for (unsigned c = 1; c <= HAK_TINY_CLASSES; c += 7) {
        const struct hak_flow *flow = &thread->view.flow[c];
        unsigned of_frees, of_mallocs;
        make_and_free(thread, size_class_bytes(c), &of_frees, &of_mallocs);
        for (unsigned i = 0; i < BLOCKS; i++)
            EXPECT((blocks[i] = hak_malloc(size_class_bytes(c))) != NULL);
        for (unsigned i = 0; i < BLOCKS; i++) {
            hak_free(blocks[i]);
            size_t bytes = (size_t)list_length(thread, c) * size_class_bytes(c);
            EXPECT_AT_MOST(bytes, (size_t)flow->capacity * size_class_bytes(c) + HAK_EXCESS_BYTES);
        }
    }
}

static void a_thread_that_holds_much_is_let_hold_little_more(void **state) {
    (void)state;
    assert_true(child_succeeds(have_caches_as_large_as_they_may_be, NULL));
}

/* Where lists are to be as short as they can be. */
static void have_short_lists(void *unused) {
    (void)unused;
    enum { LIVE = 60, TURNS = 200 };
    struct thread *thread = begin();
    unsigned c = size_class_of(1024), in_balance = 0;
    int32_t longest = 0;
    const struct hak_flow *flow = &thread->view.flow[c];
    void *blocks[LIVE];
    hak_options.cache_bytes = 0;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned count = turn % 3 == 0 ? LIVE - turn % 7 : 2 + turn % 7;
        for (unsigned i = 0; i < count; i++)
            EXPECT((blocks[i] = hak_malloc(1024)) != NULL);
        for (unsigned i = 0; i < count; i++) {
            hak_free(blocks[i]);
            int32_t may_hold = thread->view.slot[c].frees_left + list_length(thread, c);
            EXPECT(flow->capacity == 4 && may_hold <= most_passing(c) + HAK_EXCESS_MIN);
            in_balance += flow->balance != 0;
            longest = list_length(thread, c) > longest ? list_length(thread, c) : longest;
        }
    }
    EXPECT(in_balance > 0 && longest > most_passing(c) / 2);
    /* What the thread takes and frees in balance is held to that, and to what is worth a look. */
    for (unsigned turn = 0; turn < TURNS; turn++) {
        for (unsigned i = 0; i < 12; i++)
            EXPECT((blocks[i] = hak_malloc(1024)) != NULL);
        for (unsigned i = 0; i < 12; i++) {
            hak_free(blocks[i]);
            if (flow->balance != 0)
                EXPECT(list_length(thread, c) <= flow->capacity + HAK_EXCESS_MIN);
        }
    }
}

static void lists_are_as_short_as_is_asked_for(void **state) {
    (void)state;
    assert_true(child_succeeds(have_short_lists, NULL));
}

/* ---- chores ---- */

/* Chores since the last call. */
static uint32_t chores_of(struct thread *thread) {
    static uint32_t before;
    uint32_t chores = thread->chores - before;
    before = thread->chores;
    return chores;
}

static void work_in_one_way(void *size_argument) {
    enum { BLOCKS = 4 * HAK_EXCESS_MAX };
    static void *blocks[BLOCKS];
    size_t size = *(const size_t *)size_argument;
    struct thread *thread = begin();
    hak_free(hak_malloc(size));
    (void)chores_of(thread);
    for (unsigned i = 0; i < BLOCKS; i++)
        EXPECT((blocks[i] = hak_malloc(size)) != NULL);
    EXPECT(chores_of(thread) >= BLOCKS / HAK_EXCESS_MAX - 1);
    for (unsigned i = 0; i < BLOCKS; i++)
        hak_free(blocks[i]);
    EXPECT(chores_of(thread) >= BLOCKS / HAK_EXCESS_MAX - 1);
    for (unsigned i = 0; i < 4 * BLOCKS; i++)
        hak_free(hak_malloc(size));
    EXPECT(chores_of(thread) > 0);
}

static void chores_come_whatever_a_thread_does(void **state) {
    static size_t sizes[] = {16, 128, 1024, 2000, 4096};
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_true(child_succeeds(work_in_one_way, &sizes[i]));
}

/* ---- balance ---- */

enum { ROUND = 2000 };
static const size_t sizes[] = {16, 64, 128, 512, 1024, 4096};
static void *round_of[ROUND];

static void make_some(size_t size, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        EXPECT((round_of[i] = hak_malloc(size)) != NULL);
}

/* The longest list there was. */
static int32_t free_some(const struct thread *thread, unsigned c, unsigned count) {
    int32_t most = 0;
    for (unsigned i = 0; i < count; i++) {
        hak_free(round_of[i]);
        most = list_length(thread, c) > most ? list_length(thread, c) : most;
    }
    return most;
}

/* As many as a list may hold, often. */
static int32_t make_and_free_all(const struct thread *thread, size_t size) {
    unsigned count = (unsigned)least(ROUND, LIST_BYTES / size);
    for (unsigned turn = 0; turn < 4; turn++) {
        make_some(size, count);
        (void)free_some(thread, size_class_of(size), count);
    }
    return (int32_t)count;
}

/* What a thread frees again it takes again: all of that stays in its list, as far as it may grow. */
static void take_what_it_frees(void *unused) {
    (void)unused;
    struct thread *thread = begin();
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned c = size_class_of(sizes[i]);
        const struct hak_flow *flow = &thread->view.flow[c];
        int32_t all = make_and_free_all(thread, sizes[i]);
        EXPECT(flow->balance > 0 && flow->capacity >= all * 3 / 4);
        EXPECT(list_length(thread, c) >= all * 3 / 4);
        /* One at a time, it comes near the heap once at most: the list may have been a little too long. */
        uint64_t taken = flow->taken, returned = flow->returned;
        for (unsigned pair = 0; pair < ROUND; pair++)
            hak_free(hak_malloc(sizes[i]));
        EXPECT(flow->taken == taken && flow->returned - returned <= HAK_FLUSH_MAX && flow->balance > 0);
    }
}

static void what_is_taken_again_stays(void **state) {
    (void)state;
    assert_true(child_succeeds(take_what_it_frees, NULL));
}

/* Another thread makes blocks and frees none, or gets them freed. */
static struct thread *maker;
static size_t made_size;
static pthread_barrier_t turns;

static void *make_for_another(void *rounds) {
    maker = begin();
    for (uintptr_t round = 0; round < (uintptr_t)rounds; round++) {
        make_some(made_size, ROUND);
        pthread_barrier_wait(&turns);
        pthread_barrier_wait(&turns);
    }
    return NULL;
}

/* A thread that frees what another one makes keeps no more of it than it takes to pass it on, from the first on;
 * what it passes on waits for the other one. */
static void pass_on_what_another_makes(void *size_argument) {
    enum { ROUNDS = 20 };
    pthread_t thread;
    struct thread *consumer = begin();
    made_size = *(const size_t *)size_argument;
    unsigned c = size_class_of(made_size);
    const struct hak_flow *flow = &consumer->view.flow[c];
    EXPECT(pthread_barrier_init(&turns, NULL, 2) == 0);
    EXPECT(pthread_create(&thread, NULL, make_for_another, (void *)(uintptr_t)ROUNDS) == 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&turns);
        EXPECT(maker->heap != consumer->heap && list_length(maker, c) <= HAK_BATCH_MAX);
        EXPECT(free_some(consumer, c, ROUND) <= most_passing(c));
        EXPECT(flow->balance == 0 && flow->taken == 0 && flow->passed_frees == 0);
        const struct transfer *transfer = &hak_transfers[c];
        EXPECT(transfer->count >= transfer->room / 2 || transfer->count >= ROUND / 2);
        pthread_barrier_wait(&turns);
    }
    EXPECT(pthread_join(thread, NULL) == 0);
    (void)hak_trim();
    EXPECT(hak_view.active_bytes == 0 && hak_view.errors == 0);
}

static void who_frees_what_another_makes_passes_it_on(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        assert_true(child_succeeds(pass_on_what_another_makes, &size));
    }
}

/* A thread that has had long lists, and from now on frees only: they go to others, soon and for good, whoever's the
 * blocks are. Then it takes what it frees again, and gets long lists again. */
static void change_twice(void *size_argument) {
    static void *own[8 * ROUND];
    enum { OWN = sizeof own / sizeof *own };
    size_t size = *(const size_t *)size_argument;
    struct thread *thread = begin();
    unsigned c = size_class_of(size);
    const struct hak_flow *flow = &thread->view.flow[c];
    (void)make_and_free_all(thread, size);
    EXPECT(flow->balance > 0 && list_length(thread, c) > most_passing(c));
    int32_t capacity = flow->capacity;
    for (unsigned i = 0; i < OWN; i++)
        EXPECT((own[i] = hak_malloc(size)) != NULL);
    unsigned freed = 0;
    for (; freed < OWN && (flow->balance > 0 || list_length(thread, c) > most_passing(c)); freed++)
        hak_free(own[freed]);
    /* What it has taken of late is no more than its list may hold, and weighs as much as twice as many frees. What is
     * too much then goes in batches. */
    EXPECT_AT_MOST(freed, 4 * (size_t)capacity + 3 * HAK_EXCESS_MAX);
    for (; freed < OWN; freed++) {
        hak_free(own[freed]);
        EXPECT(flow->balance == 0 && list_length(thread, c) <= most_passing(c));
    }
    (void)make_and_free_all(thread, size);
    EXPECT(flow->balance > 0 && list_length(thread, c) > most_passing(c));
}

static void a_thread_may_change_what_it_does(void **state) {
    static size_t some[] = {16, 128, 1024};
    (void)state;
    for (unsigned i = 0; i < sizeof some / sizeof *some; i++)
        assert_true(child_succeeds(change_twice, &some[i]));
}

/* ---- fork ---- */

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
    while (list_length(thread, 1) < flow->capacity + BEYOND) {
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

/* What a thread in balance may do until the next look, the one that gets its record may not. */
static void *work_and_end(void *left) {
    struct thread *thread = *(struct thread **)left = begin();
    unsigned c = size_class_of(64);
    while (thread->view.flow[c].balance <= HAK_PASSING_MAX || thread->view.slot[c].frees_left <= HAK_PASSING_MAX) {
        void *blocks[100];
        for (unsigned i = 0; i < 100; i++)
            EXPECT((blocks[i] = hak_malloc(64)) != NULL);
        for (unsigned i = 0; i < 100; i++)
            hak_free(blocks[i]);
    }
    return NULL;
}

static void leave_a_record(void *unused) {
    (void)unused;
    struct thread *left;
    pthread_t thread;
    begin();
    EXPECT(pthread_create(&thread, NULL, work_and_end, &left) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(hak_thread_list_is_warm());
    const struct hak_flow *flow = &left->view.flow[size_class_of(64)];
    EXPECT(flow->balance > 0 && flow->balance <= HAK_PASSING_MAX);
    EXPECT(left->view.slot[size_class_of(64)].frees_left <= HAK_PASSING_MAX);
}

static void the_next_thread_is_looked_at_soon(void **state) {
    (void)state;
    assert_true(child_succeeds(leave_a_record, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_and_out_is_looked_at_seldom),
        cmocka_unit_test(a_thread_that_holds_much_is_let_hold_little_more),
        cmocka_unit_test(lists_are_as_short_as_is_asked_for),
        cmocka_unit_test(chores_come_whatever_a_thread_does),
        cmocka_unit_test(what_is_taken_again_stays),
        cmocka_unit_test(who_frees_what_another_makes_passes_it_on),
        cmocka_unit_test(a_thread_may_change_what_it_does),
        cmocka_unit_test(a_fork_loses_nothing_of_a_long_list),
        cmocka_unit_test(the_next_thread_is_looked_at_soon),
    };
    hak_options.heaps = 2;
    hak_thread_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
