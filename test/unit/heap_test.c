/* heap_test.c
 * Purpose.     A heap's blocks under contention: what goes out comes back, once, untouched, whoever brings it and
 *              whether the lock is free or not; an empty slab goes back to the superslab.
 */
#include "support/expect.h"
#include "support/fake_os.h"
#include "support/heaps.h"
#include "support/unit.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/options.h"
#include "heap/heap.h"
#include "heap/slab.h"
#include "segment/purge.h"
#include "segment/view.h"

enum { THREADS = 4, HELD = 600, MOST = 4096 };

static unsigned pending_length(const struct heap *heap) {
    unsigned length = 0;
    for (const struct block *block = heap->pending; block != NULL; block = block->next)
        length++;
    return length;
}

/* Every heap has all its blocks, so nothing is in use. */
static void check_all_is_back(void) {
    for (unsigned i = 1; i <= HEAPS; i++) {
        assert_null(heaps[i]->pending);
        assert_int_equal(heaps[i]->lock.word, 0);
        for (unsigned c = 0; c < HAK_CLASS_COUNT; c++)
            assert_true(list_is_empty(&heaps[i]->with_room[c]));
    }
    assert_int_equal(hak_view.active_bytes, 0);
    assert_int_equal(hak_view.slab_superslabs + hak_view.large_superslabs, 0);
}

static void check_entry(const void *block, uint32_t id, unsigned c) {
    assert_int_equal(page_map_flat_get(block), entry_make(id, c * (uint32_t)sizeof(struct hak_slot)));
}

/* Blocks of other heaps in the array are left at its front, wherever they stood; what is behind the count is left. */
static void blocks_of_others_are_left(void **state) {
    enum { OWNERS = 3, EACH = 20, RETURNED = 45 };
    void *taken[OWNERS][EACH], *blocks[OWNERS * EACH], *others[OWNERS * EACH];
    unsigned other_count = 0;
    (void)state;
    for (unsigned i = 0; i < OWNERS; i++)
        heaps_take(i + 1, 9, EACH, taken[i]);
    for (unsigned i = 0; i < OWNERS * EACH; i++) {
        blocks[i] = taken[i % OWNERS][i / OWNERS];
        if (i < RETURNED && i % OWNERS != 0)
            others[other_count++] = blocks[i];
    }
    assert_int_equal(hak_heap_return_array(heaps[1], blocks, 0), 0);
    assert_false(home_has(blocks[0]));
    assert_int_equal(hak_heap_return_array(heaps[1], blocks, RETURNED), other_count);
    assert_memory_equal(blocks, others, other_count * sizeof *blocks);
    for (unsigned i = 0; i < EACH; i++)
        assert_int_equal(home_has(taken[0][i]), i * OWNERS < RETURNED);
    for (unsigned i = 0; i < other_count; i++) {
        check_entry(others[i], 2 + i % 2, 9);
        assert_false(home_has(others[i]));
    }
    for (unsigned i = RETURNED; i < OWNERS * EACH; i++)
        assert_ptr_equal(blocks[i], taken[i % OWNERS][i / OWNERS]);
    unsigned of_third = hak_heap_return_array(heaps[2], blocks, other_count);
    assert_int_equal(of_third, other_count / 2);
    heaps_give(3, blocks, of_third);
    for (unsigned i = 1, left = OWNERS * EACH - RETURNED; i <= OWNERS; i++)
        left = hak_heap_return_array(heaps[i], &blocks[RETURNED], left);
    check_all_is_back();
}

/* So are they if a block between them empties its slab, each once: nothing is remembered of a slab that is gone. */
static void blocks_of_others_are_left_once(void **state) {
    enum { EACH = 40 };
    (void)state;
    for (unsigned empties = 0; empties < EACH; empties++) {
        void *mine[EACH], *others[EACH], *blocks[2 * EACH + 1];
        unsigned count = 0;
        heaps_take(1, 9, EACH, mine);
        heaps_take(2, 9, EACH, others);
        for (unsigned i = 0; i < EACH; i++) {
            if (i == empties)
                blocks[count++] = heaps_take_one(1, 10);
            blocks[count++] = mine[i];
            blocks[count++] = others[i];
        }
        assert_int_equal(hak_heap_return_array(heaps[1], blocks, count), EACH);
        assert_memory_equal(blocks, others, sizeof others);
        heaps_give(2, blocks, EACH);
        check_all_is_back();
    }
}

/* Blocks of any heaps, each to its own. */
static void each_goes_to_its_own_heap(void **state) {
    enum { COUNT = 60 };
    void *blocks[COUNT];
    (void)state;
    for (unsigned apart = 1; apart <= COUNT; apart++) {
        for (unsigned i = 0; i < COUNT; i++)
            blocks[i] = heaps_take_one(1 + i / apart % HEAPS, 1 + i % 12);
        hak_heap_return_any(heaps, blocks, 0);
        hak_heap_return_any(heaps, blocks, COUNT / 2);
        for (unsigned i = COUNT / 2; i < COUNT; i++)
            assert_false(home_has(blocks[i]));
        hak_heap_return_any(heaps, &blocks[COUNT / 2], COUNT / 2);
        check_all_is_back();
    }
}

static int by_address(const void *a, const void *b) {
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return x < y ? -1 : x > y;
}

/* All of a class that are taken lie apart, in slabs that say whose they are. */
static void takes_and_returns_of_every_class(void **state) {
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        enum { COUNT = 100 };
        void *blocks[COUNT];
        heaps_take(1, c, COUNT, blocks);
        for (unsigned i = 0; i < COUNT; i++) {
            check_entry(blocks[i], 1, c);
            assert_int_equal(slab_class(hak_slab_of(blocks[i])), c);
            assert_int_equal(((uintptr_t)blocks[i] - hak_slab_of(blocks[i])->base) % size_class_bytes(c), 0);
        }
        qsort(blocks, COUNT, sizeof *blocks, by_address);
        for (unsigned i = 1; i < COUNT; i++)
            assert_true((uintptr_t)blocks[i] - (uintptr_t)blocks[i - 1] >= size_class_bytes(c));
        heaps_give(1, blocks, COUNT);
        check_all_is_back();
    }
}

/* Who uses the array from its end uses memory from its start; of several slabs, the first that had room first. */
static void the_lowest_block_stands_last(void **state) {
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        static void *slab[MOST];
        void *blocks[17];
        unsigned capacity = hak_size_class[c].capacity, few = 4;
        blocks[4] = NULL;
        assert_int_equal(hak_heap_take(heaps[1], c, few, blocks), few);
        assert_null(blocks[4]);
        uintptr_t base = hak_slab_of(blocks[0])->base;
        for (unsigned i = 0; i < few; i++)
            assert_int_equal((uintptr_t)blocks[few - 1 - i], base + i * size_class_bytes(c));
        heaps_give(1, blocks, few);
        /* The two lowest of a full slab are free, and one in the middle of another. */
        heaps_take(1, c, capacity, slab);
        qsort(slab, capacity, sizeof *slab, by_address);
        void *one = NULL, *whole[MOST];
        heaps_take(1, c, capacity, whole);
        one = whole[capacity / 2];
        heaps_give(1, &one, 1);
        heaps_give(1, slab, 2);
        assert_int_equal(hak_heap_take(heaps[1], c, 6, blocks), 3);
        assert_ptr_equal(blocks[2], slab[0]);
        assert_ptr_equal(blocks[1], slab[1]);
        assert_ptr_equal(blocks[0], one);
        heaps_give(1, slab, capacity);
        heaps_give(1, whole, capacity);
        check_all_is_back();
    }
}

/* Nearly full slabs add up, but half of what is wanted is worth no further one. */
static void half_of_what_is_wanted_will_do(void **state) {
    enum { CLASS = 5, WANT = 10 };
    static void *blocks[MOST], *got[WANT];
    unsigned capacity = hak_size_class[CLASS].capacity;
    (void)state;
    for (unsigned free_ones = 1; free_ones < WANT; free_ones++) {
        heaps_take(1, CLASS, capacity, blocks);
        uint64_t bytes = hak_view.active_bytes;
        heaps_give(1, blocks, free_ones);
        unsigned expected = free_ones < WANT / 2 ? WANT : free_ones;
        assert_int_equal(hak_heap_take(heaps[1], CLASS, WANT, got), expected);
        assert_int_equal(hak_view.active_bytes > bytes, free_ones < WANT / 2);
        heaps_give(1, got, expected);
        heaps_give(1, &blocks[free_ones], capacity - free_ones);
        check_all_is_back();
    }
}

/* Neither who takes blocks nor who returns them needs their memory, as long as the lock is free. */
static void no_block_is_touched(void **state) {
    enum { COUNT = 24 };
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        void *kept = heaps_take_one(1, c), *blocks[COUNT];
        struct slab *slab = hak_slab_of(kept);
        void *memory = (void *)slab->base;
        unsigned count = slab->free_count < COUNT ? slab->free_count : COUNT;
        size_t bytes = slab->granules * HAK_GRANULE_SIZE;
        assert_int_equal(mprotect(memory, bytes, PROT_NONE), 0);
        for (unsigned round = 0; round < 4; round++) {
            assert_int_equal(hak_heap_take(heaps[1], c, count, blocks), count);
            for (unsigned i = 0; i < count; i++)
                assert_ptr_equal(hak_slab_of(blocks[i]), slab);
            if (round == 0)
                heaps_give(1, blocks, count);
            else if (round == 1)
                hak_heap_return_remote(heaps[1], blocks, count);
            else /* others' */
                assert_int_equal(hak_heap_return_array(heaps[2], blocks, count), count);
            if (round == 2)
                heaps_give(1, blocks, count);
        }
        heaps_give(1, blocks, count);
        assert_int_equal(mprotect(memory, bytes, PROT_READ | PROT_WRITE), 0);
        heaps_give(1, &kept, 1);
        check_all_is_back();
    }
}

static void a_slab_is_listed_iff_it_has_room(void **state) {
    static void *blocks[MOST];
    unsigned c = size_class_of(8192);
    unsigned capacity = hak_size_class[c].capacity;
    (void)state;
    heaps_take(2, c, capacity - 1, blocks);
    assert_false(list_is_empty(&heaps[2]->with_room[c]));
    void *last = heaps_take_one(2, c);
    assert_ptr_equal(hak_slab_of(last), hak_slab_of(blocks[0]));
    assert_true(list_is_empty(&heaps[2]->with_room[c]));
    heaps_give(2, blocks, 1);
    assert_ptr_equal(heaps[2]->with_room[c].next, &hak_slab_of(last)->link);
    heaps_give(2, blocks + 1, capacity - 2);
    heaps_give(2, &last, 1);
    check_all_is_back();
}

/* What is returned while the lock is taken waits on the pending stack, for whoever looks next. */
static void blocks_wait_while_the_lock_is_taken(void **state) {
    void *first[8], *second[8];
    unsigned c = size_class_of(100);
    (void)state;
    for (unsigned who = 0; who < 3; who++) {
        heaps_take(1, c, 8, first);
        heaps_take(1, c, 8, second);
        lock_acquire(&heaps[1]->lock);
        hak_heap_return_remote(heaps[1], first, 8);
        if (who == 0)
            hak_heap_return_remote(heaps[1], second, 5);
        assert_int_equal(pending_length(heaps[1]), who == 0 ? 13 : 8);
        lock_release(&heaps[1]->lock);
        if (who == 0) {
            hak_heap_collect(heaps[1]);
            heaps_give(1, &second[5], 3);
        } else if (who == 1) {
            heaps_give(1, second, 8);
        } else {
            void *third = heaps_take_one(1, c);
            assert_null(heaps[1]->pending);
            hak_heap_return_remote(heaps[1], second, 8);
            hak_heap_return_remote(heaps[1], &third, 1);
        }
        check_all_is_back();
    }
}

static void without_memory_there_are_no_blocks(void **state) {
    void *blocks[30] = {blocks};
    (void)state;
    lock_acquire(hak_arena_lock());
    (void)hak_arena_release_unused();
    lock_release(hak_arena_lock());
    fake_os_fail(FAKE_OS_BIT(RESERVE_ALIGNED), 1, UINT64_MAX);
    assert_int_equal(hak_heap_take(heaps[1], 7, 30, blocks), 0);
    fake_os_succeed();
    assert_ptr_equal(blocks[0], blocks);
    check_all_is_back();
    heaps_take(1, 7, 30, blocks);
    heaps_give(1, blocks, 30);
}

static void tiny_slabs_may_come_from_the_space_of_large_blocks(void **state) {
    (void)state;
    hak_options.tiny_use_superslab = 0;
    void *tiny = heaps_take_one(1, HAK_TINY_CLASSES), *mid = heaps_take_one(1, HAK_TINY_CLASSES + 1);
    assert_int_equal(hak_superslab_of(tiny)->pool, POOL_LARGE);
    assert_int_equal(hak_superslab_of(mid)->pool, POOL_MID);
    hak_options.tiny_use_superslab = 1;
    heaps_give(1, &tiny, 1);
    heaps_give(1, &mid, 1);
    check_all_is_back();
}

static const void *bad_block;

static void note_bad_block(const void *p) {
    assert_null(bad_block);
    bad_block = p;
}

static void expect_bad(const void *p) {
    assert_ptr_equal(bad_block, p);
    bad_block = NULL;
}

static void *inside(void *block) {
    return (char *)block + 16;
}

/* A block that comes back twice, in the middle of others, to the wrong heap or after its slab is gone is told of, and
 * the others are taken. */
static void bad_blocks_are_told_of(void **state) {
    void *a[3];
    (void)state;
    heaps_take(1, 4, 3, a);
    hak_heap_return_remote(heaps[1], (void *[]){a[0], a[1], a[0]}, 3);
    expect_bad(a[0]);
    void *in = inside(a[2]);
    hak_heap_return_remote(heaps[1], &in, 1);
    expect_bad(in);
    hak_heap_return_remote(heaps[2], &a[2], 1);
    expect_bad(a[2]);
    hak_heap_return_remote(heaps[1], (void *[]){a[2], a[2]}, 2);
    expect_bad(a[2]);
    check_all_is_back();
}

/* In an array as well: near to each other or not, where others' are left, and what is nobody's. */
static void bad_blocks_in_an_array_are_told_of(void **state) {
    enum { COUNT = 30 };
    void *blocks[COUNT + 1], *nobodys = blocks;
    (void)state;
    for (unsigned first = 0; first < COUNT; first++) {
        for (unsigned second = first + 1; second <= COUNT; second++) {
            void *kept = heaps_take_one(1, 4);
            heaps_take(1, 4, COUNT, blocks);
            memmove(&blocks[second + 1], &blocks[second], (COUNT - second) * sizeof *blocks);
            void *twice = blocks[second] = blocks[first];
            heaps_give(1, blocks, COUNT + 1);
            expect_bad(twice);
            heaps_give(1, &kept, 1);
            check_all_is_back();
        }
    }
    void *twice = heaps_take_one(1, 4), *others = heaps_take_one(2, 4);
    assert_int_equal(hak_heap_return_array(heaps[1], (void *[]){twice, twice}, 2), 0);
    expect_bad(twice);
    void *mine = heaps_take_one(1, 4), *array[] = {inside(mine), others, mine};
    assert_int_equal(hak_heap_return_array(heaps[1], array, 3), 1);
    assert_ptr_equal(array[0], others);
    expect_bad(inside(mine));
    mine = heaps_take_one(1, 4);
    void *with_nobodys[] = {mine, nobodys, others};
    assert_int_equal(hak_heap_return_array(heaps[1], with_nobodys, 3), 1);
    assert_ptr_equal(with_nobodys[0], others);
    expect_bad(nobodys);
    heaps_give(2, &others, 1);
    check_all_is_back();
    void *of_all[] = {heaps_take_one(1, 4), heaps_take_one(2, 4), nobodys, heaps_take_one(1, 4)};
    hak_heap_return_any(heaps, of_all, 4);
    expect_bad(nobodys);
    check_all_is_back();
}

/* One that is pushed twice makes a ring of the pending stack: nothing behind it is believed. */
static void a_ring_on_the_pending_stack_ends(void **state) {
    void *a[2];
    (void)state;
    heaps_take(1, 4, 2, a);
    lock_acquire(&heaps[1]->lock);
    hak_heap_return_remote(heaps[1], a, 2);
    hak_heap_return_remote(heaps[1], a, 1);
    lock_release(&heaps[1]->lock);
    hak_heap_collect(heaps[1]);
    expect_bad(a[0]);
    assert_true(home_has(a[0]) && !home_has(a[1]));
    heaps_give(1, &a[1], 1);
    check_all_is_back();
}

/* Each block has its holder's mark. */
static void *work(void *argument) {
    uint64_t random = (uintptr_t)argument;
    static _Thread_local void *held[HELD];
    static _Thread_local unsigned classes[HELD];
    unsigned count = 0;
    for (unsigned step = 0; step < 6000; step++) {
        unsigned heap = 1 + unit_below(&random, HEAPS);
        unsigned c = 1 + unit_below(&random, 20) * 5;
        if (count + 16 < HELD && unit_below(&random, 2) == 0) {
            unsigned want = 1 + unit_below(&random, 16), got = hak_heap_take(heaps[heap], c, want, &held[count]);
            EXPECT(got > 0 && got <= want);
            for (; got > 0; got--, count++) {
                classes[count] = c;
                unit_fill(held[count], size_class_bytes(c), 256, (uintptr_t)held[count] + (uintptr_t)argument);
            }
        }
        void *freed[8];
        unsigned freed_count = 0;
        while (freed_count < 8 && count > 0) {
            unsigned at = unit_below(&random, count);
            size_t size = size_class_bytes(classes[at]);
            EXPECT(unit_holds(held[at], size, size, 256, (uintptr_t)held[at] + (uintptr_t)argument));
            EXPECT(entry_class(page_map_flat_get(held[at])) == classes[at]);
            freed[freed_count++] = held[at];
            held[at] = held[--count];
            classes[at] = classes[count];
        }
        if (unit_below(&random, 2) == 0)
            freed_count = hak_heap_return_array(heaps[heap], freed, freed_count);
        hak_heap_return_any(heaps, freed, freed_count);
    }
    hak_heap_return_any(heaps, held, count);
    return NULL;
}

static void under_contention_counts_add_up(void **state) {
    pthread_t threads[THREADS];
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(i * 100 + 1)), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    check_all_is_back();
}

static int start(void **state) {
    (void)state;
    hak_heap_on_bad_block = note_bad_block;
    if (!heaps_start())
        return -1;
    for (uint32_t i = 1; i <= HEAPS; i++)
        if (heaps[i]->id != i)
            return -1;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_and_returns_of_every_class),
        cmocka_unit_test(the_lowest_block_stands_last),
        cmocka_unit_test(half_of_what_is_wanted_will_do),
        cmocka_unit_test(no_block_is_touched),
        cmocka_unit_test(a_slab_is_listed_iff_it_has_room),
        cmocka_unit_test(blocks_wait_while_the_lock_is_taken),
        cmocka_unit_test(without_memory_there_are_no_blocks),
        cmocka_unit_test(tiny_slabs_may_come_from_the_space_of_large_blocks),
        cmocka_unit_test(each_goes_to_its_own_heap),
        cmocka_unit_test(blocks_of_others_are_left),
        cmocka_unit_test(blocks_of_others_are_left_once),
        cmocka_unit_test(bad_blocks_are_told_of),
        cmocka_unit_test(bad_blocks_in_an_array_are_told_of),
        cmocka_unit_test(a_ring_on_the_pending_stack_ends),
        cmocka_unit_test(under_contention_counts_add_up),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
