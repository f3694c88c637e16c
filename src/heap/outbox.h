/* heap/outbox.h
 * Purpose.     Blocks that one thread has freed and has no use for, on their way to others or home.
 * Design.      Small ones of other heaps, which go to the threads of these: an array of addresses for each class and
 *              each of a few heaps, so that it is known where a batch goes. Heaps whose ids are alike in the lower bits
 *              share an array: who comes in between sends the other's away once they are half of what it holds.
 *              And one array for all else, which is divided by class and heap when it goes away.
 * Invariants.  batch.count <= HAK_OUTBOX_BLOCKS; all blocks of a batch are of its class and heap; heap == 0: of none,
 *              and none can be added.
 *              other_count <= HAK_OUTBOX_OTHERS; other_bytes is the sum of their sizes
 * Concurrency. The owner's alone.
 */
#ifndef HAK_HEAP_OUTBOX_H
#define HAK_HEAP_OUTBOX_H

#include <stdbool.h>

#include "base/config.h"
#include "base/size_class.h"
#include "heap/heap.h"
#include "segment/page_map.h"

struct batch {
    uint32_t heap; /* its id */
    uint32_t count;
    void *block[HAK_OUTBOX_BLOCKS];
};

struct outbox {
    bool any; /* there may be blocks */
    uint32_t other_bytes;
    uint32_t other_count;
    void *other[HAK_OUTBOX_OTHERS];                             /* of any class and heap */
    struct batch batch[HAK_HOME_CLASSES - 1][HAK_OUTBOX_HEAPS]; /* by class less 1, and by id modulo HAK_OUTBOX_HEAPS */
};

/* Where blocks go whose page-map entry that is. */
FAST struct batch *outbox_batch(struct outbox *outbox, uint32_t entry) {
    return &outbox->batch[entry_class(entry) - 1][entry_heap_id(entry) % HAK_OUTBOX_HEAPS];
}

/* Adds a block to it. False, with nothing done, if it is full, or another heap's. */
FAST bool batch_add(struct batch *batch, uint32_t entry, void *block) {
    uint32_t i = batch->count;
    if (unlikely(batch->heap != entry_heap_id(entry)) || unlikely(i == HAK_OUTBOX_BLOCKS))
        return false;
    batch->block[i] = block;
    fork_fence();
    batch->count = i + 1;
    return true;
}

/* Sends away what is in a batch of a class: to others, if it is `wanted`, and as far as there is room; else home. How
 * many there were. `heaps` is indexed by id. */
unsigned hak_outbox_send(struct batch *batch, unsigned size_class, struct heap *const *heaps, bool wanted);

/* Adds a block, whose page-map entry that is, to the others. True if these are so many, or of `most` bytes, that they
 * are to be sent away now. */
FAST bool outbox_add_other(struct outbox *outbox, uint32_t entry, void *block, size_t most) {
    uint32_t i = outbox->other_count, bytes = outbox->other_bytes + (uint32_t)size_class_bytes(entry_class(entry));
    outbox->other[i] = block;
    fork_fence();
    outbox->other_count = ++i;
    outbox->other_bytes = bytes;
    outbox->any = true;
    return i == HAK_OUTBOX_OTHERS || bytes >= most;
}

/* Sends them away; how many bytes. */
size_t hak_outbox_send_others(struct outbox *outbox, struct heap *const *heaps, bool wanted);

/* Sends all batches away; how many bytes. */
size_t hak_outbox_send_batches(struct outbox *outbox, struct heap *const *heaps, bool wanted);

/* Sends all away; how many bytes. */
FAST size_t outbox_empty(struct outbox *outbox, struct heap *const *heaps, bool wanted) {
    if (likely(!outbox->any))
        return 0;
    outbox->any = false;
    size_t bytes = hak_outbox_send_others(outbox, heaps, wanted);
    return bytes + hak_outbox_send_batches(outbox, heaps, wanted);
}

#endif
