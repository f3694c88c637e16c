/* foreign_test.c
 * Purpose.     What a thread does with blocks of another heap: small ones go home; larger ones it uses again, unless
 *              it takes none of their size, when others get them, in batches; and every block comes back to its slab
 *              in the end.
 * Design.      The main thread makes blocks, another one frees them and looks at its own record. Which heap a thread
 *              has is checked, not assumed.
 */
#include "support/expect.h"
#include "support/unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
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

enum { MANY = 5000 };

static const size_t sizes[] = {HAK_SHARED_MIN_BYTES, 1024, 4096};
static void *made[MANY];

/* A thread with a record, of another heap than the blocks. */
static struct thread *begin(void) {
    while (hak_api_thread() == NULL) {
    }
    EXPECT(entry_heap_id(page_map_flat_get(made[0])) != hak_thread_self->heap->id);
    return hak_thread_self;
}

static uint64_t sent_home(const struct thread *thread, unsigned c) {
    return thread->view.flow[c].remote_frees;
}

static int64_t length_of(const struct thread *thread, unsigned c) {
    return figures_length(&thread->view.slot[c], &thread->view.flow[c]);
}

/* What a list may hold of blocks that the thread frees more of than it takes. */
static int64_t most_passing(unsigned c) {
    size_t blocks = HAK_PASSING_BYTES / size_class_bytes(c);
    return (int64_t)(blocks < HAK_PASSING_MIN ? HAK_PASSING_MIN : least(blocks, HAK_PASSING_MAX));
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

/* Each free of a small block sends it home, whether the thread takes some of its own or not. */
static void *free_small(void *size) {
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size);
    uint64_t before = sent_home(thread, c);
    for (unsigned i = 0; i < MANY; i++) {
        if (i == MANY / 2) {
            void *own = hak_malloc((size_t)size);
            EXPECT(own != NULL);
            hak_free(own);
        }
        int64_t listed = length_of(thread, c);
        hak_free(made[i]);
        EXPECT(sent_home(thread, c) == before + i + 1);
        EXPECT(length_of(thread, c) == listed && thread->view.slot[c].frees_left >= 0);
    }
    return NULL;
}

static void small_ones_go_home(void **state) {
    (void)state;
    for (size_t size = 16; size < HAK_SHARED_MIN_BYTES; size += 16)
        with_blocks_of(size, free_small);
}

/* Its own it keeps, and what is too much goes home by itself. */
static void *free_own_small(void *size) {
    static void *own[MANY];
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size);
    for (unsigned i = 0; i < MANY; i++)
        EXPECT((own[i] = hak_malloc((size_t)size)) != NULL);
    uint64_t before = sent_home(thread, c);
    for (unsigned i = 0; i < MANY; i++)
        hak_free(own[i]);
    EXPECT(sent_home(thread, c) == before && length_of(thread, c) > 0);
    for (unsigned i = 0; i < MANY; i++)
        hak_free(made[i]);
    return NULL;
}

static void own_small_ones_are_kept(void **state) {
    (void)state;
    for (size_t size = 16; size < HAK_SHARED_MIN_BYTES; size += 16)
        with_blocks_of(size, free_own_small);
}

/* Frees and takes in turns: the list hands out the very block that came in, and none goes home at once. */
static void *use_again(void *size) {
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size);
    uint64_t before = sent_home(thread, c);
    void *own = hak_malloc((size_t)size);
    EXPECT(own != NULL);
    for (unsigned i = 0; i < MANY; i++) {
        hak_free(made[i]);
        EXPECT(thread->view.slot[c].top[-1] == made[i]);
        EXPECT(hak_malloc((size_t)size) == made[i]);
    }
    EXPECT(sent_home(thread, c) == before);
    for (unsigned i = 0; i < MANY; i++)
        hak_free(made[i]);
    hak_free(own);
    return NULL;
}

static void larger_ones_are_used_again(void **state) {
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
    uint64_t before = sent_home(thread, c), returned = flow->returned, taken = flow->taken;
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
    EXPECT(sent_home(thread, c) == before && flow->taken == taken);
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
    EXPECT(flow->balance == flow->capacity - 1);
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
    while (flow->capacity < OWN) {
        for (unsigned i = 0; i < OWN; i++)
            EXPECT((own[i] = hak_malloc((size_t)size)) != NULL);
        for (unsigned i = 0; i < OWN; i++)
            hak_free(own[i]);
    }
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
    with_blocks_of(HAK_SHARED_MIN_BYTES, stop_taking);
    with_blocks_of(1024, stop_taking);
}

/* What one thread frees, and takes none of, is what another one gets next, the last first. */
static void *take_after_another(void *size) {
    unsigned c = size_class_of((size_t)size);
    const struct transfer *transfer = &hak_transfers[c];
    while (hak_api_thread() == NULL) {
    }
    EXPECT(length_of(hak_thread_self, c) == 0);
    const void *last = transfer->block[transfer->count - 1];
    uint32_t waited = transfer->count;
    void *next = hak_malloc((size_t)size);
    EXPECT(next != NULL && next == last && transfer->count < waited);
    hak_free(next);
    return NULL;
}

static void *free_for_another(void *size) {
    pthread_t another;
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size);
    const struct transfer *transfer = &hak_transfers[c];
    for (unsigned i = 0; transfer->count == 0; i++) {
        EXPECT(i <= most_passing(c));
        hak_free(made[i]);
        made[i] = NULL;
    }
    EXPECT(!thread->outbox.any && length_of(thread, c) == 1);
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
    assert_int_equal(hak_transfer_put(thread->heap, c, &made[--count], 1), 1);
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

/* The list of a class whose blocks go round stays an eighth as long as one that only its own thread uses. */
static void *take_what_goes_round(void *size) {
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size), most = HAK_CACHE_BYTES / HAK_CIRCULATES_SHARE / (unsigned)(size_t)size;
    most = most > HAK_CIRCULATES_BLOCKS ? most : HAK_CIRCULATES_BLOCKS;
    static void *taken[MANY];
    for (unsigned i = 0; i < MANY; i++)
        hak_free(made[i]);
    unsigned count = 0;
    while (length_of(thread, c) != 0)
        EXPECT((taken[count++] = hak_malloc((size_t)size)) != NULL);
    EXPECT(!thread->circulates[c]);
    const struct hak_flow *flow = &thread->view.flow[c];
    EXPECT(hak_transfers[c].count == hak_transfers[c].room);
    while (hak_transfers[c].count != 0) {
        EXPECT(count < MANY && (taken[count++] = hak_malloc((size_t)size)) != NULL);
        EXPECT(flow->capacity <= (int32_t)most);
    }
    EXPECT(thread->circulates[c] == HAK_CIRCULATES_REFILLS && flow->capacity == (int32_t)most);
    /* What comes out of its own heap, again and again, does not. */
    while (count < MANY)
        EXPECT((taken[count++] = hak_malloc((size_t)size)) != NULL);
    EXPECT(thread->circulates[c] == 0 && (size_t)flow->capacity > most);
    for (unsigned i = 0; i < MANY; i++)
        hak_free(taken[i]);
    return NULL;
}

static void what_goes_round_is_kept_short(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        with_blocks_of(sizes[i], take_what_goes_round);
}

/* A sized free of a small block whose size is as far below 0 as what the entry lacks of a match: the two are equal, but
 * no slot lies there. */
static void *free_wrapped(void *size) {
    struct thread *thread = begin();
    unsigned c = size_class_of((size_t)size);
    uint32_t match = cache_match(&thread->view, made[0]);
    size_t lacking = ENTRY_MATCH + c * SLOT_BYTES - match;
    EXPECT(match < ENTRY_MATCH && lacking > c * SLOT_BYTES);
    struct hak_slot before, after;
    struct iovec here = {&before, sizeof before}, there = {(char *)&thread->view.slot[c] - lacking, sizeof before};
    bool is_mapped = process_vm_readv(getpid(), &here, 1, &there, 1, 0) == sizeof before;
    hak_free_sized(made[0], (size_t)size - lacking);
    here.iov_base = &after;
    EXPECT(!is_mapped || (process_vm_readv(getpid(), &here, 1, &there, 1, 0) == sizeof after &&
                          memcmp(&before, &after, sizeof after) == 0));
    for (unsigned i = 0; i < MANY; i++)
        hak_free(made[i]);
    return NULL;
}

static void a_wrapped_size_touches_nothing(void **state) {
    (void)state;
    hak_options.on_error = HAK_ON_ERROR_REPORT;
    with_blocks_of(48, free_wrapped);
    hak_options.on_error = HAK_ON_ERROR_ABORT;
}

enum { LARGER = 20 };
static pthread_barrier_t barrier;

/* Has filled its outbox, of which nothing has been sent yet, and its list of 1 KiB is of another heap's blocks. */
static void *fill_the_outbox(void *unused) {
    struct thread *thread = begin();
    hak_free(hak_malloc(1024));
    for (unsigned i = 0; i < LARGER; i++)
        hak_free(made[i]);
    EXPECT(length_of(thread, size_class_of(1024)) > LARGER / 2 && !thread->outbox.any);
    for (unsigned i = LARGER; i < LARGER + HAK_OUTBOX_BLOCKS; i++)
        hak_free(made[i]);
    EXPECT(outbox_batch(&thread->outbox, page_map_flat_get(made[LARGER]))->count == HAK_OUTBOX_BLOCKS);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void a_forks_child_empties_a_full_outbox(void **state) {
    pthread_t thread;
    (void)state;
    for (unsigned i = 0; i < LARGER + HAK_OUTBOX_BLOCKS; i++)
        assert_non_null(made[i] = hak_malloc(i < LARGER ? 1024 : 16));
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, fill_the_outbox, NULL), 0);
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

/* Two heaps whose blocks share a batch: neither sends the other's few away for each of its own. */
static void *free_of_two_heaps(void *unused) {
    enum { EACH = 20, SMALL = 4 };
    struct thread *thread = begin();
    struct outbox *outbox = &thread->outbox;
    uint32_t one = thread->heap->id % HAK_OUTBOX_HEAPS + 1, other = one + HAK_OUTBOX_HEAPS;
    void *blocks[2][EACH];
    uint64_t before = sent_home(thread, SMALL);
    hak_thread_flush();
    if (hak_heaps[one] == NULL)
        hak_heaps[one] = hak_heap_new(one);
    if (hak_heaps[other] == NULL)
        hak_heaps[other] = hak_heap_new(other);
    EXPECT(one != thread->heap->id && other != thread->heap->id);
    EXPECT(hak_heap_take(hak_heaps[one], SMALL, EACH, blocks[0]) == EACH);
    EXPECT(hak_heap_take(hak_heaps[other], SMALL, EACH, blocks[1]) == EACH);
    for (unsigned i = 0; i < EACH; i++) {
        hak_free(blocks[0][i]);
        hak_free(blocks[1][i]);
        EXPECT(outbox_batch(outbox, hak_heap_entry(hak_heaps[one], SMALL))->count == i + 1);
        EXPECT(outbox->other_count == i + 1);
    }
    EXPECT(sent_home(thread, SMALL) == before + (uint64_t)2 * EACH);
    hak_thread_flush();
    return unused;
}

static void heaps_that_share_a_batch_do_not_drive_each_other_out(void **state) {
    pthread_t thread;
    (void)state;
    assert_non_null(made[0] = hak_malloc(64));
    assert_int_equal(pthread_create(&thread, NULL, free_of_two_heaps, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    hak_free(made[0]);
    (void)hak_trim();
    assert_int_equal(hak_view.active_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_ones_go_home),
        cmocka_unit_test(heaps_that_share_a_batch_do_not_drive_each_other_out),
        cmocka_unit_test(own_small_ones_are_kept),
        cmocka_unit_test(larger_ones_are_used_again),
        cmocka_unit_test(none_are_kept_where_none_are_taken),
        cmocka_unit_test(keeping_ends_and_begins_with_taking),
        cmocka_unit_test(a_long_list_ends_as_well),
        cmocka_unit_test(another_gets_what_one_passes_on),
        cmocka_unit_test(few_are_made_up_for),
        cmocka_unit_test(what_goes_round_is_kept_short),
        cmocka_unit_test(a_wrapped_size_touches_nothing),
        cmocka_unit_test(a_forks_child_empties_a_full_outbox),
    };
    /* The main thread's record, before any other. */
    while (hak_api_thread() == NULL) {
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
