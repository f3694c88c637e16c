/* heaps.h
 * Purpose.     Heaps of a unit test's own, without threads, and the transfer caches between them.
 */
#ifndef TEST_SUPPORT_HEAPS_H
#define TEST_SUPPORT_HEAPS_H

#include "support/home.h"
#include "support/unit.h"

#include "heap/heap.h"
#include "heap/transfer.h"
#include "segment/arena.h"
#include "segment/page_map.h"
#include "segment/superslab.h"

enum { HEAPS = 5 };

static struct heap *heaps[HEAPS + 1]; /* by id */

/* What the library's start does below threads. False if memory is out. */
static inline bool heaps_start(void) {
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    for (unsigned i = 1; i <= HEAPS; i++)
        if ((heaps[i] = hak_heap_new(i)) == NULL)
            return false;
    return true;
}

/* So many blocks of a class, however many calls that takes. */
static inline void heaps_take(unsigned heap, unsigned c, unsigned count, void **blocks) {
    while (count > 0) {
        unsigned got = hak_heap_take(heaps[heap], c, count, blocks);
        assert_in_range(got, 1, count);
        blocks += got;
        count -= got;
    }
}

static inline void *heaps_take_one(unsigned heap, unsigned c) {
    void *block = NULL;
    heaps_take(heap, c, 1, &block);
    return block;
}

/* Blocks of all heaps in turns. */
static inline void heaps_take_mixed(unsigned c, unsigned count, void **blocks) {
    for (unsigned i = 0; i < count; i++)
        blocks[i] = heaps_take_one(1 + i % HEAPS, c);
}

/* Returns blocks of one heap. */
static inline void heaps_give(unsigned heap, void **blocks, unsigned count) {
    assert_int_equal(hak_heap_return_array(heaps[heap], blocks, count), 0);
}

/* Sends home what waits in transfer caches. */
static inline void heaps_empty_transfers(void) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        hak_transfer_empty(&hak_transfers[c], heaps);
}

#endif
