/* control_test.c
 * Purpose.     Requests in hak_view.control: carried out once each and in order by whoever comes by in a slow path,
 *              answered, refused where they are wrong; numbers that no tool can have left; a fork in between. A trim
 *              reaches the caches of all threads.
 * Design.      The test writes the words as a tool does. What a slow path is, is known: a Large block is one.
 */
#include "support/child.h"
#include "support/unit.h"

#include <pthread.h>
#include <sched.h>

#include "api/control.h"
#include "base/figures.h"
#include "base/options.h"
#include "hakmem.h"

#define CONTROL (&hak_view.control)

/* What it leaves behind, freed after the slow path of malloc. */
#define COME_BY_BYTES (2 * HAK_GRANULE_SIZE)

static void come_by(void) {
    hak_free(hak_malloc(100000));
}

/* Leaves the request as a tool does; its number. */
static uint32_t leave(struct hak_request request) {
    uint32_t number = CONTROL->asked;
    CONTROL->request[number % HAK_REQUEST_COUNT] = request;
    CONTROL->asked = number + 1;
    CONTROL->attention = 1;
    return number;
}

static const struct hak_request *answer(uint32_t number) {
    return &CONTROL->request[number % HAK_REQUEST_COUNT];
}

static uint64_t index_of(const int64_t *option) {
    return (uint64_t)(option - (const int64_t *)(const void *)&hak_options);
}

#define SET_TO(field, to)                                                                                              \
    ((struct hak_request){.kind = HAK_REQUEST_SET, .option = index_of(&hak_options.field), .value = (to), .result = -1})

static void trimming_gives_memory_back(void **state) {
    (void)state;
    char *block = hak_malloc(1000000);
    memset(block, 1, 1000000);
    hak_free(block);
    assert_true(hak_view.retained_bytes != 0);
    uint32_t number = leave((struct hak_request){.kind = HAK_REQUEST_TRIM, .result = -1});
    assert_int_equal(CONTROL->done, number);
    hak_control_tick();
    assert_int_equal(CONTROL->done, number + 1);
    assert_int_equal(CONTROL->attention, 0);
    assert_int_equal(answer(number)->result, 0);
    assert_int_equal(answer(number)->value, 1);
    assert_int_equal(hak_view.retained_bytes, 0);
    number = leave((struct hak_request){.kind = HAK_REQUEST_TRIM});
    hak_control_tick();
    assert_int_equal(CONTROL->done, number + 1);
}

/* In each of the slow paths: those of malloc, free and calloc, small and large. */
static void every_slow_path_comes_by(void **state) {
    enum { BLOCKS = 3000 };
    static void *blocks[BLOCKS];
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        uint32_t number = 0;
        void *large = hak_malloc(100000);
        for (unsigned i = 0; i < BLOCKS; i++)
            blocks[i] = way == 1 ? hak_malloc(480) : NULL;
        number = leave((struct hak_request){.kind = HAK_REQUEST_TRIM});
        for (unsigned i = 0; i < BLOCKS && way < 2; i++)
            if (way == 0)
                blocks[i] = hak_malloc(480);
            else
                hak_free(blocks[i]);
        if (way == 2)
            hak_free(hak_calloc(1, 100000));
        if (way == 3)
            hak_free(large);
        assert_int_equal(CONTROL->done, number + 1);
        for (unsigned i = 0; i < BLOCKS && way == 0; i++)
            hak_free(blocks[i]);
        if (way != 3)
            hak_free(large);
    }
}

static void setting_answers_with_what_it_was(void **state) {
    (void)state;
    int64_t before = hak_options.purge_delay;
    uint32_t number = leave(SET_TO(purge_delay, 77));
    come_by();
    assert_int_equal(hak_options.purge_delay, 77);
    assert_int_equal(answer(number)->result, 0);
    assert_int_equal(answer(number)->value, before);
    number = leave(SET_TO(purge_delay, before));
    come_by();
    assert_int_equal(answer(number)->value, 77);
}

static void what_is_wrong_is_refused(void **state) {
    const struct hak_options before = hak_options;
    (void)state;
    const struct {
        struct hak_request request;
        int error;
    } cases[] = {
        {SET_TO(purge_delay, -1), EINVAL},
        {SET_TO(purge_delay, 86400001), EINVAL},
        {SET_TO(heaps, 1), EPERM},
        {SET_TO(stats, 1), EPERM},
        {{.kind = HAK_REQUEST_SET, .option = sizeof hak_options / sizeof(int64_t)}, ENOENT},
        {{.kind = HAK_REQUEST_SET, .option = UINT64_MAX}, ENOENT},
        {{.kind = HAK_REQUEST_NONE}, EINVAL},
        {{.kind = 99}, EINVAL},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t number = leave(cases[i].request);
        come_by();
        assert_int_equal(CONTROL->done, number + 1);
        assert_int_equal(answer(number)->result, cases[i].error);
    }
    assert_memory_equal(&hak_options, &before, sizeof before);
}

static void requests_are_carried_out_in_order(void **state) {
    (void)state;
    int64_t before = hak_options.purge_delay;
    uint32_t first = CONTROL->asked;
    for (unsigned i = 0; i < HAK_REQUEST_COUNT; i++)
        (void)leave(SET_TO(purge_delay, 100 + i));
    come_by();
    assert_int_equal(CONTROL->done, first + HAK_REQUEST_COUNT);
    for (unsigned i = 0; i < HAK_REQUEST_COUNT; i++)
        assert_int_equal(answer(first + i)->value, i == 0 ? before : 100 + i - 1);
    assert_int_equal(hak_options.purge_delay, 100 + HAK_REQUEST_COUNT - 1);
    (void)leave(SET_TO(purge_delay, before));
    come_by();
    assert_int_equal(hak_options.purge_delay, before);
}

static void the_count_may_wrap(void **state) {
    (void)state;
    int64_t before = hak_options.purge_delay;
    CONTROL->asked = CONTROL->done = UINT32_MAX - 2;
    for (unsigned i = 0; i < 5; i++)
        (void)leave(SET_TO(purge_delay, 100 + i));
    come_by();
    assert_int_equal(CONTROL->done, 2);
    assert_int_equal(hak_options.purge_delay, 104);
    (void)leave(SET_TO(purge_delay, before));
    come_by();
}

static void garbage_is_no_work(void **state) {
    const struct hak_options before = hak_options;
    (void)state;
    for (unsigned i = 0; i < HAK_REQUEST_COUNT; i++)
        CONTROL->request[i] = SET_TO(purge_delay, 1);
    CONTROL->asked = CONTROL->done + HAK_REQUEST_COUNT + 1;
    CONTROL->attention = 1;
    come_by();
    assert_int_equal(CONTROL->done, CONTROL->asked);
    for (unsigned i = 0; i < HAK_REQUEST_COUNT; i++)
        assert_int_equal(CONTROL->request[i].result, -1);
    assert_memory_equal(&hak_options, &before, sizeof before);
}

static void be_a_child(void *unused) {
    (void)unused;
    come_by();
    EXPECT(CONTROL->done == CONTROL->asked);
    EXPECT(hak_options.purge_delay != 66);
    (void)leave(SET_TO(purge_delay, 67));
    come_by();
    EXPECT(hak_options.purge_delay == 67);
}

static void a_child_leaves_its_parents_requests_alone(void **state) {
    (void)state;
    int64_t before = hak_options.purge_delay;
    (void)leave(SET_TO(purge_delay, 66));
    assert_true(child_succeeds(be_a_child, NULL));
    assert_int_equal(hak_options.purge_delay, before);
    come_by();
    assert_int_equal(hak_options.purge_delay, 66);
    (void)leave(SET_TO(purge_delay, before));
    come_by();
}

/* ---- another thread ---- */

enum { OTHERS = 2000 };

/* One that does a step whenever it is told to. */
static struct other {
    pthread_t thread;
    pthread_barrier_t barrier;
    void (*step)(void); /* NULL: end */
    struct thread *record;
    void *blocks[OTHERS];
} other;

static void *take_steps(void *unused) {
    while (pthread_barrier_wait(&other.barrier), other.step != NULL) {
        other.step();
        other.record = hak_thread_self;
        pthread_barrier_wait(&other.barrier);
    }
    return unused;
}

static void other_does(void (*step)(void)) {
    other.step = step;
    pthread_barrier_wait(&other.barrier);
    if (step != NULL)
        pthread_barrier_wait(&other.barrier);
}

static void earn_a_record(void) {
    while (!thread_is_alive(hak_thread_self))
        come_by();
}

/* Leaves blocks of several classes in the cache. */
static void fill_cache(void) {
    void *blocks[100];
    for (size_t size = 16; size < 20000; size *= 3) {
        for (unsigned i = 0; i < 100; i++)
            blocks[i] = hak_malloc(size);
        for (unsigned i = 0; i < 100; i++)
            hak_free(blocks[i]);
    }
}

static void free_blocks(void) {
    for (unsigned i = 0; i < OTHERS; i++)
        hak_free(other.blocks[i]);
}

/* While its thread waits: the length of each list follows from what went into it and out of it. */
static uint64_t held_by_other(void) {
    uint64_t count = other.record->outbox.count;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_flow *flow = &other.record->view.flow[c];
        struct hak_class_sum sum = figures_class_sum(&other.record->view, c);
        count += flow->taken - flow->returned + sum.frees - flow->passed_frees - sum.mallocs;
    }
    return count;
}

static void begin_other(void) {
    assert_int_equal(pthread_barrier_init(&other.barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&other.thread, NULL, take_steps, NULL), 0);
    other_does(earn_a_record);
}

static void end_other(void) {
    other_does(NULL);
    assert_int_equal(pthread_join(other.thread, NULL), 0);
    pthread_barrier_destroy(&other.barrier);
}

static void trim(void) {
    uint32_t number = leave((struct hak_request){.kind = HAK_REQUEST_TRIM, .result = -1});
    come_by();
    assert_int_equal(answer(number)->result, 0);
}

/* A cache is its thread's own: what another thread was asked to do empties it at its own next slow path, and once. */
static void a_trim_reaches_other_threads_caches(void **state) {
    (void)state;
    int64_t before = hak_options.purge_delay;
    hak_options.purge_delay = 86400000;
    trim();
    hak_free(hak_malloc(1200000));
    begin_other(); /* with a record that has nothing to make up for */
    assert_ptr_not_equal(other.record, hak_thread_self);
    assert_true(hak_view.retained_bytes >= 1000000);
    other_does(fill_cache);
    uint64_t held = held_by_other();
    assert_true(held > 50);
    trim();
    assert_int_equal(held_by_other(), held);
    uint64_t active = hak_view.active_bytes;
    other_does(come_by);
    assert_int_equal(held_by_other(), 0);
    assert_true(hak_view.active_bytes < active);
    assert_true(hak_view.retained_bytes >= active - hak_view.active_bytes);
    other_does(fill_cache);
    other_does(come_by);
    assert_true(held_by_other() > 50);
    /* Two at once are one. */
    trim();
    trim();
    other_does(come_by);
    assert_int_equal(held_by_other(), 0);
    end_other();
    hak_options.purge_delay = before;
}

/* No call of such a thread takes another slow path than those of a free past its list, or into a full one. After the
 * trim it holds blocks of that one size. */
static void a_thread_that_frees_others_blocks_comes_by(void **state) {
    (void)state;
    begin_other();
    for (unsigned i = 0; i < OTHERS; i++)
        other.blocks[i] = hak_malloc(64);
    assert_true(other.record->heap != hak_thread_self->heap);
    uint32_t number = leave((struct hak_request){.kind = HAK_REQUEST_TRIM, .result = -1});
    other_does(free_blocks);
    assert_int_equal(CONTROL->done, number + 1);
    assert_int_equal(answer(number)->result, 0);
    other_does(fill_cache);
    for (unsigned i = 0; i < OTHERS; i++)
        other.blocks[i] = hak_malloc(64);
    trim();
    other_does(free_blocks);
    assert_int_equal(other.record->trims, CONTROL->trims);
    assert_true(held_by_other() <= HAK_PASSING_MAX);
    end_other();
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 200 };

static bool stop; /* atomic */

static void *allocate_until_stopped(void *seed) {
    uint64_t random = (uintptr_t)seed;
    while (!load_relaxed(&stop)) {
        void *small = hak_malloc(unit_below(&random, 3000)), *large = hak_malloc(100000);
        assert_true(small != NULL && large != NULL);
        hak_free(small);
        hak_free(large);
    }
    return NULL;
}

/* Each request is answered by one of four threads that have work of their own, and numbers are read meanwhile. */
static void whoever_comes_by_does_it(void **state) {
    pthread_t threads[THREADS];
    int64_t before = hak_options.purge_delay;
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_until_stopped, (void *)i), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t number = CONTROL->asked;
        CONTROL->request[number % HAK_REQUEST_COUNT] =
            i % 2 == 0 ? (struct hak_request){.kind = HAK_REQUEST_TRIM} : SET_TO(purge_delay, i);
        store_release(&CONTROL->asked, number + 1);
        store_release(&CONTROL->attention, 1u);
        hak_stats_t stats = {.size = sizeof stats, .version = HAK_STATS_VERSION};
        while (load_acquire(&CONTROL->done) != number + 1) {
            assert_int_equal(hak_stats_get(&stats), 0);
            sched_yield();
        }
        assert_int_equal(answer(number)->result, 0);
        assert_true(i % 2 == 0 || load_relaxed(&hak_options.purge_delay) == i);
    }
    store_relaxed(&stop, true);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    hak_options.purge_delay = before;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trimming_gives_memory_back),
        cmocka_unit_test(every_slow_path_comes_by),
        cmocka_unit_test(setting_answers_with_what_it_was),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(requests_are_carried_out_in_order),
        cmocka_unit_test(the_count_may_wrap),
        cmocka_unit_test(garbage_is_no_work),
        cmocka_unit_test(a_child_leaves_its_parents_requests_alone),
        cmocka_unit_test(a_trim_reaches_other_threads_caches),
        cmocka_unit_test(a_thread_that_frees_others_blocks_comes_by),
        cmocka_unit_test(whoever_comes_by_does_it),
    };
    hak_free(hak_malloc(1));
    hak_options.heaps = 2;
    hak_thread_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
