/* heap/outbox.h
 * Purpose.     Blocks of other heaps that one thread has freed, on their way home.
 * Design.      An array of addresses and of their heaps; flushing groups it by heap, so that each heap is
 *              visited once.
 * Invariants.  count <= HAK_OUTBOX_BLOCKS; bytes is the sum of the blocks' sizes and less than HAK_OUTBOX_BYTES plus
 *              one block.
 * Concurrency. The owner's alone.
 */
#ifndef HAK_HEAP_OUTBOX_H
#define HAK_HEAP_OUTBOX_H

#include <stdbool.h>

#include "heap/heap.h"
#include "segment/page_map.h"

struct outbox {
    uint32_t count;
    uint32_t bytes;
    struct block *block[HAK_OUTBOX_BLOCKS];
    uint32_t heap[HAK_OUTBOX_BLOCKS]; /* as it stands in the block's entry (entry_heap) */
};

/* Adds a block of `size` bytes, whose page-map entry that is. True if the outbox is now full and has to be flushed. */
static inline bool outbox_add(struct outbox *outbox, void *block, uint32_t entry, uint32_t size) {
    outbox->block[outbox->count] = block;
    outbox->heap[outbox->count] = entry_heap(entry);
    fork_fence();
    outbox->count++;
    outbox->bytes += size;
    return outbox->count == HAK_OUTBOX_BLOCKS || outbox->bytes >= HAK_OUTBOX_BYTES;
}

/* Sends everything home. `heaps` is indexed by id. */
void hak_outbox_flush(struct outbox *outbox, struct heap *const *heaps);

#endif
