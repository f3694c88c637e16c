/* slab_test.c
 * Purpose.     One slab of every class: blocks are disjoint, the lowest free ones come first, none is touched, the
 *              counts always add up, and what is no block or free already is told apart.
 */
#include "support/unit.h"

#include <sys/mman.h>

#include "base/bits.h"
#include "heap/heap.h"
#include "heap/slab.h"
#include "segment/purge.h"

enum { HEAP_ID = 5 };

static struct slab *new_slab(unsigned c) {
    bool zero;
    struct slab *slab = hak_superslab_take(POOL_TINY, hak_size_class[c].granules, RUN_SLAB,
                                           entry_make(HEAP_ID, c * (uint32_t)sizeof(struct hak_slot)), &zero);
    assert_non_null(slab);
    hak_slab_init(slab);
    assert_int_equal(slab_class(slab), c);
    assert_int_equal(entry_heap_id(slab->entry), HEAP_ID);
    assert_int_equal(slab->capacity, hak_size_class[c].capacity);
    assert_true(hak_slab_is_valid(slab) && slab_has_room(slab));
    assert_int_equal(hak_slab_touched(slab), 0);
    return slab;
}

static bool take_back(struct slab *slab, const void *block) {
    struct slab_shape shape = slab_shape_of(slab_class(slab));
    return slab_put(slab, &shape, block);
}

static void put(struct slab *slab, const void *block) {
    assert_true(take_back(slab, block));
}

/* As many as are wanted or there are, in the order of their addresses; what is around them is left. */
static unsigned take(struct slab *slab, unsigned want, void **blocks) {
    static void *taken[1 + 4096 + 1];
    unsigned free_count = slab->free_count, count = want < free_count ? want : free_count;
    assert_true(count + 2 <= sizeof taken / sizeof *taken);
    taken[0] = taken[count + 1] = taken;
    assert_int_equal(hak_slab_take(slab, want, &taken[count + 1]), count);
    assert_true(taken[0] == taken && taken[count + 1] == taken);
    for (unsigned i = 2; i <= count; i++)
        assert_true((uintptr_t)taken[i] < (uintptr_t)taken[i - 1]);
    assert_int_equal(slab->free_count, free_count - count);
    assert_true(hak_slab_is_valid(slab));
    for (unsigned i = 0; i < count; i++)
        blocks[i] = taken[count - i];
    return count;
}

/* Takes until the slab is full, `want` at a time; every block in the slab, at a multiple of the size. */
static unsigned take_all(struct slab *slab, unsigned want, void **blocks) {
    size_t size = size_class_bytes(slab_class(slab));
    unsigned count = 0;
    while (slab_has_room(slab))
        count += take(slab, want, &blocks[count]);
    for (unsigned i = 0; i < count; i++) {
        uintptr_t offset = (uintptr_t)blocks[i] - slab->base;
        assert_int_equal(offset % size, 0);
        assert_true(offset + size <= slab->granules * HAK_GRANULE_SIZE);
    }
    return count;
}

static void check_each_once(const struct slab *slab, void *const *blocks, unsigned count) {
    static unsigned char seen[4096];
    size_t size = size_class_bytes(slab_class(slab));
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0; i < count; i++) {
        unsigned index = (unsigned)(((uintptr_t)blocks[i] - slab->base) / size);
        assert_int_equal(seen[index], 0);
        seen[index] = 1;
    }
}

static void every_class_gives_all_its_blocks(void **state) {
    static void *blocks[4096];
    static const unsigned wants[] = {1, 3, 32, 4096};
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct slab *slab = new_slab(c);
        unsigned capacity = slab->capacity;
        for (unsigned round = 0; round < 4; round++) {
            assert_int_equal(take_all(slab, wants[round], blocks), capacity);
            check_each_once(slab, blocks, capacity);
            assert_int_equal(slab->reached, capacity);
            assert_int_equal(hak_slab_touched(slab), slab->granules);
            for (unsigned i = 0; i < capacity; i++) {
                put(slab, blocks[(i * 7919 + round) % capacity]); /* 7919 is prime: each once */
            }
            assert_int_equal(slab->free_count, capacity);
            assert_true(slab_is_empty(slab));
        }
        hak_superslab_give(slab, hak_slab_touched(slab));
    }
}

static void memory_is_reached_as_it_is_needed(void **state) {
    (void)state;
    (void)hak_purge_all();
    struct slab *slab = new_slab(size_class_of(1024));
    void *blocks[5];
    assert_int_equal(take(slab, 5, blocks), 5);
    assert_int_equal(slab->reached, 5);
    assert_int_equal(hak_slab_touched(slab), 1);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal((uintptr_t)blocks[i], slab->base + i * 1024);
    }
    assert_true(unit_is_zero((char *)slab->base, HAK_GRANULE_SIZE));
    for (unsigned i = 0; i < 5; i++) {
        put(slab, blocks[i]);
    }
    hak_superslab_give(slab, hak_slab_touched(slab));
}

/* Neither who takes blocks nor who puts them needs their memory. */
static void no_block_is_touched(void **state) {
    static void *blocks[4096];
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct slab *slab = new_slab(c);
        void *memory = (void *)slab->base;
        size_t bytes = slab->granules * HAK_GRANULE_SIZE;
        assert_int_equal(mprotect(memory, bytes, PROT_NONE), 0);
        for (unsigned round = 0; round < 2; round++) {
            unsigned capacity = take_all(slab, 100, blocks);
            for (unsigned i = 0; i < capacity; i++)
                put(slab, blocks[i]);
        }
        assert_int_equal(mprotect(memory, bytes, PROT_READ | PROT_WRITE), 0);
        hak_superslab_give(slab, hak_slab_touched(slab));
    }
}

static void what_was_reached_may_hold_data(void **state) {
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct slab *slab = new_slab(c);
        for (unsigned reached = 1; reached <= slab->capacity; reached++) {
            void *block;
            assert_int_equal(take(slab, 1, &block), 1);
            assert_int_equal((uintptr_t)block, slab->base + (reached - 1) * size_class_bytes(c));
            size_t bytes = reached * size_class_bytes(c);
            assert_int_equal(hak_slab_touched(slab), (bytes + HAK_GRANULE_SIZE - 1) / HAK_GRANULE_SIZE);
        }
        for (unsigned i = 0; i < slab->capacity; i++)
            put(slab, (void *)(slab->base + i * size_class_bytes(c)));
        assert_int_equal(slab->reached, slab->capacity);
        hak_superslab_give(slab, hak_slab_touched(slab));
    }
}

/* In order of their addresses, whatever order they came back in. */
static void the_lowest_blocks_go_first(void **state) {
    static void *blocks[4096];
    static const unsigned free_ones[] = {700, 3, 64, 63, 1364, 65, 128};
    static const unsigned in_order[] = {3, 63, 64, 65, 128, 700, 1364};
    enum { COUNT = sizeof in_order / sizeof in_order[0] };
    void *got[9];
    (void)state;
    struct slab *slab = new_slab(size_class_of(48));
    unsigned capacity = take_all(slab, 4096, blocks);
    for (unsigned i = 0; i < COUNT; i++) {
        put(slab, blocks[free_ones[i]]);
    }
    assert_int_equal(take(slab, 4, got), 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_ptr_equal(got[i], blocks[in_order[i]]);
    }
    put(slab, blocks[3]);
    assert_int_equal(take(slab, 1, got), 1);
    assert_ptr_equal(got[0], blocks[3]);
    assert_int_equal(take(slab, 9, got), COUNT - 4);
    for (unsigned i = 4; i < COUNT; i++) {
        assert_ptr_equal(got[i - 4], blocks[in_order[i]]);
    }
    assert_false(slab_has_room(slab));
    for (unsigned i = 0; i < capacity; i++) {
        put(slab, blocks[i]);
    }
    hak_superslab_give(slab, hak_slab_touched(slab));
}

/* However many blocks its neighbours have, 512 and less or more: a full slab stays so while others are filled. */
static void slabs_share_no_bits(void **state) {
    enum { COUNT = HAK_GRANULES };
    static void *blocks[4096];
    static const size_t sizes[] = {128, 144, 16, 112, 1024, 48};
    struct slab *slabs[COUNT];
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        slabs[i] = new_slab(size_class_of(sizes[i % (sizeof sizes / sizeof sizes[0])]));
        (void)take_all(slabs[i], 4096, blocks);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(slabs[i]->free_count, 0);
        assert_true(hak_slab_is_valid(slabs[i]));
        for (unsigned j = 0; j < slabs[i]->capacity; j++) {
            put(slabs[i], (void *)(slabs[i]->base + j * size_class_bytes(slab_class(slabs[i]))));
        }
        assert_true(slab_is_empty(slabs[i]));
        hak_superslab_give(slabs[i], hak_slab_touched(slabs[i]));
    }
}

/* Every address of the slab is either a block that is out, or refused. */
static void what_is_no_block_is_refused(void **state) {
    static void *blocks[4096];
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct slab *slab = new_slab(c);
        size_t size = size_class_bytes(c);
        unsigned capacity = take_all(slab, 4096, blocks);
        put(slab, blocks[capacity / 2]);
        for (size_t offset = 0; offset < slab->granules * HAK_GRANULE_SIZE; offset += HAK_ALIGNMENT) {
            bool expected = offset % size == 0 && offset / size != capacity / 2 && offset / size < capacity;
            if (!expected) {
                assert_false(take_back(slab, (void *)(slab->base + offset)));
                assert_int_equal(slab->free_count, 1);
            }
        }
        for (unsigned i = 0; i < capacity; i++) {
            assert_int_equal(take_back(slab, blocks[i]), i != capacity / 2);
        }
        assert_true(slab_is_empty(slab) && hak_slab_is_valid(slab));
        hak_superslab_give(slab, hak_slab_touched(slab));
    }
}

static void random_use_keeps_the_books(void **state) {
    static void *out[4096];
    uint64_t random = 9;
    (void)state;
    for (unsigned c = 3; c < HAK_CLASS_COUNT; c += 7) {
        struct slab *slab = new_slab(c);
        size_t size = size_class_bytes(c);
        unsigned count = 0;
        for (unsigned step = 0; step < 2000; step++) {
            if (slab_has_room(slab) && unit_below(&random, 2) == 0) {
                unsigned got = take(slab, 1 + unit_below(&random, 9), &out[count]);
                for (unsigned i = 0; i < got; i++, count++)
                    unit_fill(out[count], size, 64, (uintptr_t)out[count]);
            } else if (count > 0) {
                unsigned at = unit_below(&random, count);
                assert_true(unit_holds(out[at], size, size, 64, (uintptr_t)out[at]));
                put(slab, out[at]);
                out[at] = out[--count];
            }
            assert_int_equal(slab->free_count, slab->capacity - count);
            assert_true(hak_slab_is_valid(slab));
        }
        while (count > 0) {
            put(slab, out[--count]);
        }
        hak_superslab_give(slab, hak_slab_touched(slab));
    }
}

static int start(void **state) {
    (void)state;
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_gives_all_its_blocks),
        cmocka_unit_test(memory_is_reached_as_it_is_needed),
        cmocka_unit_test(no_block_is_touched),
        cmocka_unit_test(what_was_reached_may_hold_data),
        cmocka_unit_test(the_lowest_blocks_go_first),
        cmocka_unit_test(what_is_no_block_is_refused),
        cmocka_unit_test(random_use_keeps_the_books),
        cmocka_unit_test(slabs_share_no_bits),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
