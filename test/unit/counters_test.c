/* counters_test.c
 * Purpose.     The debug counters are what happened: refills add up by stage, frees by where they went, locks by how
 *              they were had; exactly, on eight threads that are quiet. A library without them says so and holds
 *              nothing.
 * Design.      The test keeps its own count of calls and of whose blocks it frees, and linker wraps count the refills.
 *              What the counters come to is worked out by the reader that tools use, cli/count.c.
 * link: -Wl,--wrap=hak_heap_take,--wrap=hak_thread_init
 */
#include "support/expect.h"
#include "support/fake_os.h"
#include "support/unit.h"

#include <pthread.h>

#include "../cli/count.c"
#include "api/request.h"
#include "base/options.h"
#include "hakmem.h"
#include "heap/thread_capacity.h"
#include "heap/thread_list.h"
#include "heap/transfer.h"
#include "segment/view.h"

/* So that most blocks of other threads are other heaps'. */
void __real_hak_thread_init(unsigned cpu_count);
void __wrap_hak_thread_init(unsigned cpu_count);
void __wrap_hak_thread_init(unsigned cpu_count) {
    hak_options.heaps = 4;
    __real_hak_thread_init(cpu_count);
}

#if HAK_STATS

enum { THREADS = 8, BLOCKS = 3000, ROUNDS = THREADS };

static uint64_t refills; /* atomic */

unsigned __real_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **blocks);
unsigned __wrap_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **blocks);
unsigned __wrap_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **blocks) {
    fetch_add_relaxed(&refills, 1);
    return __real_hak_heap_take(heap, size_class, want, blocks);
}

static struct counts counts_now(void) {
    struct counts counts;
    counts_begin(&counts, &hak_view);
    counts_add_counters(&counts, hak_view.counters);
    for (const struct hak_thread_view *t = hak_view.threads; t != NULL; t = t->next) {
        counts_add_thread(&counts, t);
        counts_add_counters(&counts, (const uint64_t *)(t + 1));
    }
    counts_finish(&counts);
    return counts;
}

static struct counts counts_since(const struct counts *before) {
    struct counts now = counts_now();
    counts_subtract(&now, before);
    return now;
}

/* What the tools' list makes of them. */
struct derived {
#define DERIVED_FIELD(name, value, what) uint64_t name;
    DERIVED_COUNTERS(DERIVED_FIELD)
#undef DERIVED_FIELD
};

static struct derived derive(const struct counts *c) {
    return (struct derived){
#define DERIVED_VALUE(name, value, what) .name = (value),
        DERIVED_COUNTERS(DERIVED_VALUE)
#undef DERIVED_VALUE
    };
}

static uint64_t in_outboxes(void) {
    uint64_t sum = 0;
    for (struct hak_thread_view *t = hak_view.threads; t != NULL; t = t->next)
        sum += container_of(t, struct thread, view)->outbox.count;
    return sum;
}

/* ---- eight threads ---- */

static struct caller {
    void *block[BLOCKS];
    uint64_t random;
    uint64_t mallocs, local, remote;
    uint64_t past; /* of frees, those of blocks that are not in the list then */
    void *handed;  /* by the test */
} callers[THREADS];
static pthread_barrier_t barrier;

static size_t pick_size(struct caller *caller) {
    return unit_below(&caller->random, 8) == 0 ? unit_below(&caller->random, HAK_MID_MAX)
                                               : unit_below(&caller->random, 600);
}

static bool is_listed(unsigned c, const void *block) {
    const struct hak_thread_view *view = &hak_thread_self->view;
    for (void **at = view->slot[c].top; at != view->flow[c].base; at--)
        if (at[-1] == block)
            return true;
    return false;
}

static void release(struct caller *caller, void *block) {
    uint32_t entry = page_map_flat_get(block);
    *(entry_heap_id(entry) == hak_thread_self->heap->id ? &caller->local : &caller->remote) += 1;
    hak_free(block);
    caller->past += !is_listed(entry_class(entry), block);
}

/* Uses one block again and again until it passes the list, in which there is no other. */
static void use_one(struct caller *caller, void *block) {
    size_t size = hak_usable_size(block);
    for (release(caller, block); caller->past == 0; release(caller, block), caller->mallocs++)
        EXPECT((block = hak_malloc(size)) != NULL);
}

static void *work(void *argument) {
    struct caller *caller = argument;
    unsigned index = (unsigned)(caller - callers);
    while (!thread_is_alive(hak_thread_self))
        hak_free(hak_malloc(16));
    pthread_barrier_wait(&barrier); /* all are born */
    pthread_barrier_wait(&barrier); /* the test has looked */
    use_one(caller, caller->handed);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        for (unsigned i = 0; i < BLOCKS; i++, caller->mallocs++)
            EXPECT((caller->block[i] = hak_malloc(pick_size(caller))) != NULL);
        pthread_barrier_wait(&barrier);
        struct caller *whose = &callers[(index + round) % THREADS];
        for (unsigned i = 0; i < BLOCKS; i++)
            release(caller, whose->block[i]);
        pthread_barrier_wait(&barrier);
    }
    pthread_barrier_wait(&barrier); /* quiet */
    pthread_barrier_wait(&barrier); /* the test has looked */
    return NULL;
}

/* Blocks that are not in the outboxes any more. */
static uint64_t sent_on(const struct counts *found) {
    return found->counter[HAK_COUNTER_TRANSFERRED] + found->counter[HAK_COUNTER_SS_REMOTE] +
           found->counter[HAK_COUNTER_PENDING] - found->counter[HAK_COUNTER_DRAINED];
}

static void check_refills(const struct counts *found, uint64_t expected) {
    struct derived derived = derive(found);
    uint64_t without_heap = found->counter[HAK_COUNTER_REFILL_TRANSFER];
    assert_int_equal(derived.refills, expected + without_heap);
    assert_int_equal(derived.left_empty + found->counter[HAK_COUNTER_LEFT_NO_RECORD], expected + without_heap);
    assert_int_equal(found->counter[HAK_COUNTER_REFILL_FAILED], 0);
}

static void eight_threads_add_up(void **state) {
    pthread_t threads[THREADS];
    struct caller sum = {.mallocs = 0};
    (void)state;
    (void)hak_trim();
    struct counts start = counts_now();
    uint64_t refills_start = refills;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (unsigned i = 0; i < THREADS; i++) {
        callers[i].random = i;
        assert_non_null(callers[i].handed = hak_malloc(HAK_NEIGHBOURS_BYTES - HAK_ALIGNMENT));
        assert_int_equal(pthread_create(&threads[i], NULL, work, &callers[i]), 0);
    }
    pthread_barrier_wait(&barrier);
    struct counts before = counts_now();
    uint64_t refills_before = refills, boxed_before = in_outboxes();
    for (unsigned i = 0; i < 2 + 2 * ROUNDS; i++)
        pthread_barrier_wait(&barrier);
    struct counts found = counts_since(&before);
    struct derived derived = derive(&found);
    for (unsigned i = 0; i < THREADS; i++) {
        sum.mallocs += callers[i].mallocs;
        sum.local += callers[i].local;
        sum.remote += callers[i].remote;
        sum.past += callers[i].past;
    }
    assert_int_equal(found.threads, before.threads);
    assert_int_equal(found.allocations, sum.mallocs);
    /* Others' blocks went into caches too, of which some were sent home later. */
    uint64_t sent = found.counter[HAK_COUNTER_SENT_HOME];
    assert_int_equal(derived.tls_sll, sum.local + sum.remote - sum.past);
    assert_int_equal(derived.outbox, sum.past);
    assert_true(sum.local > 0 && sum.remote > 0 && sum.past > 0 && sent > 0);
    assert_int_equal(sent_on(&found) + in_outboxes() - boxed_before, derived.outbox + sent);
    check_refills(&found, refills - refills_before);
    assert_int_equal(found.counter[HAK_COUNTER_LEFT_NO_RECORD], 0);
    assert_in_range(found.counter[HAK_COUNTER_LEFT_COUNTDOWN], 1, derived.tls_sll);
    assert_in_range(found.counter[HAK_COUNTER_LEFT_FULL], 1, found.counter[HAK_COUNTER_LEFT_COUNTDOWN] - 1);
    assert_true(found.counter[HAK_COUNTER_TRANSFERRED] > 0);
    assert_in_range(found.counter[HAK_COUNTER_TAKEN_OVER], 1, derived.refill_blocks - 1);
    assert_true(derived.locks >= derived.refills && derived.moved <= derived.locks);
    assert_true(derived.atomics >= 2 * derived.locks);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    /* What ended threads leave is the same, and what they held has gone home. */
    (void)hak_trim();
    found = counts_since(&start);
    derived = derive(&found);
    assert_int_equal(derived.tls_sll + derived.outbox + found.counter[HAK_COUNTER_FREE_DIRECT], found.frees);
    sent = found.counter[HAK_COUNTER_SENT_HOME];
    assert_int_equal(sent_on(&found), derived.outbox + sent + found.counter[HAK_COUNTER_FREE_DIRECT]);
    assert_int_equal(derived.ss_local + sent, derived.refill_blocks -
                                                  (found.allocations - found.counter[HAK_COUNTER_LEFT_NO_RECORD]) +
                                                  derived.tls_sll);
    check_refills(&found, refills - refills_start);
    pthread_barrier_destroy(&barrier);
}

/* ---- stages ---- */

static struct heap *heap;

/* The one stage that a refill of so many blocks was counted at. */
static unsigned stage_of_refill(unsigned size_class, unsigned want, void **blocks) {
    struct counts before = counts_now();
    unsigned stage = HAK_COUNTER_COUNT;
    (void)__real_hak_heap_take(heap, size_class, want, blocks);
    struct counts found = counts_since(&before);
    assert_int_equal(derive(&found).refills, 1);
    for (unsigned i = HAK_COUNTER_REFILL_TRANSFER; i <= HAK_COUNTER_REFILL_FAILED; i++)
        stage = found.counter[i] == 1 ? i : stage;
    return stage;
}

enum { SLABS_MOST = 2000, CAPACITY_MOST = 8 };

static void give_back(struct heap *to, void **blocks, unsigned count) {
    assert_int_equal(hak_heap_return_array(to, blocks, count), 0);
}

static void every_stage_is_told_apart(void **state) {
    static void *slabs[SLABS_MOST][CAPACITY_MOST];
    unsigned c = HAK_CLASS_COUNT - 1, capacity = hak_size_class[c].capacity, seen[HAK_COUNTER_COUNT] = {0}, count = 0;
    void **one = slabs[0];
    (void)state;
    assert_in_range(capacity, 2, CAPACITY_MOST);
    (void)hak_trim();
    while (seen[HAK_COUNTER_REFILL_FRESH] == 0 || seen[HAK_COUNTER_REFILL_COMMIT] == 0 ||
           seen[HAK_COUNTER_REFILL_RESERVE] == 0) {
        assert_true(count < SLABS_MOST);
        seen[stage_of_refill(c, capacity, slabs[count++])]++;
    }
    assert_int_equal(seen[HAK_COUNTER_REFILL_PARTIAL] + seen[HAK_COUNTER_REFILL_PENDING], 0);

    give_back(heap, slabs[0], capacity);
    assert_int_equal(stage_of_refill(c, capacity, slabs[0]), HAK_COUNTER_REFILL_DIRTY);
    give_back(heap, one, 1);
    assert_int_equal(stage_of_refill(c, 1, one), HAK_COUNTER_REFILL_PARTIAL);

    lock_acquire(&heap->lock);
    hak_heap_return_remote(heap, one, 1);
    lock_release(&heap->lock);
    assert_int_equal(stage_of_refill(c, 1, one), HAK_COUNTER_REFILL_PENDING);

    for (unsigned i = 0; i < count; i++)
        give_back(heap, slabs[i], capacity);
    assert_int_equal(stage_of_refill(c, capacity, slabs[0]), HAK_COUNTER_REFILL_SUPERSLAB);
    give_back(heap, slabs[0], capacity);

    (void)hak_trim();
    fake_os_fail(FAKE_OS_ALL, 1, UINT64_MAX / 2);
    count = 0;
    do
        assert_true(count < SLABS_MOST);
    while (stage_of_refill(c, capacity, slabs[count++]) != HAK_COUNTER_REFILL_FAILED);
    fake_os_succeed();
    count--;
    while (count-- > 0)
        give_back(heap, slabs[count], capacity);
}

/* ---- whose blocks are taken ---- */

enum { GIVEN = 2 * HAK_BATCH_MAX, GIVEN_BYTES = 256 };
static void *given[GIVEN];

/* All of them wait for others. */
static void *give(void *unused) {
    while (!thread_is_alive(hak_thread_self))
        hak_free(hak_malloc(16));
    for (unsigned i = 0; i < GIVEN; i++)
        hak_free(given[i]);
    hak_thread_empty(hak_thread_self, true);
    EXPECT(hak_transfers[size_class_of(GIVEN_BYTES)].count == GIVEN);
    return unused;
}

/* Makes as many as wait; how many were counted as another thread's. */
static uint64_t taken_over(void) {
    struct counts before = counts_now();
    for (unsigned i = 0; i < GIVEN; i++)
        assert_non_null(given[i] = hak_malloc(GIVEN_BYTES));
    assert_int_equal(hak_transfers[size_class_of(GIVEN_BYTES)].count, 0);
    struct counts found = counts_since(&before);
    assert_in_range(found.counter[HAK_COUNTER_REFILL_TRANSFER], 1, GIVEN);
    return found.counter[HAK_COUNTER_TAKEN_OVER];
}

/* What comes out of slabs with them is not, nor what the thread has put there itself. */
static void what_another_has_put_is_taken_over(void **state) {
    pthread_t thread;
    (void)state;
    hak_options.purge_delay = 1 << 30;
    (void)hak_trim();
    for (unsigned i = 0; i < GIVEN; i++)
        assert_non_null(given[i] = hak_malloc(GIVEN_BYTES));
    hak_thread_empty(hak_thread_self, false);
    assert_int_equal(pthread_create(&thread, NULL, give, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(taken_over(), GIVEN);
    hak_thread_empty(hak_thread_self, false);
    give(NULL);
    assert_int_equal(taken_over(), 0);
    for (unsigned i = 0; i < GIVEN; i++)
        hak_free(given[i]);
}

static void *free_one(void *block) {
    hak_free(block);
    return NULL;
}

/* Without a record: to a transfer cache where threads are many, else home. */
static void a_free_without_a_record_goes_on(void **state) {
    (void)state;
    for (unsigned are_many = 0; are_many < 2; are_many++) {
        pthread_t thread;
        void *block = hak_malloc(GIVEN_BYTES);
        assert_non_null(block);
        struct counts before = counts_now();
        hak_thread_share_among(are_many ? 1000 : 1, 1);
        assert_int_equal(pthread_create(&thread, NULL, free_one, block), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        hak_thread_share_among(1, 1);
        struct counts found = counts_since(&before);
        assert_int_equal(found.counter[HAK_COUNTER_FREE_DIRECT], 1);
        assert_int_equal(found.counter[HAK_COUNTER_TRANSFERRED], are_many);
        assert_int_equal(sent_on(&found), 1);
        (void)hak_trim();
    }
}

/* ---- after a thread's end ---- */

static void *count_after_the_end(void *unused) {
    const uint64_t *counters = hak_view.counters;
    while (!thread_is_alive(hak_thread_self))
        hak_free(hak_malloc(16));
    hak_thread_end();
    uint64_t mallocs = counters[HAK_COUNTER_LEFT_NO_RECORD], frees = counters[HAK_COUNTER_FREE_DIRECT];
    uint64_t waited = counters[HAK_COUNTER_REFILL_TRANSFER];
    hak_free(hak_malloc(GIVEN_BYTES));
    EXPECT(counters[HAK_COUNTER_LEFT_NO_RECORD] == mallocs + 1);
    EXPECT(counters[HAK_COUNTER_FREE_DIRECT] == frees + 1);
    EXPECT(counters[HAK_COUNTER_REFILL_TRANSFER] == waited + 1);
    return unused;
}

/* Its record may be another's by now. It is served with what waits for others. */
static void who_has_ended_counts_with_those_without_a_record(void **state) {
    pthread_t thread;
    (void)state;
    hak_free(hak_malloc(GIVEN_BYTES));
    hak_thread_empty(hak_thread_self, true);
    assert_int_equal(pthread_create(&thread, NULL, count_after_the_end, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- locks ---- */

static struct lock lock = {.rank = LOCK_RANK_META};

static void *hold_until_awaited(void *held) {
    lock_acquire(&lock);
    pthread_barrier_wait(held);
    while (!lock_is_awaited(&lock))
        cpu_relax();
    lock_release(&lock);
    return NULL;
}

static void locks_are_counted(void **state) {
    pthread_t thread;
    pthread_barrier_t held;
    (void)state;
    lock_acquire(&lock); /* mine from now on */
    lock_release(&lock);
    struct counts before = counts_now();
    for (unsigned i = 0; i < 1000; i++) {
        lock_acquire(&lock);
        lock_release(&lock);
    }
    struct counts found = counts_since(&before);
    assert_int_equal(found.counter[HAK_COUNTER_LOCK_META], 1000);
    assert_int_equal(derive(&found).locks, 1000);
    assert_int_equal(derive(&found).atomics, 2000);
    assert_int_equal(derive(&found).moved + derive(&found).contended + found.counter[HAK_COUNTER_TRY_FAILED], 0);

    before = counts_now();
    pthread_barrier_init(&held, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, hold_until_awaited, &held), 0);
    pthread_barrier_wait(&held);
    assert_false(lock_try(&lock));
    lock_acquire(&lock);
    lock_release(&lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_barrier_destroy(&held);
    found = counts_since(&before);
    assert_int_equal(found.counter[HAK_COUNTER_LOCK_META], 2);
    assert_int_equal(found.counter[HAK_COUNTER_MOVED_META], 2);
    assert_int_equal(found.counter[HAK_COUNTER_CONTENDED_META], 1);
    assert_int_equal(found.counter[HAK_COUNTER_TRY_FAILED], 1);
    assert_true(found.counter[HAK_COUNTER_ATOMIC_OTHER] >= 2);
}

static int make_heap(void **state) {
    (void)state;
    hak_free(hak_malloc(1));
    heap = hak_heap_new(HAK_HEAPS_MAX);
    return heap == NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_threads_add_up),
        cmocka_unit_test(every_stage_is_told_apart),
        cmocka_unit_test(what_another_has_put_is_taken_over),
        cmocka_unit_test(a_free_without_a_record_goes_on),
        cmocka_unit_test(who_has_ended_counts_with_those_without_a_record),
        cmocka_unit_test(locks_are_counted),
    };
    return cmocka_run_group_tests(tests, make_heap, NULL);
}

#else

/* Referenced by the linker's wrap alone. */
unsigned __real_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **blocks);
unsigned __wrap_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **blocks);
unsigned __wrap_hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **blocks) {
    return __real_hak_heap_take(heap, size_class, want, blocks);
}

static void nothing_is_there(void **state) {
    (void)state;
    hak_free(hak_malloc(1));
    assert_int_equal(hak_view.counter_count, 0);
    assert_null(hak_view.counters);
    assert_int_equal(offsetof(struct thread, heap), sizeof(struct hak_thread_view));
    assert_int_equal(sizeof(struct lock), 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
