/* transfer_test.c
 * Purpose.     A transfer cache gives what it was given, each block once: how many, in what order, to whom; what it
 *              refuses, what it sees of misuse, and what goes home when.
 * Design.      Blocks are taken from heaps of the test's own: what is missing at the end shows as memory in use.
 */
#include "support/expect.h"
#include "support/heaps.h"
#include "support/unit.h"

#include <pthread.h>

#include "base/options.h"
#include "heap/outbox.h"
#include "heap/slab.h"
#include "heap/transfer.h"
#include "segment/view.h"

enum { SHARED = HAK_HOME_CLASSES, HOME = HAK_HOME_CLASSES - 1, LARGEST = HAK_CLASS_COUNT - 1 };

static const void *bad;
static unsigned bad_count;

static void note_bad(const void *block) {
    bad = block;
    bad_count++;
}

static struct block *take(unsigned heap, unsigned c, unsigned count) {
    struct block *chain = NULL;
    for (unsigned got; count > 0; count -= got)
        assert_true((got = hak_heap_take_more(heaps[heap], c, count, &chain)) > 0);
    return chain;
}

static unsigned length(const struct block *chain) {
    unsigned count = 0;
    for (; chain != NULL; chain = chain->next)
        count++;
    return count;
}

static int all_is_back(void **state) {
    (void)state;
    heaps_empty_transfers();
    return hak_view.active_bytes != 0 || bad_count != 0;
}

static void give_home(unsigned heap, struct block *chain) {
    struct block *others = NULL;
    assert_null(hak_heap_return(heaps[heap], chain, length(chain), &others));
    assert_null(others);
}

/* ---- one after the other ---- */

static void what_came_last_goes_first(void **state) {
    const unsigned classes[] = {1, HOME, SHARED, HAK_TINY_CLASSES, LARGEST};
    (void)state;
    for (unsigned i = 0; i < sizeof classes / sizeof *classes; i++) {
        unsigned c = classes[i], count = 2, left = count;
        struct transfer *transfer = transfer_of(heaps[1], c);
        assert_ptr_equal(transfer, c < HAK_HOME_CLASSES ? &heaps[1]->transfer[c] : &hak_transfers[c]);
        struct block *early = take(1, c, count), *late = take(1, c, count), *got = NULL;
        struct block *first_early = early, *first_late = late;
        assert_null(hak_transfer_put_chain(heaps[1], c, early, &left));
        assert_int_equal(left, 0);
        assert_true(transfer->room > count && transfer->room * size_class_bytes(c) <= HAK_TRANSFER_BYTES);
        left = 1;
        struct block *rest = late->next;
        assert_ptr_equal(hak_transfer_put_chain(heaps[1], c, late, &left), rest);
        assert_int_equal(transfer->count, count + 1);
        assert_int_equal(hak_transfer_take(transfer, 1, &got), 1);
        assert_ptr_equal(got, first_late);
        assert_null(got->next);
        got->next = rest;
        assert_int_equal(hak_transfer_take(transfer, 5, &got), count);
        assert_int_equal(length(got), 2 * count);
        assert_true(got == first_early || got->next == first_early);
        assert_ptr_equal(got->next->next, first_late);
        assert_int_equal(hak_transfer_take(transfer, 1, &got), 0);
        give_home(1, got);
    }
}

static void there_is_so_much_room(void **state) {
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c += 6) {
        struct transfer *transfer = transfer_of(heaps[1], c);
        struct block *chain = take(1, c, 1);
        unsigned left = 1;
        assert_null(hak_transfer_put_chain(heaps[1], c, chain, &left));
        hak_transfer_empty(transfer, heaps);
        unsigned room = transfer->room;
        chain = NULL;
        left = room + 3;
        assert_true(room == HAK_TRANSFER_BLOCKS || (room + 1) * size_class_bytes(c) > HAK_TRANSFER_BYTES);
        for (unsigned i = 0; i < room + 3; i++) {
            struct block *block = take(1, c, 1);
            block->next = chain;
            chain = block;
        }
        chain = hak_transfer_put_chain(heaps[1], c, chain, &left);
        assert_int_equal(left, 3);
        assert_int_equal(length(chain), 3);
        assert_int_equal(transfer->count, room);
        assert_ptr_equal(hak_transfer_put_chain(heaps[1], c, chain, &left), chain);
        assert_int_equal(left, 3);
        give_home(1, chain);
        chain = NULL;
        assert_int_equal(hak_transfer_take(transfer, UINT32_MAX, &chain), room);
        give_home(1, chain);
    }
}

/* Who finds another one at work goes on, and nothing waits where free memory is to go back at once. */
static void nobody_waits(void **state) {
    struct transfer *transfer = &hak_transfers[SHARED];
    struct block *chain = take(1, SHARED, 3), *got = NULL, *same = chain;
    unsigned left = 1;
    (void)state;
    chain = hak_transfer_put_chain(heaps[1], SHARED, chain, &left);
    transfer->busy = 1;
    left = 2;
    assert_ptr_equal(hak_transfer_put_chain(heaps[1], SHARED, chain, &left), chain);
    assert_int_equal(left, 2);
    assert_int_equal(hak_transfer_take(transfer, 1, &got), 0);
    hak_transfer_empty(transfer, heaps);
    assert_int_equal(hak_transfer_cool(transfer, heaps, 10), 0);
    assert_int_equal(transfer->count, 1);
    transfer->busy = 0;
    hak_options.purge_delay = 0;
    assert_ptr_equal(hak_transfer_put_chain(heaps[1], SHARED, chain, &left), chain);
    hak_options.purge_delay = 1000;
    assert_int_equal(hak_transfer_take(transfer, 2, &got), 1);
    assert_ptr_equal(got, same);
    got->next = chain;
    give_home(1, got);
}

/* In a fork's child only the forking thread may be at work, interrupted by a signal. */
static void a_forks_child_is_not_kept_out(void **state) {
    struct transfer transfer = {.busy = hak_lock_self() + 1};
    (void)state;
    hak_transfer_forked(&transfer, 7);
    assert_int_equal(transfer.busy, 0);
    transfer.busy = 7;
    hak_transfer_forked(&transfer, 7);
    assert_int_equal(transfer.busy, hak_lock_self());
}

/* Between two stores of a thread that is no more, `least` may be above `count`. */
static void a_forks_child_cools_what_is_there(void **state) {
    struct transfer *transfer = &hak_transfers[SHARED];
    unsigned left = 3;
    (void)state;
    assert_null(hak_transfer_put_chain(heaps[1], SHARED, take(1, SHARED, 3), &left));
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

/* A ring that is back at its head, or that is short: nothing of it is put. */
static void a_ring_is_seen(void **state) {
    (void)state;
    for (unsigned ring = 1; ring < HAK_FLUSH_MAX; ring++) {
        for (unsigned before = 0; before < (ring <= 20 ? 20 : 1); before++) {
            struct block *chain = take(1, SHARED, before + ring), *last = chain, *first = chain;
            unsigned left = HAK_FLUSH_MAX;
            for (unsigned i = 1; i < before + ring; i++)
                last = last->next;
            for (unsigned i = 0; i < before; i++)
                first = first->next;
            last->next = first;
            assert_null(hak_transfer_put_chain(heaps[1], SHARED, chain, &left));
            assert_int_equal(left, 0);
            assert_int_equal(hak_transfers[SHARED].count, 0);
            expect_bad(bad);
            last->next = NULL;
            give_home(1, chain);
        }
    }
}

static void what_is_of_another_class_is_seen(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        unsigned c = i == 0 ? HOME : SHARED, left = 3;
        struct block *good = take(1, c, 1), *other = take(1, c + 2, 1);
        good->next = other;
        assert_null(hak_transfer_put_chain(heaps[1], c, good, &left));
        assert_int_equal(left, 0);
        expect_bad(other);
        good->next = NULL;
        give_home(1, good);
        give_home(1, other);
    }
    /* A small one of another heap. */
    unsigned left = 1;
    struct block *foreign = take(2, HOME, 1);
    assert_null(hak_transfer_put_chain(heaps[1], HOME, foreign, &left));
    expect_bad(foreign);
    give_home(2, foreign);
}

/* One block twice, as two frees by one thread put it there. */
static void the_same_twice_in_a_row_is_seen(void **state) {
    static struct outbox outbox = {.most_bytes = HAK_OUTBOX_BYTES};
    bool refused[HAK_CLASS_COUNT] = {false};
    struct block *twice = take(1, SHARED, 1), *once = take(1, SHARED, 1), *added[] = {twice, twice, once};
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_false(outbox_add(&outbox, added[i], page_map_flat_get(added[i]), 16));
    hak_outbox_pass_on(&outbox, heaps, refused);
    expect_bad(twice);
    assert_int_equal(hak_transfers[SHARED].count, 2);
    assert_int_equal(outbox.count + outbox.bytes, 0);
}

/* ---- outboxes ---- */

/* Blocks of many classes and two heaps: each class's in its place, small ones in that of their heap, and what has no
 * room is left, with its entry. */
static void an_outbox_is_passed_on(void **state) {
    static struct outbox outbox = {.most_bytes = HAK_OUTBOX_BYTES};
    bool refused[HAK_CLASS_COUNT] = {false};
    unsigned put[HEAPS + 1][HAK_CLASS_COUNT] = {{0}};
    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        unsigned heap = 1 + (i + (i >= HEAPS * 40)) % HEAPS, c = 1 + i / HEAPS * 7 % 40;
        struct block *block = take(heap, c, 1);
        assert_false(outbox_add(&outbox, block, page_map_flat_get(block), 16));
        put[c < HAK_HOME_CLASSES ? heap : 0][c]++;
    }
    for (unsigned i = 0; i < HAK_TRANSFER_BYTES / HAK_MID_MAX + 1; i++) {
        struct block *block = take(1, LARGEST, 1);
        assert_false(outbox_add(&outbox, block, page_map_flat_get(block), 16));
    }
    hak_outbox_pass_on(&outbox, heaps, refused);
    assert_int_equal(outbox.count + outbox.bytes, 0);
    for (unsigned c = 1; c <= 40; c++) {
        for (unsigned heap = 1; heap <= HEAPS && c < HAK_HOME_CLASSES; heap++)
            assert_int_equal(heaps[heap]->transfer[c].count, put[heap][c]);
        assert_true(c < HAK_HOME_CLASSES || hak_transfers[c].count == put[0][c]);
    }
    assert_int_equal(hak_transfers[LARGEST].count, hak_transfers[LARGEST].room);
    assert_false(refused[LARGEST]);
    struct block *block = take(1, LARGEST, 1);
    assert_false(outbox_add(&outbox, block, page_map_flat_get(block), 16));
    hak_outbox_pass_on(&outbox, heaps, refused);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        assert_int_equal(refused[c], c == LARGEST);
}

static void add(struct outbox *outbox, unsigned heap, unsigned c, unsigned count) {
    for (; count > 0; count--) {
        struct block *block = take(heap, c, 1);
        assert_false(outbox_add(outbox, block, page_map_flat_get(block), 16));
    }
}

/* Blocks at the end that are all alike; with others, or none, in front of them. */
static void blocks_of_one_kind_go_together(void **state) {
    static struct outbox outbox = {.most_bytes = HAK_OUTBOX_BYTES};
    bool refused[HAK_CLASS_COUNT] = {false};
    (void)state;
    for (unsigned others = 0; others < 3; others++) {
        /* Small ones each to their heap. */
        add(&outbox, 1, 1, others);
        add(&outbox, 2, HOME, 7);
        add(&outbox, 1, HOME, 20);
        hak_outbox_pass_on(&outbox, heaps, refused);
        assert_int_equal(heaps[1]->transfer[HOME].count, 20);
        assert_int_equal(heaps[2]->transfer[HOME].count, 7);
        assert_int_equal(heaps[1]->transfer[1].count, others);
        for (unsigned i = 0; i < 27; i++)
            assert_int_equal(entry_heap_id(hak_slab_entry_of(heaps[1 + i / 20]->transfer[HOME].block[i % 20])),
                             1 + i / 20);
        /* Everybody's, of both heaps. */
        add(&outbox, 1, 1, others);
        add(&outbox, 2, SHARED, 7);
        add(&outbox, 1, SHARED, 20);
        add(&outbox, 2, SHARED, 3);
        hak_outbox_pass_on(&outbox, heaps, refused);
        assert_int_equal(hak_transfers[SHARED].count, 30);
        assert_int_equal(outbox.count + outbox.bytes, 0);
        heaps_empty_transfers();
        assert_int_equal(hak_view.active_bytes, 0);
    }
    assert_false(refused[1] || refused[HOME] || refused[SHARED]);
}

/* As many as there is room for; the others go home, and those in front of them to their places. */
static void what_has_no_room_goes_home(void **state) {
    static struct outbox outbox = {.most_bytes = HAK_OUTBOX_BYTES};
    bool refused[HAK_CLASS_COUNT] = {false};
    unsigned room = HAK_TRANSFER_BYTES / HAK_MID_MAX;
    (void)state;
    for (unsigned others = 0; others < 3; others++) {
        for (unsigned times = 0; times < 2; times++) {
            assert_false(refused[LARGEST]);
            add(&outbox, 2, SHARED, others);
            add(&outbox, 1, LARGEST, room / 2 + 3);
            hak_outbox_pass_on(&outbox, heaps, refused);
            assert_int_equal(outbox.count + outbox.bytes, 0);
            assert_int_equal(hak_transfers[SHARED].count, others * (times + 1));
        }
        assert_int_equal(hak_transfers[LARGEST].count, room);
        uint64_t bytes = hak_view.active_bytes;
        add(&outbox, 2, SHARED, others);
        add(&outbox, 1, LARGEST, 5);
        hak_outbox_pass_on(&outbox, heaps, refused);
        assert_true(refused[LARGEST] && !refused[SHARED]);
        assert_int_equal(hak_transfers[SHARED].count, others * 3);
        assert_int_equal(hak_view.active_bytes, bytes);
        refused[LARGEST] = false;
        heaps_empty_transfers();
        assert_int_equal(hak_view.active_bytes, 0);
    }
}

/* ---- the way home ---- */

static void what_is_not_wanted_goes_home(void **state) {
    struct transfer *transfer = &hak_transfers[SHARED];
    struct block *chain = take(1, SHARED, 100), *got = NULL;
    unsigned left = 100;
    (void)state;
    assert_null(hak_transfer_put_chain(heaps[1], SHARED, chain, &left));
    struct block *oldest = transfer->block[0];
    assert_int_equal(hak_transfer_cool(transfer, heaps, 1000), 0); /* nobody has had the time to want them */
    assert_int_equal(transfer->count, 100);
    assert_int_equal(hak_transfer_take(transfer, 40, &got), 40);
    struct block *put_again = got;
    left = 30;
    got = hak_transfer_put_chain(heaps[1], SHARED, got, &left);
    assert_ptr_equal(transfer->block[0], oldest);
    /* 60 were not, and go in parts. */
    assert_in_range(hak_transfer_cool(transfer, heaps, 20), 20, 40);
    assert_in_range(hak_transfer_cool(transfer, heaps, 1000), 20, 40);
    assert_int_equal(transfer->count, 30);
    assert_ptr_equal(transfer->block[0], put_again);
    assert_int_equal(hak_transfer_cool(transfer, heaps, 1000), 30);
    assert_int_equal(transfer->count, 0);
    give_home(1, got);
}

/* ---- at the same time ---- */

enum { THREADS = 4, ROUNDS = 4000 };

/* Takes and puts; each block has its holder's mark. */
static void *work(void *argument) {
    static _Thread_local struct outbox outbox = {.most_bytes = HAK_OUTBOX_BYTES};
    bool refused[HAK_CLASS_COUNT];
    uint64_t random = (uintptr_t)argument;
    struct block *held = NULL;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct block *got = NULL;
        unsigned want = 1 + unit_below(&random, 16);
        if (hak_transfer_take(&hak_transfers[SHARED], want, &got) == 0)
            (void)!hak_heap_take(heaps[1 + round % HEAPS], SHARED, want, &got);
        while (got != NULL) {
            struct block *block = got;
            got = block->next;
            unit_fill((char *)block + sizeof *block, 64, 64, (uintptr_t)block ^ (uintptr_t)argument);
            block->next = held;
            held = block;
        }
        for (struct block *block = held; block != NULL; block = block->next)
            EXPECT(unit_holds((char *)block + sizeof *block, 64, 64, 64, (uintptr_t)block ^ (uintptr_t)argument));
        unsigned count = length(held), left = unit_below(&random, count + 1), put = left;
        held = hak_transfer_put_chain(heaps[1 + round % HEAPS], SHARED, held, &left);
        EXPECT(left <= put && length(held) == count - (put - left));
        if (round % 64 == 0)
            (void)hak_transfer_cool(&hak_transfers[SHARED], heaps, 50);
        for (; length(held) > 40; held = got) {
            got = held->next;
            EXPECT(!outbox_add(&outbox, held, page_map_flat_get(held), 1));
        }
        hak_outbox_pass_on(&outbox, heaps, refused);
    }
    while (held != NULL) {
        struct block *block = held;
        held = block->next;
        hak_heap_return_remote(heaps[entry_heap_id(page_map_flat_get(block))], &block, 1);
    }
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
        TEST(there_is_so_much_room),
        TEST(nobody_waits),
        TEST(a_forks_child_is_not_kept_out),
        TEST(a_forks_child_cools_what_is_there),
        TEST(a_ring_is_seen),
        TEST(what_is_of_another_class_is_seen),
        TEST(the_same_twice_in_a_row_is_seen),
        TEST(an_outbox_is_passed_on),
        TEST(blocks_of_one_kind_go_together),
        TEST(what_has_no_room_goes_home),
        TEST(what_is_not_wanted_goes_home),
        TEST(each_block_has_one_holder),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
