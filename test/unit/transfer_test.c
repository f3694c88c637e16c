/* transfer_test.c
 * Purpose.     A transfer cache gives what it was given, each block once: how many, in what order, to whom; what it
 *              refuses, what it sees of misuse, and what goes home when.
 * Design.      Blocks are taken from heaps of the test's own: what is missing at the end shows as memory in use.
 */
#include "support/expect.h"
#include "support/heaps.h"
#include "support/unit.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/options.h"
#include "heap/slab.h"
#include "heap/transfer.h"
#include "segment/limit.h"
#include "segment/view.h"

enum { SMALL = 4, LARGEST = HAK_CLASS_COUNT - 1 };

static const void *bad;
static unsigned bad_count;

static void note_bad(const void *block) {
    bad = block;
    bad_count++;
}

static int all_is_back(void **state) {
    (void)state;
    heaps_empty_transfers();
    return hak_view.active_bytes != 0 || bad_count != 0;
}

/* Where this thread has put some last, or gets none. */
static unsigned take(unsigned c, unsigned want, void **blocks) {
    bool by_another = true;
    unsigned got = hak_transfer_take(c, want, blocks, &by_another);
    assert_false(by_another);
    return got;
}

/* ---- one after the other ---- */

/* In the order that they were put in: from the end, as they are used. */
static void what_came_last_goes_first(void **state) {
    const unsigned classes[] = {1, SMALL, HAK_TINY_CLASSES, LARGEST};
    enum { COUNT = 5 };
    (void)state;
    for (unsigned i = 0; i < sizeof classes / sizeof *classes; i++) {
        unsigned c = classes[i];
        struct transfer *transfer = &hak_transfers[c];
        void *blocks[COUNT], *got[COUNT + 1] = {NULL};
        heaps_take(1, c, COUNT, blocks);
        assert_int_equal(hak_transfer_put(c, blocks, 2), 2);
        assert_true(transfer->room > COUNT && transfer->room * size_class_bytes(c) <= HAK_TRANSFER_BYTES);
        assert_int_equal(hak_transfer_put(c, blocks + 2, 3), 3);
        assert_int_equal(transfer->count, COUNT);
        assert_int_equal(take(c, 1, got), 1);
        assert_ptr_equal(got[0], blocks[4]);
        assert_null(got[1]);
        assert_int_equal(take(c, 2, got), 2);
        assert_memory_equal(got, blocks + 2, 2 * sizeof *blocks);
        assert_null(got[2]);
        assert_int_equal(hak_transfer_put(c, blocks + 4, 1), 1);
        assert_int_equal(take(c, COUNT, got), 3);
        assert_ptr_equal(got[0], blocks[0]);
        assert_ptr_equal(got[1], blocks[1]);
        assert_ptr_equal(got[2], blocks[4]);
        assert_int_equal(take(c, 1, got), 0);
        heaps_give(1, blocks, COUNT);
    }
}

/* Neither where it waits nor on its way there, on or home. */
static void no_block_is_touched(void **state) {
    enum { COUNT = 7 };
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct transfer *transfer = &hak_transfers[c];
        void *kept = heaps_take_one(1, c), *blocks[COUNT];
        const struct slab *slab = hak_slab_of(kept);
        void *memory = (void *)slab->base;
        size_t bytes = slab->granules * HAK_GRANULE_SIZE;
        unsigned count = slab->free_count < COUNT ? slab->free_count : COUNT;
        heaps_take(1, c, count, blocks);
        assert_int_equal(mprotect(memory, bytes, PROT_NONE), 0);
        assert_int_equal(hak_transfer_put(c, blocks, count), count);
        assert_int_equal(take(c, count, blocks), count);
        assert_int_equal(hak_transfer_put(c, blocks, count), count);
        assert_int_equal(hak_transfer_cool(transfer, heaps, count), 0);
        assert_int_equal(hak_transfer_cool(transfer, heaps, count), count);
        heaps_take(1, c, count, blocks);
        assert_int_equal(hak_transfer_put(c, blocks, count), count);
        hak_transfer_empty(transfer, heaps);
        assert_true(home_has(blocks[0]));
        assert_int_equal(mprotect(memory, bytes, PROT_READ | PROT_WRITE), 0);
        heaps_give(1, &kept, 1);
    }
}

/* What has none is left, and is whose it was. */
static void there_is_so_much_room(void **state) {
    static void *blocks[HAK_TRANSFER_BLOCKS + 3], *got[HAK_TRANSFER_BLOCKS + 3];
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c += 6) {
        struct transfer *transfer = &hak_transfers[c];
        void *first = heaps_take_one(1, c);
        assert_int_equal(hak_transfer_put(c, &first, 1), 1);
        hak_transfer_empty(transfer, heaps);
        unsigned room = transfer->room;
        assert_true(room == HAK_TRANSFER_BLOCKS || (room + 1) * size_class_bytes(c) > HAK_TRANSFER_BYTES);
        heaps_take(1, c, room + 3, blocks);
        assert_int_equal(hak_transfer_put(c, blocks, room - 1), room - 1);
        assert_int_equal(hak_transfer_put(c, blocks + room - 1, 4), 1);
        assert_int_equal(transfer->count, room);
        assert_int_equal(hak_transfer_put(c, blocks + room, 3), 0);
        assert_int_equal(transfer->busy, 0);
        assert_int_equal(take(c, UINT32_MAX, got), room);
        assert_memory_equal(got, blocks, room * sizeof *blocks);
        heaps_give(1, blocks, room + 3);
    }
}

/* Where there is no memory for addresses, nothing is put, and no limit is said to be reached. */
static void without_memory_there_is_no_room(void **state) {
    unsigned c = LARGEST - 1;
    void *block = heaps_take_one(1, c);
    uint64_t lowest = hak_limits.lowest_bytes;
    (void)state;
    assert_int_equal(hak_transfers[c].room, 0);
    hak_limits.lowest_bytes = limit_used();
    assert_int_equal(hak_transfer_put(c, &block, 1), 0);
    assert_int_equal(hak_transfers[c].room + hak_transfers[c].count + hak_transfers[c].busy, 0);
    assert_int_equal(hak_limits.noted, 0);
    hak_limits.lowest_bytes = lowest;
    assert_int_equal(hak_transfer_put(c, &block, 1), 1);
}

/* Who finds another one at work goes on, and nothing waits where free memory is to go back at once. */
static void nobody_waits(void **state) {
    struct transfer *transfer = &hak_transfers[SMALL];
    void *blocks[3], *got[3] = {NULL};
    (void)state;
    heaps_take(1, SMALL, 3, blocks);
    assert_int_equal(hak_transfer_put(SMALL, blocks, 1), 1);
    transfer->busy = 1;
    assert_int_equal(hak_transfer_put(SMALL, blocks + 1, 2), 0);
    assert_int_equal(take(SMALL, 1, got), 0);
    hak_transfer_empty(transfer, heaps);
    assert_int_equal(hak_transfer_cool(transfer, heaps, 10), 0);
    assert_int_equal(transfer->count, 1);
    transfer->busy = 0;
    hak_options.purge_delay = 0;
    assert_int_equal(hak_transfer_put(SMALL, blocks + 1, 2), 0);
    hak_options.purge_delay = 1000;
    assert_int_equal(take(SMALL, 2, got), 1);
    assert_ptr_equal(got[0], blocks[0]);
    assert_null(got[1]);
    heaps_give(1, blocks, 3);
}

/* In a fork's child only the forking thread may be at work, interrupted by a signal; and what that has put is its own,
 * what others have put is not. */
static void a_forks_child_is_not_kept_out(void **state) {
    struct transfer transfer = {.busy = hak_lock_self() + 1, .giver = hak_lock_self() + 1};
    (void)state;
    hak_transfer_forked(&transfer, 7);
    assert_int_equal(transfer.busy, 0);
    assert_int_equal(transfer.giver, hak_lock_self() + 1);
    transfer.busy = transfer.giver = 7;
    hak_transfer_forked(&transfer, 7);
    assert_int_equal(transfer.busy, hak_lock_self());
    assert_int_equal(transfer.giver, hak_lock_self());
}

/* Between two stores of a thread that is no more, `least` may be above `count`. */
static void a_forks_child_cools_what_is_there(void **state) {
    struct transfer *transfer = &hak_transfers[SMALL];
    void *blocks[3];
    (void)state;
    heaps_take(1, SMALL, 3, blocks);
    assert_int_equal(hak_transfer_put(SMALL, blocks, 3), 3);
    transfer->least = 100;
    assert_int_equal(hak_transfer_cool(transfer, heaps, 1000), 3);
    assert_int_equal(transfer->count + transfer->least, 0);
}

/* ---- misuse ---- */

static void expect_bad(const void *block) {
    assert_int_equal(bad_count, 1);
    assert_ptr_equal(bad, block);
    bad_count = 0;
}

/* It is put once. */
static void the_same_twice_in_a_row_is_seen(void **state) {
    enum { COUNT = 100 };
    struct transfer *transfer = &hak_transfers[SMALL];
    void *blocks[COUNT];
    (void)state;
    heaps_take(1, SMALL, COUNT, blocks);
    for (unsigned count = 2; count <= COUNT; count += 1 + count / 8) {
        for (unsigned at = 1; at < count; at++) {
            void *other = blocks[at];
            blocks[at] = blocks[at - 1];
            assert_int_equal(hak_transfer_put(SMALL, blocks, count), count);
            expect_bad(blocks[at]);
            assert_int_equal(transfer->busy, 0);
            assert_int_equal(transfer->count, count - 1);
            assert_memory_equal(transfer->block, blocks, at * sizeof *blocks);
            assert_memory_equal(transfer->block + at, blocks + at + 1, (count - at - 1) * sizeof *blocks);
            transfer->count = 0;
            /* Nearly full: behind what there is room for it is somebody else's to see. */
            assert_int_equal(hak_transfer_put(SMALL, blocks, at), at);
            transfer->count = transfer->room - at;
            assert_int_equal(hak_transfer_put(SMALL, blocks, count), at);
            assert_int_equal(bad_count, 0);
            assert_int_equal(transfer->count, transfer->room);
            transfer->count = transfer->least = 0;
            blocks[at] = other;
        }
    }
    heaps_give(1, blocks, COUNT);
}

/* ---- the way home ---- */

static void what_is_not_wanted_goes_home(void **state) {
    struct transfer *transfer = &hak_transfers[SMALL];
    enum { COUNT = 100 };
    void *blocks[COUNT], *got[COUNT];
    (void)state;
    heaps_take_mixed(SMALL, COUNT, blocks);
    assert_int_equal(hak_transfer_put(SMALL, blocks, COUNT), COUNT);
    assert_int_equal(hak_transfer_cool(transfer, heaps, 1000), 0); /* nobody has had the time to want them */
    assert_int_equal(transfer->count, COUNT);
    assert_int_equal(take(SMALL, 40, got), 40);
    assert_memory_equal(got, blocks + 60, 40 * sizeof *blocks);
    assert_int_equal(hak_transfer_put(SMALL, got, 30), 30);
    assert_ptr_equal(transfer->block[0], blocks[0]);
    /* 60 were not, and go in parts. */
    assert_in_range(hak_transfer_cool(transfer, heaps, 20), 20, 40);
    assert_in_range(hak_transfer_cool(transfer, heaps, 1000), 20, 40);
    assert_int_equal(transfer->count, 30);
    assert_memory_equal(transfer->block, got, 30 * sizeof *got);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(home_has(blocks[i]), i < 60);
    assert_int_equal(hak_transfer_cool(transfer, heaps, 1000), 30);
    assert_int_equal(transfer->count, 0);
    hak_heap_return_any(heaps, got + 30, 10);
}

/* Whichever heaps' blocks wait together: each goes to its own. */
static void each_goes_to_its_own_heap(void **state) {
    enum { COUNT = 7 * HEAPS };
    void *blocks[COUNT];
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        for (unsigned all = 0; all < 2; all++) {
            heaps_take_mixed(c, COUNT, blocks);
            unsigned put = hak_transfer_put(c, blocks, COUNT);
            assert_int_equal(put, COUNT < hak_transfers[c].room ? COUNT : hak_transfers[c].room);
            assert_int_equal(hak_transfer_cool(&hak_transfers[c], heaps, COUNT), 0);
            if (all != 0)
                hak_transfer_empty(&hak_transfers[c], heaps);
            else
                assert_int_equal(hak_transfer_cool(&hak_transfers[c], heaps, COUNT), put);
            for (unsigned i = 0; i < COUNT; i++)
                assert_int_equal(home_has(blocks[i]), i < put);
            hak_heap_return_any(heaps, blocks + put, COUNT - put);
            assert_int_equal(hak_view.active_bytes, 0);
        }
    }
}

/* ---- whose they were ---- */

static struct {
    unsigned c, count, done;
    void **blocks;
    bool takes, by_another;
} deal;

static void *make_deal(void *unused) {
    if (deal.takes)
        deal.done = hak_transfer_take(deal.c, deal.count, deal.blocks, &deal.by_another);
    else
        deal.done = hak_transfer_put(deal.c, deal.blocks, deal.count);
    return unused;
}

/* What another thread does meanwhile. */
static void let_another(bool take_them, unsigned c, void **blocks, unsigned count, unsigned expected) {
    pthread_t thread;
    deal.takes = take_them;
    deal.c = c;
    deal.blocks = blocks;
    deal.count = count;
    assert_int_equal(pthread_create(&thread, NULL, make_deal, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(deal.done, expected);
}

static void expect_by_another(unsigned c, unsigned want, void **blocks) {
    bool by_another = false;
    assert_int_equal(hak_transfer_take(c, want, blocks, &by_another), want);
    assert_true(by_another);
}

/* Who put some last stands for all that are there, whatever heap they are of. */
static void it_says_whether_another_put_some_last(void **state) {
    void *blocks[6], *got[2];
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c += 8) {
        heaps_take_mixed(c, 6, blocks);
        assert_int_equal(hak_transfer_put(c, blocks, 2), 2);
        assert_int_equal(take(c, 1, blocks + 1), 1);
        let_another(false, c, blocks + 2, 3, 3);
        expect_by_another(c, 1, blocks + 4);
        expect_by_another(c, 1, blocks + 3);
        assert_int_equal(hak_transfer_put(c, blocks + 3, 1), 1);
        let_another(true, c, blocks + 3, 1, 1);
        assert_true(deal.by_another);
        assert_int_equal(take(c, 2, got), 2);
        assert_ptr_equal(got[0], blocks[0]);
        assert_ptr_equal(got[1], blocks[2]);
        assert_int_equal(take(c, 1, blocks), 0);
        hak_heap_return_any(heaps, blocks, 6);
    }
}

/* Who puts none changes nothing of that, and who gets none learns nothing. */
static void who_is_refused_does_not_count(void **state) {
    void *blocks[HAK_TRANSFER_BYTES / HAK_MID_MAX + 1], *got[1];
    enum { ROOM = sizeof blocks / sizeof *blocks - 1 };
    struct transfer *transfer = &hak_transfers[LARGEST];
    (void)state;
    heaps_take_mixed(LARGEST, ROOM + 1, blocks);
    assert_int_equal(hak_transfer_put(LARGEST, blocks, ROOM), ROOM);
    let_another(false, LARGEST, blocks + ROOM, 1, 0); /* it is full */
    assert_int_equal(take(LARGEST, 1, got), 1);
    let_another(false, LARGEST, blocks, 0, 0);
    let_another(true, LARGEST, got, 0, 0);
    assert_false(deal.by_another);
    hak_options.purge_delay = 0;
    let_another(false, LARGEST, blocks + ROOM, 1, 0);
    hak_options.purge_delay = 1000;
    transfer->busy = UINT32_MAX;
    let_another(false, LARGEST, blocks + ROOM, 1, 0);
    let_another(true, LARGEST, got, 1, 0);
    assert_false(deal.by_another);
    transfer->busy = 0;
    assert_int_equal(take(LARGEST, 1, got), 1);
    hak_heap_return_any(heaps, blocks + ROOM - 2, 3);
}

/* ---- at the same time ---- */

enum { THREADS = 4, ROUNDS = 4000, HELD = 64 };

/* Takes and puts; each block has its holder's mark. */
static void *work(void *argument) {
    uint64_t random = (uintptr_t)argument;
    void *held[HELD];
    unsigned count = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned want = 1 + unit_below(&random, 16), heap = 1 + round % HEAPS;
        bool by_another;
        unsigned got = hak_transfer_take(SMALL, want, held + count, &by_another);
        if (got == 0)
            got = hak_heap_take(heaps[heap], SMALL, want, held + count);
        EXPECT(got <= want);
        for (; got > 0; got--, count++)
            unit_fill(held[count], 64, 64, (uintptr_t)held[count] ^ (uintptr_t)argument);
        for (unsigned i = 0; i < count; i++)
            EXPECT(unit_holds(held[i], 64, 64, 64, (uintptr_t)held[i] ^ (uintptr_t)argument));
        unsigned give = unit_below(&random, count + 1);
        unsigned put = hak_transfer_put(SMALL, held, give);
        EXPECT(put <= give);
        count -= put;
        memmove(held, held + put, count * sizeof *held);
        if (round % 64 == 0)
            (void)hak_transfer_cool(&hak_transfers[SMALL], heaps, 50);
        if (count > 40) {
            hak_heap_return_any(heaps, held + 40, count - 40);
            count = 40;
        }
    }
    hak_heap_return_any(heaps, held, count);
    return NULL;
}

static void each_block_has_one_holder(void **state) {
    pthread_t threads[THREADS];
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static int start(void **state) {
    (void)state;
    hak_heap_on_bad_block = note_bad;
    return heaps_start() ? 0 : -1;
}

#define TEST(function) cmocka_unit_test_teardown(function, all_is_back)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_came_last_goes_first),
        TEST(without_memory_there_is_no_room),
        TEST(no_block_is_touched),
        TEST(there_is_so_much_room),
        TEST(nobody_waits),
        TEST(a_forks_child_is_not_kept_out),
        TEST(a_forks_child_cools_what_is_there),
        TEST(the_same_twice_in_a_row_is_seen),
        TEST(what_is_not_wanted_goes_home),
        TEST(each_goes_to_its_own_heap),
        TEST(it_says_whether_another_put_some_last),
        TEST(who_is_refused_does_not_count),
        TEST(each_block_has_one_holder),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
