/* heaps.h
 * Purpose.     Two heaps of a unit test's own, without threads, and the transfer caches between them.
 */
#ifndef TEST_SUPPORT_HEAPS_H
#define TEST_SUPPORT_HEAPS_H

#include "heap/heap.h"
#include "heap/outbox.h"
#include "heap/transfer.h"
#include "segment/arena.h"
#include "segment/page_map.h"
#include "segment/superslab.h"

enum { HEAPS = 2 };

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

/* Sends home what waits in transfer caches. */
static inline void heaps_empty_transfers(void) {
    for (unsigned c = HAK_HOME_CLASSES; c < HAK_CLASS_COUNT; c++)
        hak_transfer_empty(&hak_transfers[c], heaps);
    for (unsigned i = 1; i <= HEAPS; i++)
        for (unsigned c = 1; c < HAK_HOME_CLASSES; c++)
            hak_transfer_empty(&heaps[i]->transfer[c], heaps);
}

#endif
