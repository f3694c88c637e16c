/* passing_test.c
 * Purpose.     Blocks go from thread to thread: a small one does not stay for ever with who uses it again and again,
 *              lest it lies beside another thread's data for ever; and threads that come and go use what earlier ones
 *              have left.
 * Design.      Each test is a child, whose caches start empty. Threads take turns, and addresses tell what became of
 *              blocks, so that nothing depends on who runs when.
 */
#include "support/child.h"
#include "support/lists.h"

#include <pthread.h>

#include "heap/thread_list.h"
#include "heap/transfer.h"

/* ---- the same block again and again ---- */

enum { PAIRS = 8 * HAK_EXCESS_MAX, FEW = HAK_NEIGHBOURS_LIST / 2 };

static bool is_listed(const struct thread *thread, unsigned c, const void *block) {
    for (void **at = thread->view.flow[c].base; at != thread->view.slot[c].top; at++)
        if (*at == block)
            return true;
    return false;
}

/* One at a time. The block whose free ends a countdown makes way for another of the list if it is small, each time
 * another one, and stays in the list. */
static void use_one_at_a_time(void *size_argument) {
    size_t size = (size_t)size_argument;
    struct thread *thread = lists_begin_patient();
    unsigned c = size_class_of(size), looks = 0;
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    struct counts before = counts_now(&hak_view);
    uint64_t passed = flow->passed_frees;
    void *block = hak_malloc(size), *next, *last = NULL;
    for (unsigned pairs = 1; pairs <= PAIRS; pairs++, block = next) {
        bool ends = slot->frees_left == 0, changes = ends && size < HAK_NEIGHBOURS_BYTES;
        int32_t length = length_of(thread, c);
        looks += ends;
        hak_free(block);
        EXPECT(flow->passed_frees == passed && thread->outbox.count == 0 && length_of(thread, c) == length + 1);
        EXPECT((slot->top[-1] == block) == !changes && is_listed(thread, c, block));
        struct hak_class_sum sum = figures_class_sum(&thread->view, c);
        EXPECT(sum.mallocs - before.of_class[c].mallocs == pairs && sum.frees - before.of_class[c].frees == pairs);
        EXPECT((next = hak_malloc(size)) != NULL && (next == block) == !changes);
        EXPECT(!changes || next != last);
        last = changes ? block : last;
    }
    hak_free(block);
    EXPECT(looks >= 4 && looks <= PAIRS / 64);
    lists_expect_counted(&before, c, PAIRS + 1, PAIRS + 1);
    lists_expect_nothing_left();
}

/* Where others of the list are few, it goes to the outbox, and it alone. */
static void use_one_of_few(void *size_argument) {
    size_t size = (size_t)size_argument;
    struct thread *thread = lists_begin_patient();
    unsigned c = size_class_of(size);
    const struct outbox *outbox = &thread->outbox;
    uint64_t passed = thread->view.flow[c].passed_frees;
    unsigned held = 0;
    do
        EXPECT((blocks[held++] = hak_malloc(size)) != NULL);
    while (length_of(thread, c) != FEW);
    void *block = hak_malloc(size), *next;
    for (unsigned looks = 0; looks < FEW; block = next) {
        bool passes = thread->view.slot[c].frees_left == 0 && size < HAK_NEIGHBOURS_BYTES;
        looks += thread->view.slot[c].frees_left == 0;
        hak_free(block);
        passed += passes;
        EXPECT(thread->view.flow[c].passed_frees == passed);
        EXPECT(!passes || (outbox->block[outbox->count - 1] == block && thread->view.slot[c].frees_left > 0));
        EXPECT((next = hak_malloc(size)) != NULL && (next == block) == !passes);
    }
    hak_free(block);
    lists_drop(held);
    lists_expect_nothing_left();
    EXPECT(outbox->count == 0 && hak_transfers[c].count == 0);
}

static void a_small_one_is_not_used_for_ever(void **state) {
    static const size_t sizes[] = {16, 48, 64, 112, 128, 144, 1024};
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(child_succeeds(use_one_at_a_time, (void *)sizes[i]));
        assert_true(child_succeeds(use_one_of_few, (void *)sizes[i]));
    }
}

/* ---- two neighbours ---- */

enum { TURNS = 64, PAIRS_PER_TURN = 64, OWN = 100 };

static struct {
    size_t size;
    bool have_own; /* blocks of that size, before */
} way;
static void *used[2];
static unsigned last_in_one_line; /* a turn */
static pthread_barrier_t barrier;

static bool in_one_line(const void *a, const void *b) {
    uintptr_t low = (uintptr_t)(a < b ? a : b), high = (uintptr_t)(a < b ? b : a);
    return (low + way.size - 1) / HAK_CACHE_LINE >= high / HAK_CACHE_LINE;
}

static void begin_beside(void) {
    void *own[OWN];
    (void)lists_begin_patient();
    for (unsigned i = 0; i < OWN && way.have_own; i++)
        EXPECT((own[i] = hak_malloc(way.size)) != NULL);
    for (unsigned i = 0; i < OWN && way.have_own; i++)
        hak_free(own[i]);
}

static void *use_beside(void *second) {
    unsigned index = second != NULL;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        pthread_barrier_wait(&barrier);
        if (turn % 2 != index)
            continue;
        if (turn == index)
            begin_beside();
        for (unsigned i = 0; i < PAIRS_PER_TURN; i++) {
            hak_free(used[index]);
            EXPECT((used[index] = hak_malloc(way.size)) != NULL);
        }
        if (in_one_line(used[0], used[1]))
            last_in_one_line = turn;
    }
    hak_free(used[index]);
    return NULL;
}

/* Gets two neighbours of one line from the main thread, one for each. */
static void use_neighbours(void *unused) {
    pthread_t threads[2];
    unsigned at = 0;
    (void)unused;
    (void)lists_begin_patient();
    lists_make(way.size, 16);
    while (!in_one_line(blocks[at], blocks[at + 1]))
        EXPECT(++at < 15);
    used[0] = blocks[at];
    used[1] = blocks[at + 1];
    EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
    for (unsigned i = 0; i < 2; i++)
        EXPECT(pthread_create(&threads[i], NULL, use_beside, i == 0 ? NULL : used) == 0);
    for (unsigned i = 0; i < 2; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    EXPECT(last_in_one_line < TURNS / 4);
    for (unsigned i = 0; i < 16; i++)
        hak_free(i == at || i == at + 1 ? NULL : blocks[i]);
    lists_expect_nothing_left();
}

static void neighbours_part(void **state) {
    static const size_t sizes[] = {16, 32, 48, 80, 112};
    (void)state;
    for (unsigned i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        way.size = sizes[i / 2];
        way.have_own = i % 2 != 0;
        assert_true(child_succeeds(use_neighbours, NULL));
    }
}

/* ---- threads without a record ---- */

enum { WAITING = 2, WAITING_BYTES = HAK_TINY_MAX };

/* What waits, the last first, and then what is in slabs. */
static void *take_without_a_record(void *unused) {
    const struct transfer *transfer = &hak_transfers[size_class_of(WAITING_BYTES)];
    void *last[WAITING], *taken[WAITING + 1];
    EXPECT(transfer->count == WAITING);
    memcpy(last, transfer->block, sizeof last);
    for (unsigned i = 0; i <= WAITING; i++) {
        EXPECT((taken[i] = hak_malloc(WAITING_BYTES)) != NULL);
        EXPECT(i == WAITING || (taken[i] == last[WAITING - 1 - i] && transfer->count == WAITING - 1 - i));
    }
    EXPECT(taken[WAITING] != last[0] && taken[WAITING] != last[1] && !thread_is_alive(hak_thread_self));
    for (unsigned i = 0; i <= WAITING; i++)
        hak_free(taken[i]);
    return unused;
}

static void let_some_wait(void *unused) {
    pthread_t thread;
    struct thread *self = lists_begin_patient();
    (void)unused;
    struct counts before = counts_now(&hak_view);
    lists_make(WAITING_BYTES, WAITING);
    lists_drop(WAITING);
    hak_thread_empty(self, true);
    EXPECT(pthread_create(&thread, NULL, take_without_a_record, NULL) == 0 && pthread_join(thread, NULL) == 0);
    lists_expect_counted(&before, size_class_of(WAITING_BYTES), 2 * WAITING + 1, 2 * WAITING + 1);
    lists_expect_nothing_left();
}

static void who_has_no_record_takes_what_waits(void **state) {
    (void)state;
    assert_true(child_succeeds(let_some_wait, NULL));
}

static void *free_without_a_record(void *block) {
    hak_free(block);
    EXPECT(!thread_is_alive(hak_thread_self));
    return NULL;
}

/* Where threads are many it waits for the next one that has no record either, else it goes to its slab. */
static void let_go_without_a_record(void *are_many) {
    pthread_t thread;
    const struct transfer *transfer = &hak_transfers[size_class_of(WAITING_BYTES)];
    (void)lists_begin_patient();
    lists_make(WAITING_BYTES, 1);
    struct counts before = counts_now(&hak_view);
    hak_thread_share_among(are_many != NULL ? 1000 : 1, 1);
    EXPECT(pthread_create(&thread, NULL, free_without_a_record, blocks[0]) == 0 && pthread_join(thread, NULL) == 0);
    EXPECT(transfer->count == (are_many != NULL));
    EXPECT(are_many == NULL || transfer->block[0] == blocks[0]);
    lists_expect_counted(&before, size_class_of(WAITING_BYTES), 0, 1);
    (void)hak_trim();
    EXPECT(hak_view.active_bytes == 0);
}

static void what_many_free_without_a_record_waits(void **state) {
    (void)state;
    assert_true(child_succeeds(let_go_without_a_record, NULL));
    assert_true(child_succeeds(let_go_without_a_record, blocks));
}

enum { THREADS = 2000, EACH = 100, SIZES = 16, SMALLEST = HAK_TINY_MAX - 16 * (SIZES - 1) };

/* Makes and frees, and ends. Its first few calls it makes without a record. */
static void *come_and_go(void *seed) {
    uint64_t random = (uintptr_t)seed;
    void *made[EACH];
    for (unsigned i = 0; i < EACH; i++)
        EXPECT((made[i] = hak_malloc(SMALLEST + 16 * unit_below(&random, SIZES))) != NULL);
    for (unsigned i = 0; i < EACH; i++)
        hak_free(made[i]);
    return NULL;
}

/* A slab of each size holds what one of them makes. */
static void run_threads(void *unused) {
    (void)unused;
    (void)lists_begin_patient();
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, come_and_go, (void *)i) == 0 && pthread_join(thread, NULL) == 0);
        EXPECT_AT_MOST(hak_view.active_bytes, 2 * SIZES * HAK_GRANULE_SIZE);
    }
    lists_expect_nothing_left();
}

static void threads_use_what_others_have_left(void **state) {
    (void)state;
    assert_true(child_succeeds(run_threads, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_one_is_not_used_for_ever),   cmocka_unit_test(neighbours_part),
        cmocka_unit_test(who_has_no_record_takes_what_waits), cmocka_unit_test(what_many_free_without_a_record_waits),
        cmocka_unit_test(threads_use_what_others_have_left),
    };
    hak_options.heaps = 1;
    hak_thread_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
