/* scavenge_test.c
 * Purpose.     A class that a thread is through with gives up what its list holds, bit by bit, and begins anew; one
 *              that it uses, or is at work with, keeps it. Of a transfer cache into which this thread put some last,
 *              that goes home which nobody wants.
 * Design.      Each test is a child, whose caches start empty. Chores follow from traffic: the thread makes and frees a
 *              block of one class again and again. The clock has no part in it.
 */
#include "support/child.h"
#include "support/lists.h"

#include <pthread.h>

#include "heap/transfer.h"

/* A class is looked at once in a cycle. WORK is not small: such a block stays in its list (passing_test.c). */
enum { CYCLE = HAK_SCAVENGE_CHORES, WORK = HAK_TINY_MAX, HELD = 100, MANY = 1000, CYCLES = 5 };

/* Some of all residues, alone in a slab and not, Tiny and Mid. */
static const size_t sizes[] = {16, 32, 112, 128, 272, 528, 1008, 1152, 4096, 7168, HAK_MID_MAX};

static void for_each_size(void (*body)(void *)) {
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_true(child_succeeds(body, (void *)sizes[i]));
}

/* The class that the thread works with has its blocks already. */
static struct thread *begin(void) {
    struct thread *thread = lists_begin_patient();
    hak_free(hak_malloc(WORK));
    return thread;
}

static void work(const struct thread *thread, unsigned chores) {
    for (uint32_t before = thread->chores; thread->chores - before < chores;) {
        void *block = hak_malloc(WORK);
        EXPECT(block != NULL);
        hak_free(block);
    }
}

/* So that the next chores look at the class, and are due with the next blocks, or by the next look at a list. */
static void make_look_due(struct thread *thread, unsigned c) {
    thread->chores = c - 2 + CYCLE;
    thread->chores_left = 0;
}

/* One chore, that which looks at the class. */
static void look(struct thread *thread, unsigned c) {
    thread->chores = c - 2 + CYCLE;
    work(thread, 1);
}

/* What a class begins with. */
static int32_t start_of(unsigned c) {
    size_t bytes = threads_are_many() ? HAK_CACHE_START_OF_MANY : HAK_CACHE_START_BYTES;
    size_t count = bytes / size_class_bytes(c);
    return count < 4 ? 4 : (int32_t)count;
}

static unsigned count_home(unsigned count) {
    unsigned home = 0;
    for (unsigned i = 0; i < count; i++)
        home += home_has(blocks[i]);
    return home;
}

/* The capacities add up, whatever became of some. How many blocks wait in lists. */
static int32_t expect_sum(const struct thread *thread) {
    size_t bytes = 0;
    int32_t waiting = 0;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; waiting += length_of(thread, c++)) {
        int32_t capacity = thread->view.flow[c].capacity;
        bytes += capacity > 1 ? (size_t)capacity * size_class_bytes(c) : 0;
    }
    EXPECT(bytes == thread->cache_bytes);
    return waiting;
}

/* What a list is at, and may be. */
struct had {
    int32_t length, capacity, room;
};

static struct had has_now(const struct thread *thread, unsigned c) {
    return (struct had){length_of(thread, c), thread->view.flow[c].capacity, thread->view.slot[c].room};
}

/* As one that was opened just now, but for a short array, which stays. */
static void expect_anew(const struct thread *thread, unsigned c, const struct had *had) {
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    EXPECT(length_of(thread, c) == 0 && slot->frees_left == 0 && flow->admitted == 0 && flow->balance == 0);
    EXPECT(flow->mallocs_seen == (uint32_t)figures_mallocs(slot, flow));
    EXPECT(flow->capacity == (had->capacity < start_of(c) ? had->capacity : start_of(c)) && class_is_open(thread, c));
    EXPECT(slot->room == (had->room > HAK_LIST_KEPT ? 0 : had->room) && slot->top[-1] == NULL);
    EXPECT(slot->room != 0 || slot->top == HAK_NO_LIST_TOP);
    (void)expect_sum(thread);
}

/* So many blocks, often enough that the list grows; how many are made and freed again. */
static unsigned use_often(size_t size, unsigned count) {
    unsigned used = 0;
    for (; used < 4 * count; used += count) {
        lists_make(size, count);
        lists_drop(count);
    }
    return used;
}

/* ---- what is used no more ---- */

/* No block is in two hands. */
static void use_marked(size_t size, unsigned count) {
    lists_make(size, count);
    for (unsigned i = 0; i < count; i++)
        unit_fill(blocks[i], size, 4096, i);
    for (unsigned i = 0; i < count; i++)
        EXPECT(unit_holds(blocks[i], size, size, 4096, i));
    lists_drop(count);
}

/* One look sees that the class was used, the next one that it was not, and one more what nobody wanted since. */
static void leave_one(void *size_argument) {
    size_t size = (size_t)size_argument;
    struct thread *thread = begin();
    unsigned c = size_class_of(size), count = (unsigned)least(4 * HELD, LIST_BYTES / size);
    uint64_t active = hak_view.active_bytes;
    struct counts before = counts_now(&hak_view);
    unsigned used = use_often(size, count);
    struct had had = has_now(thread, c);
    EXPECT(had.length > 0 && had.length <= HAK_COOL_BLOCKS && hak_view.active_bytes > active);
    work(thread, 3 * CYCLE);
    expect_anew(thread, c, &had);
    EXPECT(hak_view.active_bytes == active && count_home(count) == count && hak_transfers[c].count == 0);
    lists_expect_counted(&before, c, used, used);
    use_marked(size, count);
    lists_expect_whole(thread, c);
    used += count + use_often(size, count);
    EXPECT(thread->view.flow[c].capacity == had.capacity && length_of(thread, c) > 0);
    lists_expect_counted(&before, c, used, used);
    lists_expect_nothing_left();
}

static void a_class_that_is_not_used_begins_anew(void **state) {
    (void)state;
    for_each_size(leave_one);
}

/* All classes but one at once, as one of so many threads, which has earned all that it may have. */
static void leave_all(void *threads) {
    struct had had[HAK_CLASS_COUNT];
    unsigned at_work = size_class_of(WORK), grown = 0;
    struct thread *thread = begin();
    hak_thread_share_among(*(const uint32_t *)threads, HAK_CACHE_THREADS_MIN);
    thread->earned_bytes = HAK_THREAD_CACHE_BYTES;
    struct counts before = counts_now(&hak_view);
    lists_use_all(thread);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        had[c] = has_now(thread, c);
        grown += had[c].length != 0 && had[c].capacity > start_of(c);
    }
    EXPECT(grown >= 16);
    for (int32_t chore = 0, waiting = expect_sum(thread); chore < 4 * CYCLE; chore++, waiting = expect_sum(thread)) {
        work(thread, 1);
        EXPECT(waiting - expect_sum(thread) <= HAK_COOL_BLOCKS + 1); /* whatever of how many classes */
    }
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        if (c != at_work) {
            expect_anew(thread, c, &had[c]);
            lists_expect_counted(&before, c, 100, 100);
        }
    hak_thread_share_among(1, HAK_CACHE_THREADS_MIN);
    lists_use_all(thread);
    lists_expect_nothing_left();
    EXPECT(thread->cache_bytes == 0 && thread->begun_bytes == 0);
}

static void all_that_are_not_used_do(void **state) {
    static uint32_t few = 1, many = MANY;
    (void)state;
    assert_true(child_succeeds(leave_all, &few));
    assert_true(child_succeeds(leave_all, &many));
}

/* What a class has lost to another one it does not get back so. */
static void leave_one_that_lost_capacity(void *unused) {
    (void)unused;
    enum { SIZE = 32 };
    struct thread *thread = begin();
    unsigned c = size_class_of(SIZE);
    (void)use_often(SIZE, HELD);
    while (thread->view.flow[c].capacity >= start_of(c))
        hak_capacity_halve(thread, c);
    struct had had = has_now(thread, c);
    EXPECT(had.length > 0 && had.capacity > 1);
    work(thread, 2 * CYCLE);
    expect_anew(thread, c, &had);
}

static void who_begins_anew_has_no_more_than_before(void **state) {
    (void)state;
    assert_true(child_succeeds(leave_one_that_lost_capacity, NULL));
}

/* A list gives up so much at each look, the array is the last to go. */
static void leave_a_long_one(void *unused) {
    (void)unused;
    enum { COUNT = 24 * HELD };
    struct thread *thread = begin();
    unsigned c = 1, looks = 0;
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    struct counts before = counts_now(&hak_view);
    unsigned used = use_often(16, COUNT);
    struct had had = has_now(thread, c);
    int32_t length = had.length;
    EXPECT(length > 3 * HAK_COOL_BLOCKS && length % HAK_COOL_BLOCKS != 0 && had.room > HAK_LIST_KEPT);
    look(thread, c);
    EXPECT(length_of(thread, c) == length);
    for (; length != 0; looks++) {
        int32_t gone = length < HAK_COOL_BLOCKS ? length : HAK_COOL_BLOCKS;
        unsigned waiting = hak_transfers[c].count;
        memcpy(blocks, slot->top - gone, (size_t)gone * sizeof *blocks);
        EXPECT(slot->room == had.room && flow->capacity == had.capacity && count_home((unsigned)gone) == 0);
        length -= gone;
        int32_t freed = flow->admitted - slot->frees_left;
        look(thread, c);
        EXPECT(flow->admitted - slot->frees_left == (length == 0 ? 0 : freed)); /* as it will be weighed */
        EXPECT(length_of(thread, c) == length && slot->frees_left == 0);
        EXPECT(count_home((unsigned)gone) == (unsigned)gone && hak_transfers[c].count <= waiting);
        lists_expect_counted(&before, c, used, used);
        work(thread, CYCLE - 1);
        EXPECT(length_of(thread, c) == length);
    }
    EXPECT(looks > 3);
    expect_anew(thread, c, &had);
    use_marked(16, COUNT);
    lists_expect_counted(&before, c, used + COUNT, used + COUNT);
    lists_expect_nothing_left();
}

static void a_long_list_goes_bit_by_bit(void **state) {
    (void)state;
    assert_true(child_succeeds(leave_a_long_one, NULL));
}

/* What another thread has made goes home to its heap, out of the list and out of the transfer cache. */
static void *make_some(void *size) {
    (void)lists_begin();
    lists_make((size_t)size, HELD);
    return NULL;
}

static void leave_what_another_made(void *size_argument) {
    pthread_t maker;
    size_t size = (size_t)size_argument;
    unsigned c = size_class_of(size), listed = 0;
    struct thread *thread = begin();
    struct counts before = counts_now(&hak_view);
    EXPECT(pthread_create(&maker, NULL, make_some, (void *)size) == 0 && pthread_join(maker, NULL) == 0);
    EXPECT(entry_heap_id(page_map_flat_get(blocks[0])) != thread->heap->id);
    for (unsigned i = 0; i < HELD; i++) {
        hak_free(blocks[i]);
        listed += length_of(thread, c) != 0;
    }
    EXPECT(listed > 0);
    work(thread, 3 * CYCLE);
    EXPECT(count_home(HELD) == HELD && length_of(thread, c) == 0 && hak_transfers[c].count == 0);
    lists_expect_counted(&before, c, HELD, HELD);
    lists_expect_nothing_left();
}

static void what_others_have_made_goes_home(void **state) {
    (void)state;
    for_each_size(leave_what_another_made);
}

/* ---- what is used ---- */

enum way { TAKES, FREES, FREES_PAST, TAKES_AND_FREES, WAYS };

/* As if the thread had freed so much that the next block passes the list. */
static void let_pass(struct thread *thread, unsigned c) {
    capacity_begin_countdown(thread, c, length_of(thread, c), 0);
    thread->passes[c] = 1;
}

/* By how much the list gets longer. */
static int32_t use_once(struct thread *thread, enum way way, size_t size, unsigned at) {
    if (way == FREES_PAST)
        let_pass(thread, size_class_of(size));
    if (way == FREES || way == FREES_PAST)
        hak_free(blocks[at]);
    else
        EXPECT((blocks[at] = hak_malloc(size)) != NULL);
    if (way == TAKES_AND_FREES)
        hak_free(blocks[at]);
    return way == TAKES ? -1 : way == FREES ? 1 : 0;
}

/* Once between two looks. The array and what the list may hold stay too. */
static void use_in_each_cycle(void *way) {
    enum { SIZE = 272, LEAST = 32 };
    unsigned first = *(const enum way *)way == FREES || *(const enum way *)way == FREES_PAST ? 0 : HELD;
    struct thread *thread = begin();
    unsigned c = size_class_of(SIZE);
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    (void)use_often(SIZE, 4 * HELD);
    lists_make(SIZE, HELD);
    int32_t length = length_of(thread, c), capacity = flow->capacity, room = slot->room;
    EXPECT(length > LEAST && slot->frees_left > LEAST);
    for (unsigned cycle = 0; cycle < LEAST; cycle++) {
        length += use_once(thread, *(const enum way *)way, SIZE, first + cycle);
        work(thread, CYCLE);
        EXPECT(length_of(thread, c) == length && flow->capacity == capacity && slot->room == room);
    }
    work(thread, CYCLE);
    EXPECT(length_of(thread, c) == 0 && flow->capacity == start_of(c));
}

static void a_class_that_is_used_keeps_its_list(void **state) {
    (void)state;
    for (enum way way = 0; way < WAYS; way++)
        assert_true(child_succeeds(use_in_each_cycle, &way));
}

/* ---- the class that the thread is at work with ---- */

/* As if nothing had been counted since the last look: how many mallocs and frees there were. */
static void forget_calls(struct thread *thread, unsigned c) {
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    thread->calls[c] = (uint32_t)(figures_mallocs(slot, flow) + figures_cached_frees(slot, flow) + flow->passed_frees);
}

/* A refill of a list that is empty, or of none. */
static void *refill_when_due(struct thread *thread, unsigned c) {
    uint64_t taken = thread->view.flow[c].taken;
    EXPECT(length_of(thread, c) == 0);
    forget_calls(thread, c);
    make_look_due(thread, c);
    void *block = hak_malloc(size_class_bytes(c));
    EXPECT(block != NULL && thread->chores == c - 1 + CYCLE);
    EXPECT((uint64_t)length_of(thread, c) == thread->view.flow[c].taken - taken - 1);
    return block;
}

/* The free that ends a countdown: the list is a short one, and remains so. Chores empty the outbox; then a small block
 * may go there. */
static void free_when_due(struct thread *thread, unsigned c, void *block) {
    int32_t length = length_of(thread, c);
    EXPECT(length > 0 && thread->passes[c] == 0);
    capacity_begin_countdown(thread, c, length, 0);
    forget_calls(thread, c);
    make_look_due(thread, c);
    hak_free(block);
    EXPECT(thread->chores == c - 1 + CYCLE && length_of(thread, c) >= length);
    EXPECT(length_of(thread, c) + (int32_t)thread->outbox.count == length + 1);
}

static void be_due_with_each(void *unused) {
    (void)unused;
    struct thread *thread = begin();
    struct counts before = counts_now(&hak_view);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        unsigned held = 0;
        if (c == size_class_of(WORK))
            hak_thread_flush();
        blocks[held++] = refill_when_due(thread, c);
        while (length_of(thread, c) != 0)
            EXPECT((blocks[held++] = hak_malloc(size_class_bytes(c))) != NULL);
        blocks[held++] = refill_when_due(thread, c);
        while (length_of(thread, c) < 2)
            hak_free(blocks[--held]);
        while (length_of(thread, c) > 2)
            EXPECT((blocks[held++] = hak_malloc(size_class_bytes(c))) != NULL);
        free_when_due(thread, c, blocks[--held]);
        lists_drop(held);
        struct hak_class_sum sum = figures_class_sum(&thread->view, c);
        EXPECT(sum.mallocs - before.of_class[c].mallocs == sum.frees - before.of_class[c].frees);
    }
    lists_expect_nothing_left();
}

static void what_makes_chores_due_is_left_alone(void **state) {
    (void)state;
    assert_true(child_succeeds(be_due_with_each, NULL));
}

/* ---- transfer caches ---- */

static struct heap *heap; /* the blocks' */

static void take_blocks(struct heap *from, unsigned c, unsigned count) {
    heap = from;
    for (unsigned got = 0; got < count;) {
        unsigned more = hak_heap_take(heap, c, count - got, blocks + got);
        EXPECT(more != 0);
        got += more;
    }
}

/* The first look sees how many wait, the next ones send home what was not wanted since: so many each, or some more. */
static void let_wait(void *size_argument) {
    size_t size = (size_t)size_argument;
    struct thread *thread = begin();
    unsigned c = size_class_of(size), count = (unsigned)least(3 * HAK_COOL_BLOCKS - 99, HAK_TRANSFER_BYTES / size);
    take_blocks(thread->heap, c, count);
    EXPECT(hak_transfer_put(c, blocks, count) == count);
    work(thread, CYCLE);
    EXPECT(hak_transfers[c].count == count && count_home(count) == 0);
    for (unsigned left = count, before = left; left != 0; before = left) {
        work(thread, CYCLE);
        left = hak_transfers[c].count;
        EXPECT(before - left >= least(before, HAK_COOL_BLOCKS) && before - left < HAK_COOL_BLOCKS + 16);
        EXPECT(count_home(count) == count - left);
    }
    lists_expect_nothing_left();
}

static void what_nobody_wants_goes_home(void **state) {
    (void)state;
    for_each_size(let_wait);
}

static void *put_some(void *size) {
    EXPECT(hak_transfer_put(size_class_of((size_t)size), blocks, HELD) == HELD);
    return NULL;
}

/* What others have put is theirs to look after, until this thread adds some. */
static void let_others_wait(void *size_argument) {
    size_t size = (size_t)size_argument;
    pthread_t other;
    struct thread *thread = begin();
    unsigned c = size_class_of(size), all = HELD + 1;
    take_blocks(thread->heap, c, all);
    EXPECT(pthread_create(&other, NULL, put_some, (void *)size) == 0 && pthread_join(other, NULL) == 0);
    work(thread, CYCLES * CYCLE);
    EXPECT(hak_transfers[c].count == HELD && hak_transfers[c].least == 0 && count_home(all) == 0);
    EXPECT(hak_transfer_put(c, blocks + HELD, 1) == 1);
    work(thread, 2 * CYCLE);
    EXPECT(hak_transfers[c].count == 0 && count_home(all) == all);
    lists_expect_nothing_left();
}

static void what_another_put_last_stays(void **state) {
    static const size_t of[] = {16, 272, 528, 1152};
    (void)state;
    for (unsigned i = 0; i < sizeof of / sizeof *of; i++)
        assert_true(child_succeeds(let_others_wait, (void *)of[i]));
}

/* As many as there are at once are wanted in each cycle; so these stay, as long as that goes on. */
static void want_some(void *unused) {
    (void)unused;
    enum { SIZE = 272, WANTED = 30 };
    struct thread *thread = begin();
    unsigned c = size_class_of(SIZE), left = HELD;
    void *wanted[WANTED];
    take_blocks(thread->heap, c, HELD);
    EXPECT(hak_transfer_put(c, blocks, HELD) == HELD);
    for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
        bool by_another;
        work(thread, CYCLE);
        left = cycle == 0 ? HELD : WANTED;
        EXPECT(hak_transfers[c].count == left && count_home(HELD) == HELD - left);
        EXPECT(hak_transfer_take(c, WANTED, wanted, &by_another) == WANTED && !by_another);
        EXPECT(hak_transfer_put(c, wanted, WANTED) == WANTED);
    }
    work(thread, CYCLE);
    EXPECT(hak_transfers[c].count == WANTED);
    work(thread, CYCLE);
    EXPECT(hak_transfers[c].count == 0 && count_home(HELD) == HELD);
    lists_expect_nothing_left();
}

static void what_is_wanted_stays(void **state) {
    (void)state;
    assert_true(child_succeeds(want_some, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_that_is_not_used_begins_anew),
        cmocka_unit_test(all_that_are_not_used_do),
        cmocka_unit_test(who_begins_anew_has_no_more_than_before),
        cmocka_unit_test(a_long_list_goes_bit_by_bit),
        cmocka_unit_test(what_others_have_made_goes_home),
        cmocka_unit_test(a_class_that_is_used_keeps_its_list),
        cmocka_unit_test(what_makes_chores_due_is_left_alone),
        cmocka_unit_test(what_nobody_wants_goes_home),
        cmocka_unit_test(what_another_put_last_stays),
        cmocka_unit_test(what_is_wanted_stays),
    };
    hak_options.heaps = 2;
    hak_thread_init(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
