/* heap/outbox.h
 * Purpose.     Blocks that one thread has freed and has no use for, on their way to others or home.
 * Design.      An array of addresses and of their entries in the page map: what they are is known when they come, and
 *              is not looked up again. They are grouped by class where others take them, by heap where they go home.
 * Invariants.  count <= HAK_OUTBOX_BLOCKS; bytes is the sum of the blocks' sizes and less than HAK_OUTBOX_BYTES plus
 *              one block.
 * Concurrency. The owner's alone.
 */
#ifndef HAK_HEAP_OUTBOX_H
#define HAK_HEAP_OUTBOX_H

#include <stdbool.h>

#include "base/config.h"
#include "heap/heap.h"
#include "segment/page_map.h"

struct outbox {
    uint32_t count;
    uint32_t bytes;
    struct block *block[HAK_OUTBOX_BLOCKS];
    uint32_t entry[HAK_OUTBOX_BLOCKS]; /* of the block in the page map */
    /* While they are being passed on; nobody's stack is large enough for it. */
    uint16_t first[HAK_CLASS_COUNT];  /* index of the first block of a class, or HAK_NO_INDEX ... */
    uint16_t next[HAK_OUTBOX_BLOCKS]; /* ... and of the next one */
};

/* Adds a block of `size` bytes, whose page-map entry that is. True if the outbox is now full and has to be flushed. */
static inline bool outbox_add(struct outbox *outbox, void *block, uint32_t entry, uint32_t size) {
    outbox->block[outbox->count] = block;
    outbox->entry[outbox->count] = entry;
    fork_fence();
    outbox->count++;
    outbox->bytes += size;
    return outbox->count == HAK_OUTBOX_BLOCKS || outbox->bytes >= HAK_OUTBOX_BYTES;
}

/* Puts what fits into transfer caches, and sends the rest home. refused[class] becomes true where there is no room at
 * all. `heaps` is indexed by id. */
void hak_outbox_pass_on(struct outbox *outbox, struct heap *const *heaps, bool *refused);

/* Sends everything home. */
void hak_outbox_flush(struct outbox *outbox, struct heap *const *heaps);

#endif
