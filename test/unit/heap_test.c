/* heap_test.c
 * Purpose.     A heap's blocks under contention: what goes out comes back, once, whoever brings it and whether the lock
 *              is free or not; an empty slab goes back to the superslab.
 */
#include "support/expect.h"
#include "support/fake_os.h"
#include "support/unit.h"

#include <pthread.h>

#include "base/options.h"
#include "heap/heap.h"
#include "heap/outbox.h"
#include "heap/slab.h"
#include "segment/purge.h"
#include "segment/view.h"

enum { HEAPS = 3, THREADS = 4, HELD = 600 };

static struct heap *heaps[HEAPS + 1];

static unsigned chain_length(const struct block *chain) {
    unsigned length = 0;
    for (; chain != NULL; chain = chain->next) {
        length++;
    }
    return length;
}

static void give_back(struct heap *heap, struct block *chain) {
    struct block *others = NULL;
    assert_null(hak_heap_return(heap, chain, chain_length(chain), &others));
    assert_null(others);
}

/* The same without waiting. */
static void give_back_remote(struct heap *heap, struct block *chain) {
    struct block *blocks[8];
    unsigned count = 0;
    for (; chain != NULL; chain = chain->next) {
        assert_true(count < 8);
        blocks[count++] = chain;
    }
    hak_heap_return_remote(heap, blocks, count);
}

/* Every heap has all its blocks, so nothing is in use. */
static void check_all_is_back(void) {
    for (unsigned i = 1; i <= HEAPS; i++) {
        assert_null(heaps[i]->pending);
        assert_int_equal(heaps[i]->lock.word, 0);
        for (unsigned c = 0; c < HAK_CLASS_COUNT; c++) {
            assert_true(list_is_empty(&heaps[i]->with_room[c]));
            assert_int_equal(heaps[i]->slabs[c], 0);
        }
    }
    assert_int_equal(hak_view.active_bytes, 0);
    assert_int_equal(hak_view.slab_superslabs + hak_view.large_superslabs, 0);
}

/* So many, however many calls that takes. */
static struct block *take(struct heap *heap, unsigned c, unsigned count) {
    struct block *all = NULL, *chain;
    while (count > 0) {
        unsigned got = hak_heap_take(heap, c, count, &chain);
        assert_in_range(got, 1, count < HAK_BATCH_MAX ? count : HAK_BATCH_MAX);
        count -= got;
        while (chain != NULL) {
            struct block *block = chain;
            chain = block->next;
            block->next = all;
            all = block;
        }
    }
    return all;
}

/* Its slab is everybody's, or the heap's threads' alone. */
static void check_entry(const struct block *block, uint32_t id, unsigned c) {
    uint32_t pattern = size_class_bytes(c) >= HAK_SHARED_MIN_BYTES ? ENTRY_PATTERN_ALL : hak_page_map_pattern(id);
    assert_int_equal(page_map_flat_get(block), entry_make(id, pattern, c * (uint32_t)sizeof(struct hak_slot)));
}

/* Blocks of another heap in the chain are handed back, wherever they stand; what is behind the count is left. */
static void blocks_of_others_are_handed_back(void **state) {
    enum { EACH = 20, RETURNED = 30 };
    struct block *taken[2], *chain = NULL, *others = NULL;
    (void)state;
    assert_int_equal(hak_heap_take(heaps[1], 9, EACH, &taken[0]), EACH);
    assert_int_equal(hak_heap_take(heaps[2], 9, EACH, &taken[1]), EACH);
    for (unsigned i = 0; i < 2 * EACH; i++) {
        struct block *block = taken[i % 2];
        taken[i % 2] = block->next;
        block->next = chain;
        chain = block;
    }
    struct block *rest = hak_heap_return(heaps[1], chain, RETURNED, &others);
    assert_int_equal(chain_length(others), RETURNED / 2);
    for (const struct block *block = others; block != NULL; block = block->next) {
        check_entry(block, 2, 9);
    }
    give_back(heaps[2], others);
    assert_int_equal(chain_length(rest), 2 * EACH - RETURNED);
    others = NULL;
    assert_null(hak_heap_return(heaps[1], rest, 2 * EACH - RETURNED, &others));
    give_back(heaps[2], others);
    check_all_is_back();
}

/* So are they if a block between them empties its slab, each once: nothing is remembered of a slab that is gone. */
static void blocks_of_others_are_handed_back_once(void **state) {
    enum { EACH = 40 };
    (void)state;
    for (unsigned empties = 0; empties < EACH; empties++) {
        struct block *taken[3], *blocks[2 * EACH + 1], *others = NULL;
        unsigned count = 0;
        assert_int_equal(hak_heap_take(heaps[1], 9, EACH, &taken[0]), EACH);
        assert_int_equal(hak_heap_take(heaps[2], 9, EACH, &taken[1]), EACH);
        assert_int_equal(hak_heap_take(heaps[1], 10, 1, &taken[2]), 1);
        for (unsigned i = 0; i < 2 * EACH; i++) {
            if (i == empties)
                blocks[count++] = taken[2];
            blocks[count++] = taken[i % 2];
            taken[i % 2] = taken[i % 2]->next;
        }
        hak_heap_return_array(heaps[1], blocks, count, &others);
        assert_int_equal(chain_length(others), EACH);
        give_back(heaps[2], others);
        check_all_is_back();
    }
}

/* A refill takes a page at a time of what was never used: of the first slabs of a Tiny class, and of all Mid ones. What
 * was used before, and slabs of memory that was, are taken as they come. */
static void fresh_memory_is_taken_by_the_page(void **state) {
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        unsigned size = (unsigned)size_class_bytes(c), page = HAK_FRESH_BYTES / size, want = hak_size_class[c].capacity;
        struct block *chains[HAK_FRESH_SLABS + 1] = {NULL}, *chain = NULL;
        unsigned batch = want < HAK_BATCH_MAX ? want : HAK_BATCH_MAX, few = page < batch ? page > 0 ? page : 1 : batch;
        (void)hak_purge_all();
        assert_int_equal(hak_heap_take_more(heaps[1], c, want, &chain), few);
        assert_int_equal(hak_heap_take_more(heaps[1], c, want, &chain), few < want - few ? few : want - few);
        give_back(heaps[1], chain);
        /* The slab went back as well, and is not fresh any more. */
        chain = NULL;
        assert_in_range(hak_heap_take_more(heaps[1], c, want, &chain), batch / 2, batch);
        give_back(heaps[1], chain);
        (void)hak_purge_all();
        for (unsigned i = 0; i < HAK_FRESH_SLABS - 1; i++)
            chains[i] = take(heaps[1], c, want);
        assert_int_equal(hak_heap_take_more(heaps[1], c, want, &chains[HAK_FRESH_SLABS - 1]), few);
        assert_int_equal(heaps[1]->slabs[c], HAK_FRESH_SLABS);
        chain = NULL;
        chains[HAK_FRESH_SLABS] = take(heaps[1], c, want - few);
        assert_int_equal(hak_heap_take_more(heaps[1], c, want, &chain), c <= HAK_TINY_CLASSES ? batch : few);
        give_back(heaps[1], chain);
        for (unsigned i = 0; i <= HAK_FRESH_SLABS; i++)
            give_back(heaps[1], chains[i]);
    }
    check_all_is_back();
}

static void takes_and_returns_of_every_class(void **state) {
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct block *chain;
        unsigned got = hak_heap_take(heaps[1], c, 37, &chain);
        assert_in_range(got, 37 / 2, 37);
        assert_int_equal(chain_length(chain), got);
        for (struct block *block = chain; block != NULL; block = block->next) {
            check_entry(block, 1, c);
            assert_int_equal(slab_class(hak_slab_in(hak_slabs_of(block), block)), c);
        }
        give_back(heaps[1], chain);
        check_all_is_back();
    }
}

static void a_slab_is_listed_iff_it_has_room(void **state) {
    unsigned c = size_class_of(8192);
    unsigned capacity = hak_size_class[c].capacity;
    (void)state;
    struct block *chain = take(heaps[2], c, capacity - 1);
    struct block *rest = chain->next;
    assert_false(list_is_empty(&heaps[2]->with_room[c]));
    struct block *last;
    assert_int_equal(hak_heap_take(heaps[2], c, 1, &last), 1);
    assert_ptr_equal(hak_slab_in(hak_slabs_of(last), last), hak_slab_in(hak_slabs_of(chain), chain));
    assert_true(list_is_empty(&heaps[2]->with_room[c]));
    chain->next = NULL;
    give_back(heaps[2], chain);
    assert_ptr_equal(heaps[2]->with_room[c].next, &hak_slab_in(hak_slabs_of(last), last)->link);
    give_back(heaps[2], rest);
    give_back(heaps[2], last);
    check_all_is_back();
}

/* What is returned while the lock is taken waits on the pending stack, for whoever looks next. */
static void blocks_wait_while_the_lock_is_taken(void **state) {
    struct block *first;
    struct block *second;
    unsigned c = size_class_of(100);
    (void)state;
    assert_int_equal(hak_heap_take(heaps[1], c, 8, &first), 8);
    assert_int_equal(hak_heap_take(heaps[1], c, 5, &second), 5);
    lock_acquire(&heaps[1]->lock);
    give_back_remote(heaps[1], first);
    give_back_remote(heaps[1], second);
    assert_int_equal(chain_length(heaps[1]->pending), 13);
    lock_release(&heaps[1]->lock);
    hak_heap_collect(heaps[1]);
    check_all_is_back();
    assert_int_equal(hak_heap_take(heaps[1], c, 8, &first), 8);
    assert_int_equal(hak_heap_take(heaps[1], c, 8, &second), 8);
    lock_acquire(&heaps[1]->lock);
    give_back_remote(heaps[1], first);
    lock_release(&heaps[1]->lock);
    give_back(heaps[1], second);
    check_all_is_back();
}

static void without_memory_there_are_no_blocks(void **state) {
    struct block *chain = (struct block *)(uintptr_t)1;
    (void)state;
    lock_acquire(hak_arena_lock());
    (void)hak_arena_release_unused();
    lock_release(hak_arena_lock());
    fake_os_fail(FAKE_OS_BIT(RESERVE_ALIGNED), 1, UINT64_MAX);
    assert_int_equal(hak_heap_take(heaps[1], 7, 30, &chain), 0);
    fake_os_succeed();
    assert_null(chain);
    check_all_is_back();
    assert_true(hak_heap_take(heaps[1], 7, 30, &chain) > 0);
    give_back(heaps[1], chain);
}

static void tiny_slabs_may_come_from_the_space_of_large_blocks(void **state) {
    struct block *tiny;
    struct block *mid;
    (void)state;
    hak_options.tiny_use_superslab = 0;
    assert_true(hak_heap_take(heaps[1], HAK_TINY_CLASSES, 2, &tiny) > 0);
    assert_true(hak_heap_take(heaps[1], HAK_TINY_CLASSES + 1, 2, &mid) > 0);
    assert_int_equal(hak_superslab_of(tiny)->pool, POOL_LARGE);
    assert_int_equal(hak_superslab_of(mid)->pool, POOL_MID);
    hak_options.tiny_use_superslab = 1;
    give_back(heaps[1], tiny);
    give_back(heaps[1], mid);
    check_all_is_back();
}

static void an_outbox_sends_each_block_home(void **state) {
    static struct outbox outbox = {.most_bytes = HAK_OUTBOX_BYTES};
    struct block *chain[HEAPS + 1];
    unsigned count = 0;
    bool full = false;
    (void)state;
    for (unsigned i = 1; i <= HEAPS; i++) {
        chain[i] = take(heaps[i], 2, HAK_OUTBOX_BLOCKS);
    }
    while (chain[HEAPS] != NULL) {
        unsigned heap = 1 + count % HEAPS;
        struct block *block = chain[heap];
        chain[heap] = block->next;
        full = outbox_add(&outbox, block, heaps[heap]->entry, 32);
        count++;
        assert_int_equal(outbox.count, (count - 1) % HAK_OUTBOX_BLOCKS + 1);
        assert_int_equal(outbox.bytes, outbox.count * 32);
        assert_int_equal(full, outbox.count == HAK_OUTBOX_BLOCKS);
        if (full) {
            hak_outbox_flush(&outbox, heaps);
            assert_int_equal(outbox.count + outbox.bytes, 0);
        }
    }
    hak_outbox_flush(&outbox, heaps);
    for (unsigned i = 1; i <= HEAPS; i++) {
        give_back(heaps[i], chain[i]);
    }
    assert_int_equal(count, HEAPS * HAK_OUTBOX_BLOCKS);
    check_all_is_back();
    for (unsigned i = 1; i < HAK_OUTBOX_BYTES / 20000 + 1; i++) {
        assert_false(outbox_add(&outbox, NULL, 1, 20000));
    }
    assert_true(outbox_add(&outbox, NULL, 1, 20000));
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

/* A block that comes back twice, in the middle of others, to the wrong heap or after its slab is gone is told of, and
 * the others are taken. */
static void bad_blocks_are_told_of(void **state) {
    struct block *chain;
    (void)state;
    assert_int_equal(hak_heap_take(heaps[1], 4, 3, &chain), 3);
    struct block *a = chain, *b = a->next, *c = b->next;
    struct block *twice[] = {a, b, a};
    hak_heap_return_remote(heaps[1], twice, 3);
    expect_bad(a);
    struct block *inside[] = {(struct block *)(void *)((char *)c + 16)};
    hak_heap_return_remote(heaps[1], inside, 1);
    expect_bad(inside[0]);
    hak_heap_return_remote(heaps[2], &c, 1);
    expect_bad(c);
    struct block *last[] = {c, c};
    hak_heap_return_remote(heaps[1], last, 2);
    expect_bad(c);
    check_all_is_back();
    struct block *others = NULL;
    assert_int_equal(hak_heap_take(heaps[1], 4, 2, &chain), 2);
    a = chain, b = a->next;
    struct block *array[] = {a, b, a};
    hak_heap_return_array(heaps[1], array, 3, &others);
    expect_bad(a);
    assert_null(others);
    check_all_is_back();
    assert_int_equal(hak_heap_take(heaps[1], 4, 1, &chain), 1);
    struct block *in[] = {(struct block *)(void *)((char *)chain + 16), chain};
    hak_heap_return_array(heaps[1], in, 2, &others);
    expect_bad(in[0]);
    check_all_is_back();
}

static void *work(void *argument) {
    uint64_t random = (uintptr_t)argument;
    static _Thread_local struct block *held[HELD];
    static _Thread_local unsigned classes[HELD];
    static _Thread_local struct outbox outbox = {.most_bytes = HAK_OUTBOX_BYTES};
    unsigned count = 0;
    for (unsigned step = 0; step < 6000; step++) {
        struct heap *heap = heaps[1 + unit_below(&random, HEAPS)];
        unsigned c = 1 + unit_below(&random, 20) * 5;
        if (count + 16 < HELD && unit_below(&random, 2) == 0) {
            struct block *chain;
            unsigned got = hak_heap_take(heap, c, 1 + unit_below(&random, 16), &chain);
            EXPECT(got > 0 && chain_length(chain) == got);
            for (; chain != NULL; count++) {
                held[count] = chain;
                classes[count] = c;
                chain = chain->next;
                unit_fill(held[count], size_class_bytes(c), 256, (uintptr_t)held[count] + (uintptr_t)argument);
            }
        }
        for (unsigned i = 0; i < 8 && count > 0; i++) {
            unsigned at = unit_below(&random, count);
            size_t size = size_class_bytes(classes[at]);
            EXPECT(unit_holds(held[at], size, size, 256, (uintptr_t)held[at] + (uintptr_t)argument));
            uint32_t entry = page_map_flat_get(held[at]);
            EXPECT(entry_slot(entry) == classes[at] * sizeof(struct hak_slot));
            if (outbox_add(&outbox, held[at], entry, (uint32_t)size)) {
                hak_outbox_flush(&outbox, heaps);
            }
            held[at] = held[--count];
            classes[at] = classes[count];
        }
    }
    for (unsigned i = 0; i < count; i++) {
        hak_heap_return_remote(heaps[entry_heap_id(page_map_flat_get(held[i]))], &held[i], 1);
    }
    hak_outbox_flush(&outbox, heaps);
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
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    hak_heap_on_bad_block = note_bad_block;
    for (uint32_t i = 1; i <= HEAPS; i++) {
        heaps[i] = hak_heap_new(i);
        if (heaps[i] == NULL || heaps[i]->id != i) {
            return -1;
        }
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_memory_is_taken_by_the_page),
        cmocka_unit_test(takes_and_returns_of_every_class),
        cmocka_unit_test(a_slab_is_listed_iff_it_has_room),
        cmocka_unit_test(blocks_wait_while_the_lock_is_taken),
        cmocka_unit_test(without_memory_there_are_no_blocks),
        cmocka_unit_test(tiny_slabs_may_come_from_the_space_of_large_blocks),
        cmocka_unit_test(an_outbox_sends_each_block_home),
        cmocka_unit_test(blocks_of_others_are_handed_back),
        cmocka_unit_test(blocks_of_others_are_handed_back_once),
        cmocka_unit_test(bad_blocks_are_told_of),
        cmocka_unit_test(under_contention_counts_add_up),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
