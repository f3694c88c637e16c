/* heap/outbox.h
 * Purpose.     Blocks that one thread has freed and its lists do not keep, on their way to others or home.
 * Design.      An array of addresses of any class, which is divided by class and heap when it goes away.
 * Invariants.  count <= HAK_OUTBOX_BLOCKS; bytes is the sum of the blocks' sizes
 * Concurrency. The owner's alone.
 */
#ifndef HAK_HEAP_OUTBOX_H
#define HAK_HEAP_OUTBOX_H

#include <stdbool.h>

#include "base/config.h"
#include "base/size_class.h"
#include "heap/heap.h"

struct outbox {
    uint32_t bytes;
    uint32_t count;
    void *block[HAK_OUTBOX_BLOCKS];
};

/* Adds a block of a class. True if these are so many now, or of `most` bytes, that they are to be sent away. */
FAST bool outbox_add(struct outbox *outbox, unsigned size_class, void *block, size_t most) {
    uint32_t i = outbox->count, bytes = outbox->bytes + (uint32_t)size_class_bytes(size_class);
    outbox->block[i] = block;
    fork_fence();
    outbox->count = ++i;
    outbox->bytes = bytes;
    return i == HAK_OUTBOX_BLOCKS || bytes >= most;
}

/* Sends all away: to others, if they are `wanted`, and as far as there is room; else home. How many bytes. `heaps` is
 * indexed by id. */
size_t hak_outbox_send(struct outbox *outbox, struct heap *const *heaps, bool wanted);

#endif
