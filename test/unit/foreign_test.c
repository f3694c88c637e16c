/* foreign_test.c
 * Purpose.     What a thread does with blocks of another heap: it uses them again, unless it takes none of their size,
 *              when others get them, in batches; and every block comes back to its slab in the end.
 * Design.      The main thread makes blocks, another one frees them and looks at its own record. Which heap a thread
 *              has is checked, not assumed.
 */
#include "support/expect.h"
#include "support/unit.h"

#include <pthread.h>
#include <unistd.h>

#include "api/init.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/slab.h"
#include "heap/thread_capacity.h"
#include "heap/thread_list.h"
#include "heap/transfer.h"
#include "segment/view.h"

enum { MANY = 7000 };

static const size_t sizes[] = {16, 32, 64, 128, 1024, 4096};
static void *made[MANY];

/* A thread with a record, of another heap than the blocks. */
static struct thread *begin(void) {
    while (hak_api_thread() == NULL) {
    }
    EXPECT(entry_heap_id(page_map_flat_get(made[0])) != hak_thread_self->heap->id);
    return hak_thread_self;
}

static uint64_t passed(const struct thread *thread, unsigned c) {
    return thread->view.flow[c].passed_frees;
}

/* What a list may hold of blocks that the thread frees more of than it takes. */
static int32_t most_passing(unsigned c) {
    size_t blocks = HAK_PASSING_BYTES / size_class_bytes(c);
    return (int32_t)(blocks < HAK_PASSING_MIN ? HAK_PASSING_MIN : least(blocks, HAK_PASSING_MAX));
}

/* Runs `body` on blocks of a size that the main thread has made, and sees that nothing is missing at the end. */
static void with_blocks_of(size_t size, void *(*body)(void *)) {
    pthread_t thread;
    for (unsigned i = 0; i < MANY; i++) {
        made[i] = hak_malloc(size);
        assert_non_null(made[i]);
    }
    assert_int_equal(pthread_create(&thread, NULL, body, (void *)size), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)hak_trim();
    hak_thread_flush();
    assert_int_equal(hak_view.active_bytes, 0);
}

/* Uses a block until it passes its list. */
static void use_until_it_passes(const struct thread *thread, void *block) {
    size_t size = hak_usable_size(block);
    const struct outbox *outbox = &thread->outbox;
    unsigned pairs = 0;
    for (hak_free(block); outbox->count == 0; hak_free(block))
        EXPECT(hak_malloc(size) == block && ++pairs <= 2 * HAK_PASSING_MAX);
    EXPECT(outbox->count == 1 && outbox->block[0] == block);
}

/* What has passed the list does not stay: the thread's chores send it away, and so does its end. */
static void *use_one_often(void *goes_on) {
    struct thread *thread = begin();
    use_until_it_passes(thread, made[0]);
    uint32_t chores = thread->chores;
    while (goes_on != NULL && thread->chores == chores)
        hak_free(hak_malloc(HAK_NEIGHBOURS_BYTES));
    EXPECT(goes_on == NULL || thread->outbox.count == 0);
    return thread;
}

static void one_does_not_wait_for_more(void **state) {
    static const size_t small[] = {32, 64};
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        pthread_t thread;
        void *record;
        assert_non_null(made[0] = hak_malloc(small[round]));
        assert_int_equal(pthread_create(&thread, NULL, use_one_often, round == 0 ? NULL : made), 0);
        assert_int_equal(pthread_join(thread, &record), 0);
        assert_int_equal(((struct thread *)record)->outbox.count, 0);
        const struct transfer *transfer = &hak_transfers[size_class_of(small[round])];
        assert_int_equal(transfer->count, 1);
        assert_ptr_equal(transfer->block[0], made[0]);
        hak_thread_flush();
        assert_int_equal(hak_view.active_bytes, 0);
    }
}

/* Frees and takes in turns: the list hands out the very block that came in, but for a small one that makes way. */
static void *use_again(void *size) {
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size);
    uint64_t before = passed(thread, c), past = 0;
    void *own = hak_malloc((size_t)size);
    EXPECT(own != NULL);
    for (unsigned i = 0; i < MANY; i++) {
        const void *freed = made[i];
        hak_free(made[i]);
        bool listed = thread->view.slot[c].top[-1] == freed;
        made[i] = hak_malloc((size_t)size);
        EXPECT((made[i] == freed) == listed);
        past += !listed;
    }
    EXPECT(passed(thread, c) == before && past <= MANY / 256);
    EXPECT((past != 0) == ((size_t)size < HAK_NEIGHBOURS_BYTES));
    for (unsigned i = 0; i < MANY; i++)
        hak_free(made[i]);
    hak_free(own);
    return NULL;
}

static void they_are_used_again(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        with_blocks_of(sizes[i], use_again);
}

/* A thread that takes none of their size keeps no more than it takes to pass them on in batches: to where others would
 * take them, as long as there is room, and then home. None passes its list. */
static void *never_take(void *size) {
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size), batches = 0, waits = 0;
    const struct transfer *transfer = &hak_transfers[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    uint64_t before = passed(thread, c), returned = flow->returned, taken = flow->taken;
    for (unsigned freed = 0; freed < MANY; freed++) {
        uint64_t had = flow->returned;
        hak_free(made[freed]);
        EXPECT(length_of(thread, c) <= most_passing(c) && flow->balance == 0);
        EXPECT(flow->returned - returned + (uint64_t)length_of(thread, c) == freed + 1);
        batches += flow->returned != had;
        EXPECT(transfer->count >= least(flow->returned - returned, waits) && transfer->count >= waits);
        waits = transfer->count;
    }
    EXPECT(waits == transfer->room && waits > 0);
    EXPECT(batches >= MANY / HAK_FLUSH_MAX && batches <= MANY / (unsigned)most_passing(c) + 1);
    EXPECT(flow->taken == taken && passed(thread, c) == before);
    EXPECT(flow->capacity <= 8 || (size_t)flow->capacity <= HAK_CACHE_START_BYTES / (size_t)size);
    return NULL;
}

static void none_are_kept_where_none_are_taken(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        with_blocks_of(sizes[i], never_take);
}

/* Where it took one and then no more, the same, soon. When it takes some again, it keeps some again. */
static void *take_no_more(void *size) {
    static void *own[MANY];
    struct thread *thread = begin();
    void *first = hak_malloc((size_t)size);
    EXPECT(first != NULL);
    unsigned c = size_class_of((size_t)size), freed = 0, count = 0;
    const struct hak_flow *flow = &thread->view.flow[c];
    int32_t capacity = flow->capacity;
    while (flow->balance != 0 || length_of(thread, c) > most_passing(c))
        hak_free(made[freed++]);
    EXPECT((int64_t)freed <= 2 * capacity + 2 * most_passing(c) + 1);
    for (; freed < MANY / 2; freed++) {
        hak_free(made[freed]);
        EXPECT(length_of(thread, c) <= most_passing(c) && flow->balance == 0);
    }
    EXPECT(flow->capacity <= 2 * capacity);
    for (; count < MANY / 4; count++)
        EXPECT((own[count] = hak_malloc((size_t)size)) != NULL);
    EXPECT(flow->balance > flow->capacity / 4);
    capacity = flow->capacity;
    while (length_of(thread, c) < capacity / 2) {
        hak_free(made[freed++]);
        EXPECT(freed <= MANY / 2 + (unsigned)capacity && flow->balance > 0);
    }
    EXPECT(capacity > 2 * most_passing(c));
    /* A flush closes the class. */
    hak_thread_flush();
    EXPECT(flow->capacity == 0 && thread->view.slot[c].room == 0);
    while (freed < MANY) {
        hak_free(made[freed++]);
        EXPECT(length_of(thread, c) <= most_passing(c));
    }
    while (count > 0)
        hak_free(own[--count]);
    hak_free(first);
    return NULL;
}

static void keeping_ends_and_begins_with_taking(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        with_blocks_of(sizes[i], take_no_more);
}

/* A long list ends as well, and may hold less from then on, where others take what it gives back. */
static void *stop_taking(void *size) {
    static void *own[2 * HAK_FLUSH_MAX];
    enum { OWN = sizeof own / sizeof *own };
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size), freed = 0;
    const struct hak_flow *flow = &thread->view.flow[c];
    do {
        for (unsigned i = 0; i < OWN; i++)
            EXPECT((own[i] = hak_malloc((size_t)size)) != NULL);
        for (unsigned i = 0; i < OWN; i++)
            hak_free(own[i]);
    } while (flow->capacity < OWN);
    unsigned capacity = (unsigned)flow->capacity;
    for (; flow->balance != 0 || length_of(thread, c) > most_passing(c); freed++) {
        EXPECT(freed < 4 * capacity + HAK_EXCESS_MAX);
        hak_free(made[freed]);
        hak_transfer_empty(&hak_transfers[c], hak_heaps);
    }
    EXPECT(freed > HAK_FLUSH_MAX / 2);
    for (; freed < MANY; freed++) {
        hak_free(made[freed]);
        EXPECT(length_of(thread, c) <= most_passing(c));
        hak_transfer_empty(&hak_transfers[c], hak_heaps);
    }
    EXPECT(flow->capacity == HAK_FLUSH_MAX && capacity > HAK_FLUSH_MAX);
    return NULL;
}

static void a_long_list_ends_as_well(void **state) {
    (void)state;
    with_blocks_of(16, stop_taking);
    with_blocks_of(128, stop_taking);
    with_blocks_of(1024, stop_taking);
}

/* What one thread frees, and takes none of, is what another one gets: the last first, unless that is too few. */
static void *take_after_another(void *size) {
    unsigned c = size_class_of((size_t)size);
    const struct transfer *transfer = &hak_transfers[c];
    while (hak_api_thread() == NULL) {
    }
    EXPECT(length_of(hak_thread_self, c) == 0);
    const void *last = transfer->block[transfer->count - 1];
    uint32_t waited = transfer->count;
    void *next = hak_malloc((size_t)size);
    EXPECT(next != NULL && transfer->count < waited);
    EXPECT(next == last || (transfer->count == 0 && hak_thread_self->view.flow[c].base[waited - 1] == last));
    hak_free(next);
    EXPECT(hak_thread_self->circulates[c] == (next == last ? HAK_CIRCULATES_REFILLS : 0));
    hak_thread_flush();
    EXPECT(hak_thread_self->circulates[c] == 0);
    return NULL;
}

static void *free_for_another(void *size) {
    pthread_t another;
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size);
    const struct transfer *transfer = &hak_transfers[c];
    for (int32_t i = 0; transfer->count == 0; i++) {
        EXPECT(i <= most_passing(c));
        hak_free(made[i]);
        made[i] = NULL;
    }
    EXPECT(thread->outbox.count == 0 && length_of(thread, c) == 1);
    EXPECT(pthread_create(&another, NULL, take_after_another, size) == 0);
    EXPECT(pthread_join(another, NULL) == 0);
    for (unsigned i = 0; i < MANY; i++)
        hak_free(made[i]);
    return NULL;
}

static void another_gets_what_one_passes_on(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        with_blocks_of(sizes[i], free_for_another);
}

/* A refill that finds few where blocks wait takes the rest out of slabs. */
static void few_are_made_up_for(void **state) {
    struct thread *thread = hak_thread_self;
    unsigned c = size_class_of(128), count = 0;
    const struct hak_flow *flow = &thread->view.flow[c];
    (void)state;
    while (flow->capacity < 2 * HAK_BATCH_MAX || length_of(thread, c) != 0) {
        assert_true(count < MANY);
        assert_non_null(made[count++] = hak_malloc(128));
    }
    assert_int_equal(hak_transfer_put(c, &made[--count], 1), 1);
    uint64_t taken = flow->taken;
    assert_non_null(made[count++] = hak_malloc(128));
    assert_in_range(flow->taken - taken, 2, HAK_BATCH_MAX);
    assert_int_equal(hak_transfers[c].count, 0);
    for (unsigned i = 0; i < count; i++)
        hak_free(made[i]);
    /* The one that was put aside was given back without free: the books have it as held. */
    hak_thread_flush();
    assert_int_equal(hak_view.active_bytes, 0);
}

static void *pass_on_all(void *unused) {
    while (hak_api_thread() == NULL) {
    }
    for (unsigned i = 0; i < MANY; i++)
        hak_free(made[i]);
    return unused;
}

/* The list of a class that is filled with what another thread has given stays a small part as long as one that only its
 * own thread uses. */
static void *take_what_goes_round(void *size) {
    static void *taken[MANY];
    pthread_t another;
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size), most = HAK_CACHE_BYTES / HAK_CIRCULATES_SHARE / (unsigned)(size_t)size;
    unsigned count = 0;
    most = most > HAK_CIRCULATES_BLOCKS ? most : HAK_CIRCULATES_BLOCKS;
    const struct hak_flow *flow = &thread->view.flow[c];
    struct transfer *transfer = &hak_transfers[c];
    EXPECT(pthread_create(&another, NULL, pass_on_all, NULL) == 0 && pthread_join(another, NULL) == 0);
    EXPECT(transfer->count == transfer->room && !thread->circulates[c]);
    while (transfer->count != 0) {
        EXPECT(count < MANY && (taken[count++] = hak_malloc((size_t)size)) != NULL);
        EXPECT(flow->capacity <= (int32_t)most);
    }
    /* The last refill may have found too few. */
    EXPECT(thread->circulates[c] >= HAK_CIRCULATES_REFILLS - 1);
    EXPECT(flow->capacity == (int32_t)most || transfer->room < most);
    /* What comes out of its own heap, again and again, does not. */
    while (count < MANY)
        EXPECT((taken[count++] = hak_malloc((size_t)size)) != NULL);
    EXPECT(thread->circulates[c] == 0 && (size_t)flow->capacity > most);
    /* Nor does what was too much for its own list. */
    for (unsigned i = 0; i < MANY; i++)
        hak_free(taken[i]);
    EXPECT(transfer->count != 0);
    for (count = 0; transfer->count != 0; count++) {
        EXPECT(count < MANY && (taken[count] = hak_malloc((size_t)size)) != NULL);
        EXPECT(thread->circulates[c] == 0);
    }
    for (unsigned i = 0; i < count; i++)
        hak_free(taken[i]);
    /* One that has grown is as short again when others' blocks come. */
    EXPECT((size_t)flow->capacity > most);
    for (count = 0; length_of(thread, c) != 0; count++)
        EXPECT((taken[count] = hak_malloc((size_t)size)) != NULL);
    unsigned put = hak_transfer_put(c, taken, (unsigned)least(count, HAK_BATCH_MAX));
    EXPECT(put >= least((unsigned)flow->capacity / 2, HAK_BATCH_MAX) / 2);
    transfer->giver = hak_lock_self() + 1;
    EXPECT((taken[0] = hak_malloc((size_t)size)) != NULL && flow->capacity == (int32_t)most);
    hak_free(taken[0]);
    while (count > put)
        hak_free(taken[--count]);
    return NULL;
}

static void what_goes_round_is_kept_short(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        with_blocks_of(sizes[i], take_what_goes_round);
}

enum { LARGER = 20, BOXED = HAK_OUTBOX_BLOCKS - 1 };
static pthread_barrier_t barrier;

/* Its list of 1 KiB is of another heap's blocks, and so is its outbox, where as one of many it keeps all. */
static void *hold_others(void *unused) {
    struct thread *thread = begin();
    hak_free(hak_malloc(1024));
    for (unsigned i = 0; i < LARGER; i++)
        hak_free(made[i]);
    EXPECT(length_of(thread, size_class_of(1024)) > LARGER / 2 && thread->outbox.count == 0);
    hak_thread_share_among(1000, 1);
    for (unsigned i = LARGER; i < LARGER + BOXED; i++)
        hak_free(made[i]);
    EXPECT(thread->outbox.count == BOXED);
    hak_thread_share_among(2, 64);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void a_forks_child_sends_others_blocks_home(void **state) {
    pthread_t thread;
    (void)state;
    for (unsigned i = 0; i < LARGER + BOXED; i++)
        assert_non_null(made[i] = hak_malloc(i < LARGER ? 1024 : 16));
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_others, NULL), 0);
    pthread_barrier_wait(&barrier);
    pid_t child = fork();
    if (child == 0) {
        hak_thread_flush();
        _exit(hak_view.active_bytes == 0 ? 0 : 1);
    }
    EXPECT_CHILD_OK(child);
    pthread_barrier_wait(&barrier);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)hak_trim();
    assert_int_equal(hak_view.active_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_does_not_wait_for_more),
        cmocka_unit_test(they_are_used_again),
        cmocka_unit_test(none_are_kept_where_none_are_taken),
        cmocka_unit_test(keeping_ends_and_begins_with_taking),
        cmocka_unit_test(a_long_list_ends_as_well),
        cmocka_unit_test(another_gets_what_one_passes_on),
        cmocka_unit_test(few_are_made_up_for),
        cmocka_unit_test(what_goes_round_is_kept_short),
        cmocka_unit_test(a_forks_child_sends_others_blocks_home),
    };
    /* The main thread's record, before any other. */
    while (hak_api_thread() == NULL) {
    }
    hak_options.heaps = 2;
    hak_thread_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
