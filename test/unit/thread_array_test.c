/* thread_array_test.c
 * Purpose.     The arrays that a thread's lists are: they grow and keep what is in them, belong to one list at a time,
 *              and are given back; where there is no memory for them, blocks pass the list and are counted all the
 *              same.
 * Design.      Each test is a child, whose caches start empty. A linker wrap refuses arrays.
 * Not here.    Signal handlers and forks: thread_interrupt_test.c.
 * link: -Wl,--wrap=hak_meta_take
 */
#include "support/child.h"
#include "support/lists.h"

#include <pthread.h>

#include "api/init.h"
#include "base/bits.h"
#include "base/figures.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread.h"
#include "heap/thread_capacity.h"
#include "heap/thread_list.h"
#include "segment/limit.h"
#include "segment/meta.h"
#include "segment/view.h"

static bool refuses; /* arrays */
static unsigned refused;

void *__real_hak_meta_take(unsigned shift);
void *__wrap_hak_meta_take(unsigned shift);
void *__wrap_hak_meta_take(unsigned shift) {
    if (!refuses)
        return __real_hak_meta_take(shift);
    refused++;
    return NULL;
}

/* ---- growing and giving back ---- */

/* What is in a list stays in it, in the same order, when it moves. Where there is room, or no memory, it does not. */
static void grow(void *unused) {
    static void *before[BLOCKS];
    (void)unused;
    struct thread *thread = lists_begin();
    unsigned c = size_class_of(32);
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    lists_make(32, BLOCKS);
    for (unsigned i = 0; i < 20; i++)
        hak_free(blocks[i]);
    for (int32_t room = slot->room; room < 4 * BLOCKS; room = 2 * room + 1) {
        int32_t length = length_of(thread, c), left = slot->frees_left;
        void **base = flow->base;
        uint32_t moves = flow->moves;
        EXPECT(length >= 20 && length <= BLOCKS);
        memcpy(before, base, (size_t)length * sizeof *before);
        EXPECT(hak_capacity_widen(thread, c, room));
        refuses = true;
        EXPECT(!hak_capacity_widen(thread, c, room + 1));
        refuses = false;
        EXPECT(slot->room == room && flow->base == base && flow->moves == moves);
        EXPECT(hak_capacity_widen(thread, c, room + 1));
        EXPECT(slot->room == 2 * room + 1 && flow->base != base && flow->moves == moves + 2);
        EXPECT(length_of(thread, c) == length && slot->frees_left == left);
        EXPECT(memcmp(before, flow->base, (size_t)length * sizeof *before) == 0);
        lists_expect_whole(thread, c);
        /* Its old one is the next list's. */
        void **next = __real_hak_meta_take(bits_log2((size_t)room + 1) + bits_log2(sizeof(void *)));
        EXPECT(next == base - 1);
        memset(next, 0, ((size_t)room + 1) * sizeof *next);
        hak_meta_give(next, bits_log2((size_t)room + 1) + bits_log2(sizeof(void *)));
    }
    for (unsigned i = 20; i < BLOCKS; i++)
        hak_free(blocks[i]);
    hak_thread_flush();
    EXPECT(hak_view.active_bytes == 0);
}

static void a_list_that_moves_keeps_what_it_has(void **state) {
    (void)state;
    assert_true(child_succeeds(grow, NULL));
}

/* The next list that wants their size gets them: no metadata is used up. */
static void come_round(void *unused) {
    (void)unused;
    struct thread *thread = lists_begin();
    for (unsigned turn = 0; turn < 8; turn++) {
        lists_use_all(thread);
        (void)hak_trim();
        lists_expect_closed(thread);
    }
    uint64_t metadata = hak_view.metadata_bytes;
    for (unsigned turn = 0; turn < 20; turn++) {
        lists_use_all(thread);
        (void)hak_trim();
        lists_expect_closed(thread);
    }
    EXPECT(hak_view.metadata_bytes == metadata && hak_view.active_bytes == 0);
    /* What was given back last comes first. */
    lists_make(16, BLOCKS);
    lists_drop(BLOCKS);
    EXPECT(thread->view.slot[1].room > HAK_LIST_KEPT);
    void *array = thread->view.flow[1].base - 1;
    unsigned shift = bits_log2((size_t)thread->view.slot[1].room + 1) + bits_log2(sizeof(void *));
    hak_thread_flush();
    EXPECT(__real_hak_meta_take(shift) == array);
}

static void arrays_are_given_back(void **state) {
    (void)state;
    assert_true(child_succeeds(come_round, NULL));
}

/* As one that has been cancelled in the midst of it. */
static void *use_and_end(void *unused) {
    lists_begin();
    EXPECT(!hak_thread_self->busy);
    lists_make(64, BLOCKS);
    lists_drop(BLOCKS);
    hak_thread_self->busy = true;
    return unused;
}

/* Of a record that was full, and is cold: short arrays stay. */
static void *fill_and_end(void *unused) {
    lists_begin();
    lists_use_all(hak_thread_self);
    return unused;
}

static unsigned rooms_of_nobody(void) {
    unsigned count = 0;
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next)
        for (unsigned c = 1; c < HAK_CLASS_COUNT && view->thread_id == 0; c++) {
            EXPECT(view->slot[c].room <= HAK_LIST_KEPT || view->flow[c].capacity != 0);
            count += view->slot[c].room != 0;
        }
    return count;
}

/* A record waits with its arrays, and without them where it holds nothing. */
static void end_threads(void *unused) {
    pthread_t thread;
    uint64_t metadata = 0;
    (void)unused;
    lists_begin();
    for (unsigned turn = 0; turn < 10; turn++) {
        EXPECT(pthread_create(&thread, NULL, use_and_end, NULL) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
        if (turn % 2 != 0)
            hak_thread_list_collect();
        EXPECT(turn < 4 || hak_view.metadata_bytes == metadata);
        metadata = hak_view.metadata_bytes;
    }
    EXPECT(pthread_create(&thread, NULL, fill_and_end, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(rooms_of_nobody() > HAK_CLASS_COUNT / 2);
    (void)hak_trim();
    EXPECT(rooms_of_nobody() == 0);
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next)
        lists_expect_closed(container_of(view, struct thread, view));
    EXPECT(hak_view.active_bytes == 0);
}

static void records_that_come_round_use_up_nothing(void **state) {
    (void)state;
    assert_true(child_succeeds(end_threads, NULL));
}

/* ---- no memory for arrays ---- */

/* A class that has none: one block at a time. Once there is memory it has a list as any other. */
static void have_no_array(void *unused) {
    (void)unused;
    struct thread *thread = lists_begin();
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c += 3) {
        const struct hak_slot *slot = &thread->view.slot[c];
        struct counts before = counts_now(&hak_view);
        refuses = true;
        refused = 0;
        lists_make(size_class_bytes(c), BLOCKS / 4);
        EXPECT(refused > 0 && slot->room == 0 && slot->top == HAK_NO_LIST_TOP);
        lists_expect_counted(&before, c, BLOCKS / 4, 0);
        for (unsigned i = 0; i < BLOCKS / 4; i++) {
            EXPECT(hak_usable_size(blocks[i]) == size_class_bytes(c));
            hak_free(blocks[i]);
            EXPECT(slot->room == 0 && slot->frees_left == 0);
            lists_expect_counted(&before, c, BLOCKS / 4, i + 1);
        }
        refuses = false;
        lists_make(size_class_bytes(c), BLOCKS / 4);
        lists_drop(BLOCKS / 4);
        lists_expect_whole(thread, c);
        EXPECT(length_of(thread, c) > 0);
        lists_expect_counted(&before, c, BLOCKS / 2, BLOCKS / 2);
    }
    (void)hak_trim();
    EXPECT(hak_view.active_bytes == 0 && hak_view.errors == 0);
}

/* Where a first free finds none. */
static void free_without_array(void *unused) {
    (void)unused;
    struct thread *thread = lists_begin();
    unsigned c = size_class_of(48);
    lists_make(48, BLOCKS);
    hak_thread_flush();
    EXPECT(thread->view.slot[c].room == 0);
    struct counts before = counts_now(&hak_view);
    refuses = true;
    lists_drop(BLOCKS);
    EXPECT(thread->view.slot[c].room == 0 && length_of(thread, c) == 0);
    lists_expect_counted(&before, c, 0, BLOCKS);
    (void)hak_trim();
    lists_expect_closed(thread);
    EXPECT(hak_view.active_bytes == 0 && hak_view.errors == 0);
}

/* A list that cannot grow is used as it is. */
static void have_a_small_array(void *unused) {
    (void)unused;
    struct thread *thread = lists_begin();
    unsigned c = size_class_of(16);
    const struct hak_slot *slot = &thread->view.slot[c];
    lists_make(16, 1);
    lists_drop(1);
    int32_t room = slot->room, longest = 0;
    EXPECT(room > 0 && room < BLOCKS / 2);
    refuses = true;
    struct counts before = counts_now(&hak_view);
    for (unsigned turn = 1; turn <= 4; turn++) {
        lists_make(16, BLOCKS);
        lists_expect_counted(&before, c, turn * (uint64_t)BLOCKS, (turn - 1) * (uint64_t)BLOCKS);
        for (unsigned i = 0; i < BLOCKS; i++) {
            hak_free(blocks[i]);
            lists_expect_whole(thread, c);
            longest = length_of(thread, c) > longest ? length_of(thread, c) : longest;
        }
        lists_expect_counted(&before, c, turn * (uint64_t)BLOCKS, turn * (uint64_t)BLOCKS);
    }
    EXPECT(refused > 0 && slot->room == room && longest > room / 2 && longest <= room);
    refuses = false;
    (void)hak_trim();
    EXPECT(hak_view.active_bytes == 0 && hak_view.errors == 0);
}

static void a_list_without_memory_lets_blocks_pass(void **state) {
    (void)state;
    assert_true(child_succeeds(have_no_array, NULL));
    assert_true(child_succeeds(free_without_array, NULL));
    assert_true(child_succeeds(have_a_small_array, NULL));
}

/* A free that would move its list to a larger array is no reason to tell the program that a limit is reached, nor is a
 * malloc that is served all the same. */
static void be_at_the_limit(void *unused) {
    (void)unused;
    lists_begin();
    lists_make(16, BLOCKS);
    hak_thread_flush();
    hak_limit_set(HAK_LIMIT_NONE, limit_used());
    lists_drop(BLOCKS);
    lists_make(16, BLOCKS / 2);
    lists_drop(BLOCKS / 2);
    EXPECT(hak_limits.untold == 0 && hak_limits.noted == 0);
    /* By as much as an array takes, of a size that was never given back. */
    for (size_t cells = 4096; cells <= 16384; cells *= 2) {
        size_t size = cells * sizeof(void *) + HAK_CACHE_LINE;
        for (size_t less = 1; less <= 2 * HAK_CACHE_LINE; less += 21) {
            hak_limit_set(HAK_LIMIT_NONE, limit_used() + size - less);
            EXPECT(!hak_capacity_widen(hak_thread_self, 1, (int32_t)cells - 1) && hak_limits.noted == 0);
        }
        hak_limit_set(HAK_LIMIT_NONE, limit_used() + size);
        EXPECT(hak_capacity_widen(hak_thread_self, 1, (int32_t)cells - 1) && hak_limits.noted == 0);
    }
}

/* Who uses more than the soft limit is to use it well. */
static void be_above_the_soft_limit(void *unused) {
    (void)unused;
    struct thread *thread = lists_begin();
    hak_limit_set(1, HAK_LIMIT_NONE);
    lists_make(64, BLOCKS);
    lists_drop(BLOCKS);
    lists_expect_whole(thread, size_class_of(64));
    EXPECT(length_of(thread, size_class_of(64)) > 0);
}

static void a_limit_is_not_told_of_for_an_array(void **state) {
    (void)state;
    assert_true(child_succeeds(be_above_the_soft_limit, NULL));
    assert_true(child_succeeds(be_at_the_limit, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_that_moves_keeps_what_it_has),
        cmocka_unit_test(arrays_are_given_back),
        cmocka_unit_test(records_that_come_round_use_up_nothing),
        cmocka_unit_test(a_list_without_memory_lets_blocks_pass),
        cmocka_unit_test(a_limit_is_not_told_of_for_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
