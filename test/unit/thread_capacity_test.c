/* thread_capacity_test.c
 * Purpose.     What the lists of a thread may hold where threads are many: a little, and more as it is earned; and that
 *              nothing is different where they are few.
 * Design.      Each test is a child, whose caches start empty. Most pretend that there are many threads.
 */
#include "support/child.h"
#include "support/unit.h"

#include <pthread.h>
#include <sched.h>

#include "api/init.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread_capacity.h"
#include "heap/thread_list.h"
#include "segment/view.h"

enum { FEW = HAK_CACHE_THREADS_MIN, MANY = 1000, BLOCKS = 1000, THREADS = FEW + 16, WORKERS = 4 };

static void *blocks[16 * BLOCKS];

/* As on a machine with one cpu. */
static struct thread *begin(uint32_t threads) {
    while (hak_api_thread() == NULL) {
    }
    hak_thread_init(1);
    hak_options.purge_delay = 1 << 30;
    hak_thread_share_among(threads, FEW);
    return hak_thread_self;
}

/* How much longer than its capacity a list of one thread of many may be, by what it might cache at all. */
static size_t most_excess(const struct thread *thread, unsigned c) {
    size_t begin = hak_thread_share / HAK_CACHE_BEGIN_PART;
    size_t limit = (begin > HAK_CACHE_LEAST_BYTES ? begin : HAK_CACHE_LEAST_BYTES) + thread->earned_bytes;
    size_t bytes = least(limit, HAK_THREAD_CACHE_BYTES) / HAK_EXCESS_SHARE;
    size_t more = (bytes > HAK_EXCESS_OF_MANY ? bytes : HAK_EXCESS_OF_MANY) / size_class_bytes(c);
    return more < HAK_EXCESS_MIN ? HAK_EXCESS_MIN : least(more, HAK_EXCESS_MAX);
}

/* In bytes; and what holds of every list of one thread of many. */
static size_t capacities(const struct thread *thread) {
    size_t bytes = 0;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        int32_t capacity = thread->view.flow[c].capacity, frees_left = thread->view.slot[c].frees_left;
        int32_t length = length_of(thread, c);
        bytes += capacity > 1 ? (size_t)capacity * size_class_bytes(c) : 0;
        EXPECT(length >= 0 && frees_left >= 0 && length + frees_left <= thread->view.slot[c].room);
        if (!threads_are_many())
            continue;
        EXPECT_AT_MOST((size_t)(length + frees_left), (size_t)capacity + most_excess(thread, c));
        EXPECT(capacity > 1 || length + frees_left == 0);
    }
    EXPECT(bytes == thread->cache_bytes);
    return bytes;
}

static size_t held(const struct thread *thread) {
    size_t bytes = thread->outbox.bytes;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        bytes += (size_t)length_of(thread, c) * size_class_bytes(c);
    return bytes;
}

/* Of 16 to 1024 B, in turn. */
static void make(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        EXPECT((blocks[i] = hak_malloc(16 + 16 * (i % HAK_TINY_CLASSES))) != NULL);
}

static void drop(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        hak_free(blocks[i]);
        (void)(i % 64 == 0 ? capacities(hak_thread_self) : 0);
    }
}

static void expect_all_free(void) {
    hak_trim();
    EXPECT(hak_view.active_bytes == 0);
}

static void so_many_share_what_a_few_have(void **state) {
    (void)state;
    assert_int_equal(hak_thread_share, HAK_THREAD_CACHE_BYTES);
    for (uint32_t threads = 0; threads < 100000; threads = 1 + threads * 5 / 4) {
        hak_thread_share_among(threads, FEW);
        assert_int_equal(threads_are_many(), threads > FEW);
        assert_true(hak_thread_share >= HAK_CACHE_LEAST_BYTES);
        if (hak_thread_share > HAK_CACHE_LEAST_BYTES && threads > FEW)
            assert_true(hak_thread_share * threads <= FEW * HAK_THREAD_CACHE_BYTES);
    }
    hak_thread_share_among(64, 64);
    assert_false(threads_are_many());
    hak_thread_share_among(1, FEW);
}

/* What a thread gets of the classes that it uses once: what a class begins with as long as that fits, then a block. */
static void use_each_class_once(void *unused) {
    (void)unused;
    const struct thread *thread = begin(MANY);
    make(HAK_TINY_CLASSES);
    for (unsigned c = 1; c <= HAK_TINY_CLASSES; c++) {
        int32_t capacity = thread->view.flow[c].capacity;
        EXPECT(capacity == 1 || capacity >= 4);
    }
    EXPECT(thread->view.flow[1].capacity >= 4 && thread->view.flow[HAK_TINY_CLASSES].capacity == 1);
    EXPECT(capacities(thread) <= HAK_CACHE_LEAST_BYTES + thread->earned_bytes);
    drop(HAK_TINY_CLASSES);
    /* Blocks of the others are on their way to other threads. */
    for (unsigned c = 1; c <= HAK_TINY_CLASSES; c++)
        EXPECT((length_of(thread, c) != 0) == (thread->view.flow[c].capacity != 1));
    EXPECT(thread->outbox.bytes != 0);
    expect_all_free();
}

static void a_class_that_is_used_once_gets_a_block(void **state) {
    (void)state;
    assert_true(child_succeeds(use_each_class_once, NULL));
}

/* The same as above, often enough that lists of few threads would hold all. */
static const struct thread *use_and_wait(uint32_t threads) {
    const struct thread *thread = begin(threads);
    make(BLOCKS);
    drop(BLOCKS);
    (void)capacities(thread);
    return thread;
}

static void wait_as_one_of_many(void *unused) {
    (void)unused;
    const struct thread *thread = use_and_wait(MANY);
    size_t taken = 0;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        taken += (size_t)thread->view.flow[c].taken * size_class_bytes(c);
    EXPECT(taken >= (size_t)BLOCKS * 500 && thread->earned_bytes <= 2 * taken / HAK_CACHE_EARNED_PART);
    EXPECT(held(thread) <= 2 * (HAK_CACHE_LEAST_BYTES + thread->earned_bytes));
    expect_all_free();
}

static void wait_as_one_of_few(void *unused) {
    (void)unused;
    EXPECT(held(use_and_wait(FEW)) >= (size_t)BLOCKS * 500);
    expect_all_free();
}

/* What is not used for a while would give up what it has. */
static void use_each(unsigned from, unsigned to) {
    for (unsigned c = from; c <= to; c++)
        hak_free(hak_malloc(size_class_bytes(c)));
}

/* What a class begins with is not taken from the rest. */
static void use_all(void *unused) {
    (void)unused;
    const struct thread *thread = begin(FEW);
    use_each(1, HAK_CLASS_COUNT - 1);
    size_t begun = capacities(thread);
    EXPECT(thread->begun_bytes == begun && begun > HAK_THREAD_CACHE_BYTES / 4);
    for (unsigned c = HAK_TINY_CLASSES; c > 0; c--) {
        for (unsigned i = 0; i < 4 * BLOCKS; i++)
            EXPECT((blocks[i] = hak_malloc(size_class_bytes(c))) != NULL);
        drop(4 * BLOCKS);
        use_each(1, HAK_CLASS_COUNT - 1);
    }
    EXPECT(capacities(thread) <= HAK_THREAD_CACHE_BYTES + begun);
    EXPECT(capacities(thread) > HAK_THREAD_CACHE_BYTES + begun / 2);
    expect_all_free();
}

static void one_of_few_grows_by_a_few_megabytes(void **state) {
    (void)state;
    assert_true(child_succeeds(use_all, NULL));
}

static void one_of_many_holds_little(void **state) {
    (void)state;
    assert_true(child_succeeds(wait_as_one_of_many, NULL));
    assert_true(child_succeeds(wait_as_one_of_few, NULL));
}

/* Who takes much may have much, as long as others leave it some. */
static void earn(void *unused) {
    (void)unused;
    const struct thread *thread = begin(2 * FEW);
    size_t earned = 0, most = 0;
    for (unsigned round = 0; earned < HAK_THREAD_CACHE_BYTES; round++) {
        EXPECT(round < 100);
        make(16 * BLOCKS);
        EXPECT(thread->earned_bytes >= earned);
        earned = thread->earned_bytes;
        most = capacities(thread);
        EXPECT(most <= least(HAK_THREAD_CACHE_BYTES, hak_thread_share / HAK_CACHE_BEGIN_PART + earned));
        drop(16 * BLOCKS);
    }
    EXPECT(most > hak_thread_share && most >= HAK_THREAD_CACHE_BYTES * 3 / 4);
    expect_all_free();
    EXPECT(thread->earned_bytes == 0 && thread->begun_bytes == 0);
}

static void what_a_thread_may_have_is_earned(void **state) {
    (void)state;
    assert_true(child_succeeds(earn, NULL));
}

/* As many blocks of one size, often. */
static void work(size_t size, unsigned count, unsigned rounds) {
    for (; rounds > 0; rounds--) {
        for (unsigned i = 0; i < count; i++) {
            EXPECT((blocks[i] = hak_malloc(size)) != NULL);
            (void)(i % 8 == 0 ? capacities(hak_thread_self) : 0);
        }
        drop(count);
    }
}

/* A thread that has all it may with some classes goes on with another one, which gets some. */
static void change(void *unused) {
    (void)unused;
    const struct thread *thread = begin(MANY);
    unsigned after = size_class_of(2000), from = size_class_of(528), to = size_class_of(1024);
    for (unsigned round = 0; round < 4; round++)
        for (unsigned c = from; c <= to; c++) {
            work(size_class_bytes(c), BLOCKS, 4);
            use_each(from, to);
        }
    size_t had = capacities(thread);
    EXPECT(had > HAK_THREAD_CACHE_BYTES * 7 / 8 && thread->view.flow[after].capacity == 0);
    for (unsigned round = 0; round < 100; round++) {
        work(2000, BLOCKS, 1);
        use_each(from, to);
    }
    size_t got = (size_t)thread->view.flow[after].capacity * size_class_bytes(after);
    EXPECT(got >= HAK_CACHE_BYTES / 4);
    EXPECT(capacities(thread) - got <= had - got / 2 && capacities(thread) <= HAK_THREAD_CACHE_BYTES);
    expect_all_free();
}

static void capacity_goes_where_it_is_wanted(void **state) {
    (void)state;
    assert_true(child_succeeds(change, NULL));
}

/* A list that has had less than half of what it may hold does not grow, one that has had as much does. */
static void take_a_few(void *unused) {
    (void)unused;
    struct thread *thread = begin(FEW);
    unsigned c = size_class_of(1024), count = 0;
    const struct hak_flow *flow = &thread->view.flow[c];
    EXPECT((blocks[count++] = hak_malloc(1024)) != NULL);
    EXPECT(flow->taken == 2 && flow->capacity == 4);
    while (flow->capacity < 32)
        EXPECT(hak_capacity_grow(thread, c));
    while (length_of(thread, c) != 0)
        EXPECT((blocks[count++] = hak_malloc(1024)) != NULL);
    EXPECT((blocks[count++] = hak_malloc(1024)) != NULL);
    EXPECT(flow->taken == 2 + 16 && flow->capacity == 32);
    while (length_of(thread, c) != 0)
        EXPECT((blocks[count++] = hak_malloc(1024)) != NULL);
    EXPECT((blocks[count++] = hak_malloc(1024)) != NULL);
    EXPECT(flow->taken == 2 + 16 + 32 && flow->capacity == 64);
    drop(count);
    expect_all_free();
}

static void a_list_grows_by_what_it_got(void **state) {
    (void)state;
    assert_true(child_succeeds(take_a_few, NULL));
}

/* Some threads of many that want all they can get, and might have half as much again: together they have what all may
 * have, but for what each took when there was some left, and each has its share. None takes another one's blocks: what
 * goes round is kept short. */
static pthread_barrier_t barrier;
static struct thread *worker[WORKERS];

static void *want_all(void *argument) {
    void *block[40 * BLOCKS];
    while (hak_api_thread() == NULL) {
    }
    *(struct thread **)argument = hak_thread_self;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 40 * BLOCKS; i++)
            EXPECT((block[i] = hak_malloc(16 + 16 * (i % 7))) != NULL);
        for (unsigned i = 0; i < 40 * BLOCKS; i++)
            hak_free(block[i]);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void share(void *unused) {
    pthread_t threads[WORKERS];
    size_t all = 0, each = HAK_THREAD_CACHE_BYTES / 64, at_once = HAK_CACHE_BYTES / 2;
    (void)unused;
    (void)begin(1);
    hak_options.purge_delay = 0; /* nothing waits for others */
    EXPECT(pthread_barrier_init(&barrier, NULL, WORKERS + 1) == 0);
    for (unsigned i = 0; i < WORKERS; i++)
        EXPECT(pthread_create(&threads[i], NULL, want_all, &worker[i]) == 0);
    pthread_barrier_wait(&barrier);
    hak_thread_share_among(64, 1);
    EXPECT(hak_thread_share == each);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < WORKERS; i++) {
        all += capacities(worker[i]);
        EXPECT(capacities(worker[i]) >= each * 3 / 4);
    }
    EXPECT(all >= HAK_THREAD_CACHE_BYTES && all <= HAK_THREAD_CACHE_BYTES + WORKERS * (each + at_once));
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < WORKERS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    expect_all_free();
}

static void all_have_so_much_and_each_its_share(void **state) {
    (void)state;
    assert_true(child_succeeds(share, NULL));
}

/* Where threads are many, what one takes none of waits for others in the outbox, up to so many bytes. */
static void *lend(void *size) {
    while (hak_api_thread() == NULL) {
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        EXPECT((blocks[i] = hak_malloc((size_t)size)) != NULL);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

/* Frees what another heap's thread has made, as one of so many. */
static void free_others(size_t size, uint32_t threads) {
    pthread_t lender;
    struct thread *thread = begin(1);
    struct outbox *outbox = &thread->outbox;
    EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
    EXPECT(pthread_create(&lender, NULL, lend, (void *)size) == 0);
    pthread_barrier_wait(&barrier);
    hak_thread_share_among(threads, FEW);
    unsigned most = 0, c = size_class_of(size);
    for (unsigned i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
        most = outbox->count > most ? outbox->count : most;
        EXPECT(outbox->bytes == outbox->count * size_class_bytes(c) && outbox->count < HAK_OUTBOX_BLOCKS);
        EXPECT(outbox->bytes <= capacity_limit(thread) / 2 && (!threads_are_many() || length_of(thread, c) == 0));
    }
    if (threads_are_many()) {
        EXPECT(most + 1 >= HAK_CACHE_LEAST_BYTES / 2 / size);
        EXPECT(thread->earned_bytes >= (BLOCKS - HAK_OUTBOX_BLOCKS) * size / HAK_CACHE_EARNED_PART);
    } else {
        EXPECT(most == 0);
    }
    pthread_barrier_wait(&barrier);
    EXPECT(pthread_join(lender, NULL) == 0);
    expect_all_free();
}

static void free_small_ones(void *threads) {
    free_others(64, *(const uint32_t *)threads);
}

static void free_larger_ones(void *threads) {
    free_others(1024, *(const uint32_t *)threads);
}

static void free_mid_ones(void *threads) {
    free_others(HAK_MID_MAX, *(const uint32_t *)threads);
}

static void few_wait_for_others(void **state) {
    static uint32_t threads[] = {1, MANY};
    (void)state;
    for (unsigned i = 0; i < sizeof threads / sizeof *threads; i++) {
        assert_true(child_succeeds(free_small_ones, &threads[i]));
        assert_true(child_succeeds(free_larger_ones, &threads[i]));
        assert_true(child_succeeds(free_mid_ones, &threads[i]));
    }
}

/* Threads are counted as they get records and lose them. They get them later if there are many. */
static void *come_and_go(void *unused) {
    unsigned visits = 1;
    bool were_many = threads_are_many();
    for (; hak_api_thread() == NULL; visits++) {
    }
    if (were_many)
        EXPECT(visits == HAK_VISITS_MANY + 1 || visits == HAK_WARM_VISITS + 1);
    else
        EXPECT(visits > HAK_WARM_VISITS);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

/* One after the other. */
static void wait_for_records(unsigned count) {
    for (uint64_t records = 0; records != count; sched_yield())
        (void)hak_thread_list_class_sum(1, &records);
}

static void count_threads(void *unused) {
    pthread_t threads[THREADS];
    (void)unused;
    (void)begin(1);
    for (unsigned round = 0; round < 2; round++) {
        EXPECT(!threads_are_many());
        EXPECT(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
        for (unsigned i = 0; i < THREADS; i++) {
            EXPECT(pthread_create(&threads[i], NULL, come_and_go, NULL) == 0);
            wait_for_records(i + 2);
        }
        pthread_barrier_wait(&barrier);
        EXPECT(hak_thread_share == HAK_THREAD_CACHE_BYTES * FEW / (THREADS + 1));
        pthread_barrier_wait(&barrier);
        for (unsigned i = 0; i < THREADS; i++)
            EXPECT(pthread_join(threads[i], NULL) == 0);
        pthread_barrier_destroy(&barrier);
    }
    EXPECT(hak_thread_share == HAK_THREAD_CACHE_BYTES);
}

static void births_and_ends_count(void **state) {
    (void)state;
    assert_true(child_succeeds(count_threads, NULL));
}

/* In a fork's child the others are gone, as soon as what they left is adopted. */
static void fork_from_many(void *unused) {
    pthread_t threads[THREADS];
    (void)unused;
    (void)begin(1);
    EXPECT(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, come_and_go, NULL) == 0);
    pthread_barrier_wait(&barrier);
    pid_t child = fork();
    if (child == 0) {
        EXPECT(threads_are_many());
        hak_thread_flush();
        EXPECT(hak_thread_share == HAK_THREAD_CACHE_BYTES);
        _exit(0);
    }
    EXPECT(child > 0 && expect_wait(child) == 0);
    EXPECT(threads_are_many());
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
}

static void a_forks_child_is_alone(void **state) {
    (void)state;
    assert_true(child_succeeds(fork_from_many, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_share_what_a_few_have),
        cmocka_unit_test(a_class_that_is_used_once_gets_a_block),
        cmocka_unit_test(one_of_many_holds_little),
        cmocka_unit_test(one_of_few_grows_by_a_few_megabytes),
        cmocka_unit_test(what_a_thread_may_have_is_earned),
        cmocka_unit_test(capacity_goes_where_it_is_wanted),
        cmocka_unit_test(a_list_grows_by_what_it_got),
        cmocka_unit_test(all_have_so_much_and_each_its_share),
        cmocka_unit_test(few_wait_for_others),
        cmocka_unit_test(births_and_ends_count),
        cmocka_unit_test(a_forks_child_is_alone),
    };
    hak_options.heaps = 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
