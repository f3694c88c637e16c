/* thread_test.c
 * Purpose.     A thread's caches: how much they may hold, that countdowns and lists agree, where blocks go when a cache
 *              is full, when a thread flushes and when it ends; records and heaps are shared out and reused.
 * Design.      Through hak_malloc and hak_free, looking at the calling thread's record. The counts themselves are the
 *              subject of counts_test.c.
 */
#include "support/expect.h"
#include "support/fake_os.h"
#include "support/unit.h"

#include <pthread.h>
#include <unistd.h>

#include "api/init.h"
#include "base/figures.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/slab.h"
#include "heap/thread.h"
#include "heap/thread_list.h"
#include "heap/transfer.h"
#include "segment/view.h"

/* What a list may hold, less than as shipped: the blocks of a test are too many for it. */
enum { LIST_BYTES = 262144 };
enum { MANY = 9000, THREADS_MAX = 40 };

static void *many[MANY];

static unsigned length_of(const struct thread *thread, unsigned c) {
    return (unsigned)figures_length(&thread->view.slot[c], &thread->view.flow[c]);
}

static size_t most_blocks(unsigned c, size_t bytes) {
    size_t blocks = bytes / size_class_bytes(c);
    return blocks < 4 ? 4 : blocks > HAK_CACHE_BLOCKS ? HAK_CACHE_BLOCKS : blocks;
}

/* What a list may hold of blocks that the thread frees more of than it takes. */
static unsigned most_passing(unsigned c) {
    size_t blocks = HAK_PASSING_BYTES / size_class_bytes(c);
    return (unsigned)(blocks < HAK_PASSING_MIN ? HAK_PASSING_MIN : least(blocks, HAK_PASSING_MAX));
}

/* What it may be too long by. */
static size_t most_excess(unsigned c) {
    size_t blocks = HAK_THREAD_CACHE_BYTES / HAK_EXCESS_SHARE / size_class_bytes(c);
    return blocks < HAK_EXCESS_MIN ? HAK_EXCESS_MIN : least(blocks, HAK_EXCESS_MAX);
}

/* The list of a class is an array in metadata, with NULL below it; one that is closed has none. */
static void check_list(const struct thread *thread, unsigned c) {
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    unsigned length = length_of(thread, c);
    EXPECT(slot->room >= 0 && (slot->room == 0) == (slot->top == HAK_NO_LIST_TOP));
    EXPECT(length <= (unsigned)slot->room && slot->frees_left >= 0 && slot->frees_left <= slot->room - (int)length);
    EXPECT(slot->top[-(ptrdiff_t)length - 1] == NULL && flow->moves % 2 == 0);
    for (unsigned i = 0; i < length; i++) {
        uint32_t entry = page_map_flat_get(flow->base[i]);
        EXPECT(entry_class(entry) == c && entry_heap_id(entry) != 0);
    }
}

/* The invariants of thread_cache.h, and the limits of what a thread may keep. Classes that it has not used are
 * closed. */
static void check_caches(const struct thread *thread) {
    size_t held = 0, capacities = 0;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_slot *slot = &thread->view.slot[c];
        const struct hak_flow *flow = &thread->view.flow[c];
        unsigned length = length_of(thread, c);
        bool used = (thread->used[c / 64] >> c % 64 & 1) != 0;
        check_list(thread, c);
        EXPECT(used == (flow->capacity != 0) && (used || (slot->room <= HAK_LIST_KEPT && length == 0)));
        if (!used)
            continue;
        size_t most = (size_t)flow->capacity + most_excess(c);
        EXPECT_AT_MOST((size_t)slot->frees_left + length, most > most_passing(c) ? most : most_passing(c));
        EXPECT((size_t)slot->room < 4 * most || slot->room < 64);
        EXPECT((size_t)flow->capacity <= most_blocks(c, LIST_BYTES));
        EXPECT((size_t)flow->capacity >= most_blocks(c, HAK_CACHE_START_BYTES));
        EXPECT(flow->balance >= 0 && flow->balance <= flow->capacity);
        held += length * size_class_bytes(c);
        capacities += (size_t)flow->capacity * size_class_bytes(c);
    }
    EXPECT(capacities == thread->cache_bytes);
    EXPECT(held <= (size_t)6 << 20);
    EXPECT(thread->view.slot[0].top == HAK_NO_LIST_TOP && hak_no_list[0] == NULL);
    EXPECT(thread->chores_left > 0 && !thread->busy);
    EXPECT(thread->outbox.count < HAK_OUTBOX_BLOCKS && thread->outbox.bytes <= HAK_OUTBOX_BYTES);
}

static void fill(size_t size, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        EXPECT((many[i] = hak_malloc(size)) != NULL);
}

static void fill_and_empty(size_t size, unsigned count) {
    fill(size, count);
    for (unsigned i = 0; i < count; i++)
        hak_free(many[i]);
}

static void capacity_grows_with_use_up_to_its_limit(void **state) {
    struct thread *thread = hak_thread_self;
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c += 13) {
        size_t size = size_class_bytes(c);
        size_t limit = most_blocks(c, LIST_BYTES);
        int32_t before = thread->view.flow[c].capacity;
        unsigned count = limit < MANY / 2 ? 2 * (unsigned)limit : MANY;
        fill_and_empty(size, count);
        check_caches(thread);
        assert_true(thread->view.flow[c].capacity >= before);
        fill(size, count);
        assert_int_equal(thread->view.flow[c].capacity, limit);
        for (unsigned i = 0; i < count; i++)
            hak_free(many[i]);
        check_caches(thread);
    }
}

/* A full cache gives some blocks back, not too many in one call, and so many that not every call has to. What is freed
 * and not taken again is soon on its way to others: the list is no longer than that takes. */
static void a_full_cache_gives_back_in_parts(void **state) {
    struct thread *thread = hak_thread_self;
    unsigned c = size_class_of(1024), limit = (unsigned)most_blocks(c, LIST_BYTES), returns = 0, last = 0;
    const struct hak_flow *flow = &thread->view.flow[c];
    const struct transfer *transfer = &hak_transfers[c];
    int32_t had = 0; /* capacity, when others had no room */
    (void)state;
    fill_and_empty(1024, 4 * limit);
    fill(1024, MANY);
    uint64_t passed = flow->passed_frees;
    for (unsigned freed = 0; freed < MANY; freed++) {
        unsigned before = length_of(thread, c);
        uint64_t returned = flow->returned;
        hak_free(many[freed]);
        assert_true(length_of(thread, c) <= limit + most_excess(c));
        assert_true(freed < MANY / 4 || length_of(thread, c) <= most_passing(c));
        if (flow->returned == returned)
            continue;
        assert_in_range(flow->returned - returned, least(before, HAK_FLUSH_MAX), HAK_FLUSH_MAX);
        assert_true(returns == 0 || freed - last >= most_passing(c) / 2);
        returns++;
        last = freed;
        /* It may hold as much as before as long as others have no room, and less when they take what it gives back. */
        if (freed > MANY / 2)
            hak_transfer_empty(&hak_transfers[c], hak_heaps);
        else if (transfer->count == transfer->room)
            assert_true(had == 0 || flow->capacity == had);
        had = transfer->count == transfer->room ? flow->capacity : 0;
    }
    assert_true(returns > MANY / HAK_FLUSH_MAX / 2);
    /* A list that is still too long then takes in none for a while. */
    assert_true(flow->passed_frees - passed <= 4 * (uint64_t)HAK_PASSES);
    assert_int_equal(flow->capacity, HAK_FLUSH_MAX);
    check_caches(thread);
}

static void a_thread_keeps_a_few_megabytes_at_most(void **state) {
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        fill_and_empty(size_class_bytes(c), 300);
    }
    check_caches(hak_thread_self);
    assert_true(hak_thread_self->cache_bytes <= HAK_THREAD_CACHE_BYTES + hak_thread_self->begun_bytes);
}

static void a_flush_keeps_nothing(void **state) {
    const struct thread *thread = hak_thread_self;
    (void)state;
    void *kept = hak_malloc(100);
    fill_and_empty(200, 100);
    hak_thread_flush();
    check_caches(thread);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        assert_int_equal(length_of(thread, c), 0);
        assert_int_equal(thread->view.slot[c].room, 0);
    }
    assert_int_equal(hak_view.active_bytes, HAK_GRANULE_SIZE); /* the slab of the kept block */
    hak_free(kept);
    hak_thread_flush();
    assert_int_equal(hak_view.active_bytes, 0);
}

/* A thread has a record after some visits, or after few where another has left one warm. */
static void earn_record(void) {
    EXPECT(!thread_is_alive(hak_thread_self) && !hak_thread_ended);
    unsigned visits = 1;
    for (; hak_api_thread() == NULL; visits++) {
        EXPECT(visits <= HAK_VISITS_MAX);
    }
    EXPECT(visits == HAK_VISITS_MAX + 1 || visits == HAK_WARM_VISITS + 1);
}

/* A barrier that all threads pass with their records alive, so that heaps have to be shared. */
static pthread_barrier_t barrier;
static struct thread *seen[THREADS_MAX];

static void *be_seen(void *slot) {
    earn_record();
    void *block = hak_malloc(24);
    EXPECT(block != NULL);
    *(struct thread **)slot = hak_thread_self;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    hak_free(block);
    return NULL;
}

/* Its list of 112 B is long, and has moved to another array more than once. */
static void *keep_a_long_list(void *unused) {
    unsigned c = size_class_of(112), count = 300;
    earn_record();
    for (unsigned turn = 0; turn < 4; turn++)
        fill_and_empty(112, count);
    EXPECT(length_of(hak_thread_self, c) >= count && hak_view.active_bytes > 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void a_forks_child_adopts_all_that_its_parents_threads_hold(void **state) {
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, keep_a_long_list, NULL), 0);
    pthread_barrier_wait(&barrier);
    assert_int_equal(hak_view.active_bytes, HAK_GRANULE_SIZE);
    pid_t child = fork();
    if (child == 0) {
        hak_thread_flush();
        _exit(hak_view.active_bytes == 0 ? 0 : 1);
    }
    EXPECT_CHILD_OK(child);
    pthread_barrier_wait(&barrier);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* As on a machine with so many cpus. So many records stay warm. */
static void share_heaps(unsigned cpus, unsigned heap_count, unsigned most_warm) {
    pthread_t threads[THREADS_MAX];
    uint64_t metadata = 0;
    hak_thread_init(cpus);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS_MAX + 1), 0);
        for (unsigned i = 0; i < THREADS_MAX; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, be_seen, &seen[i]), 0);
        pthread_barrier_wait(&barrier);
        unsigned least = THREADS_MAX, most = 0, all = 0, warm = 0;
        for (unsigned id = 1; id <= heap_count; id++) {
            assert_non_null(hak_heaps[id]);
            unsigned count = hak_heaps[id]->threads;
            least = count < least ? count : least;
            most = count > most ? count : most;
            all += count;
        }
        for (unsigned i = 0; i < THREADS_MAX; i++)
            for (unsigned j = 0; j < i; j++)
                assert_ptr_not_equal(seen[i], seen[j]);
        pthread_barrier_wait(&barrier);
        for (unsigned i = 0; i < THREADS_MAX; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_int_equal(seen[i]->view.thread_id, 0);
        }
        assert_int_equal(all, THREADS_MAX + 1);
        assert_true(most - least <= 1);
        for (unsigned i = 0; i < THREADS_MAX; i++)
            warm += length_of(seen[i], size_class_of(24)) != 0;
        assert_int_equal(warm, most_warm);
        assert_true(round == 0 || hak_view.metadata_bytes == metadata);
        metadata = hak_view.metadata_bytes;
        pthread_barrier_destroy(&barrier);
    }
    (void)hak_trim();
    assert_int_equal(hak_view.active_bytes, 0);
    assert_null(hak_heaps[heap_count + 1]);
}

/* How many records stay warm has nothing to do with how many heaps there are. */
static void threads_share_heaps_evenly_and_records_are_reused(void **state) {
    (void)state;
    share_heaps(1, 1, HAK_WARM_MIN);
    share_heaps(2, 1, HAK_WARM_MIN);
    share_heaps(3, 2, 6);
    share_heaps(HAK_WARM_MAX, HAK_WARM_MAX / 2, HAK_WARM_MAX);
    hak_options.heaps = 20;
    share_heaps(3, 20, 6);
    hak_options.heaps = 0;
    hak_thread_init(1);
}

/* What a thread did: its record, and one of the blocks that it freed. */
struct leaver {
    size_t size;
    unsigned blocks;
    unsigned others; /* larger classes that it does the same with */
    struct thread *record;
    void *block;
};

static void *come_and_leave(void *argument) {
    struct leaver *leaver = argument;
    earn_record();
    for (unsigned i = leaver->others; i > 0; i--)
        fill_and_empty(size_class_bytes(size_class_of(leaver->size) + i), leaver->blocks);
    fill_and_empty(leaver->size, leaver->blocks);
    leaver->record = hak_thread_self;
    leaver->block = many[leaver->blocks - 1];
    return NULL;
}

static struct leaver after_a_thread_of(size_t size, unsigned blocks, unsigned others) {
    struct leaver leaver = {.size = size, .blocks = blocks, .others = others};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, come_and_leave, &leaver), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(leaver.record->view.thread_id, 0);
    return leaver;
}

static struct leaver after_a_thread(size_t size, unsigned blocks) {
    return after_a_thread_of(size, blocks, 0);
}

static void a_thread_goes_on_with_what_another_has_left(void **state) {
    (void)state;
    struct leaver first = after_a_thread(640, 1);
    assert_true(hak_thread_list_is_warm());
    check_caches(first.record);
    struct leaver next = after_a_thread(640, 1);
    assert_ptr_equal(next.record, first.record);
    assert_ptr_equal(next.block, first.block);
}

static void what_a_thread_has_left_goes_back_after_a_quarter_of_the_delay(void **state) {
    (void)state;
    fake_os_set_clock(1000000);
    struct leaver first = after_a_thread(640, 20);
    fake_os_set_clock(1000000 + (uint64_t)hak_options.purge_delay / 4 - 1);
    hak_thread_list_tick();
    assert_true(hak_thread_list_is_warm());
    assert_true(hak_view.active_bytes > 0);
    fake_os_set_clock(1000000 + (uint64_t)hak_options.purge_delay / 4);
    hak_thread_list_tick();
    assert_false(hak_thread_list_is_warm());
    assert_int_equal(hak_view.active_bytes, 0);
    check_caches(first.record);
}

static void what_nobody_wants_goes_home(void **state) {
    const struct transfer *transfer = &hak_transfers[size_class_of(1024)];
    uint64_t now = (uint64_t)1 << 40; /* after whatever other tests have had the clock say */
    (void)state;
    fake_os_set_clock(now);
    fill_and_empty(1024, MANY);
    assert_true(transfer->count > 100);
    for (unsigned quarter = 0; quarter < 3; quarter++) {
        now += (uint64_t)hak_options.purge_delay / 4;
        fake_os_set_clock(now);
        for (unsigned i = 0; i < 40 * HAK_CHORES_INTERVAL; i++)
            hak_free(hak_malloc(16));
    }
    assert_int_equal(transfer->count, 0);
}

/* A record with more than HAK_WARM_BYTES is emptied at once, and any where free memory is not to wait at all. */
static void not_much_is_left(void **state) {
    (void)state;
    (void)after_a_thread_of(8192, 24, 2);
    assert_true(hak_thread_list_is_warm());
    (void)after_a_thread_of(9216, 20, 4);
    assert_false(hak_thread_list_is_warm());
    assert_true(hak_transfers[size_class_of(9216)].count > 0);
    hak_thread_list_collect();
    assert_int_equal(hak_view.active_bytes, 0);
    hak_options.purge_delay = 0;
    (void)after_a_thread(8192, 4);
    assert_false(hak_thread_list_is_warm());
    hak_options.purge_delay = 1000;
}

static void *end_and_go_on(void *unused) {
    (void)unused;
    earn_record();
    void *before = hak_malloc(50);
    EXPECT(before != NULL && thread_is_alive(hak_thread_self));
    hak_thread_end();
    EXPECT(!thread_is_alive(hak_thread_self) && hak_thread_ended);
    hak_thread_end();
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        many[c] = hak_malloc(size_class_bytes(c));
        EXPECT(many[c] != NULL && hak_usable_size(many[c]) == size_class_bytes(c));
        memset(many[c], 1, size_class_bytes(c));
    }
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        hak_free(many[c]);
    void *large = hak_realloc(before, 100000);
    EXPECT(large != NULL);
    hak_free(large);
    EXPECT(!thread_is_alive(hak_thread_self));
    return NULL;
}

static void *visit(void *unused) {
    (void)unused;
    for (unsigned i = 0; i < HAK_VISITS_MAX / 2; i++) {
        char *block = hak_malloc(i * 100 + 1);
        EXPECT(block != NULL && hak_usable_size(block) > i * 100);
        memset(block, 1, i * 100 + 1);
        hak_free(block);
    }
    EXPECT(!thread_is_alive(hak_thread_self));
    return NULL;
}

static void a_thread_that_hardly_allocates_leaves_nothing(void **state) {
    pthread_t thread;
    (void)state;
    const struct hak_thread_view *newest = hak_view.threads;
    assert_int_equal(pthread_create(&thread, NULL, visit, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(hak_view.active_bytes, 0);
    assert_ptr_equal(hak_view.threads, newest);
}

static void after_its_end_a_thread_is_served_directly(void **state) {
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, end_and_go_on, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    hak_thread_flush();
    assert_int_equal(hak_view.active_bytes, 0);
}

/* Nothing of the record that stands in for none ever changes. */
static void nobody_stays_empty(void **state) {
    (void)state;
    static const struct hak_slot none = {.top = HAK_NO_LIST_TOP};
    assert_null(hak_no_list[0]);
    for (unsigned c = 0; c < HAK_CLASS_COUNT; c++) {
        assert_memory_equal(&hak_thread_nobody.slot[c], &none, sizeof none);
    }
    void *block = hak_malloc(16);
    const struct hak_thread_view *volatile nobody = (const void *)&hak_thread_nobody; /* hides how short it is */
    assert_int_equal(cache_slot(nobody, block), 0);
    assert_int_equal(cache_slot(nobody, NULL), 0);
    assert_int_equal(cache_slot(&hak_thread_self->view, NULL), 0);
    assert_int_equal(cache_slot(&hak_thread_self->view, block), 16);
    hak_free(block);
}

/* Not while it makes small blocks only. Chores come when a list is looked at, or filled. */
static void spare_runs_of_large_blocks_stay_while_they_are_used(void **state) {
    enum { BETWEEN_CHORES = HAK_CHORES_INTERVAL > HAK_EXCESS_MAX ? HAK_CHORES_INTERVAL : HAK_EXCESS_MAX };
    const struct spares *spares = &hak_thread_self->spares;
    (void)state;
    for (unsigned turn = 0; turn < 4; turn++) {
        for (unsigned i = 0; i < 3 * 8 * BETWEEN_CHORES; i++) {
            hak_free(hak_malloc(16));
            if (i % HAK_CHORES_INTERVAL == 0)
                hak_free(hak_malloc(100000));
        }
        assert_int_equal(spares->count, 1);
    }
    for (unsigned i = 0; i < 2 * 8 * BETWEEN_CHORES; i++)
        hak_free(hak_malloc(16));
    assert_int_equal(spares->count, 0);
}

static int flush(void **state) {
    (void)state;
    hak_thread_flush();
    return hak_view.active_bytes == 0 ? 0 : -1;
}

int main(void) {
#define THREAD_TEST(f) cmocka_unit_test_setup_teardown(f, flush, flush)
    const struct CMUnitTest tests[] = {
        THREAD_TEST(capacity_grows_with_use_up_to_its_limit),
        THREAD_TEST(a_full_cache_gives_back_in_parts),
        THREAD_TEST(a_thread_keeps_a_few_megabytes_at_most),
        THREAD_TEST(a_flush_keeps_nothing),
        THREAD_TEST(a_forks_child_adopts_all_that_its_parents_threads_hold),
        THREAD_TEST(threads_share_heaps_evenly_and_records_are_reused),
        THREAD_TEST(a_thread_that_hardly_allocates_leaves_nothing),
        THREAD_TEST(a_thread_goes_on_with_what_another_has_left),
        THREAD_TEST(what_a_thread_has_left_goes_back_after_a_quarter_of_the_delay),
        THREAD_TEST(what_nobody_wants_goes_home),
        THREAD_TEST(not_much_is_left),
        THREAD_TEST(after_its_end_a_thread_is_served_directly),
        THREAD_TEST(spare_runs_of_large_blocks_stay_while_they_are_used),
        THREAD_TEST(nobody_stays_empty),
    };
    hak_options.cache_bytes = LIST_BYTES;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
