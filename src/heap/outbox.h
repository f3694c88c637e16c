/* heap/outbox.h
 * Purpose.     Blocks that one thread has freed and has no use for, on their way to others or home.
 * Design.      An array of addresses and of their entries in the page map: what they are is known when they come, and
 *              is not looked up again. Who takes them finds them listed by class; who sends them home groups them by
 *              heap. And an array of addresses alone, of what goes home because nobody has room for it: that is what
 *              is left of a free where many blocks come back at once, so it is to be next to nothing.
 * Invariants.  count <= HAK_OUTBOX_BLOCKS; bytes is the sum of the blocks' sizes and less than most_bytes plus one
 *              block, and that is HAK_OUTBOX_BYTES at most; home_count <= HAK_HOME_BLOCKS outside of a call
 * Concurrency. The owner's alone.
 */
#ifndef HAK_HEAP_OUTBOX_H
#define HAK_HEAP_OUTBOX_H

#include <stdbool.h>

#include "base/config.h"
#include "heap/heap.h"
#include "heap/slab.h"
#include "segment/page_map.h"

struct outbox {
    uint32_t count;
    uint32_t bytes;
    uint32_t most_bytes;
    struct block *block[HAK_OUTBOX_BLOCKS];
    uint32_t entry[HAK_OUTBOX_BLOCKS]; /* of the block in the page map */
    /* Lists by class, of indices plus 1: of the last block of a class, and of the one before. 0: none. */
    uint16_t last[HAK_CLASS_COUNT];
    uint16_t before[HAK_OUTBOX_BLOCKS];
    uint32_t home_count;                 /* or HAK_HOME_BUSY */
    struct block *home[HAK_HOME_BLOCKS]; /* Tiny ones, most of them of the thread's heap */
};

/* As home_count: those that were there are being returned, and none can be added. */
#define HAK_HOME_BUSY (HAK_HOME_BLOCKS + 1)

/* Adds one of these; there is room. */
FAST void outbox_add_home(struct outbox *outbox, void *block) {
    uint32_t i = outbox->home_count;
    outbox->home[i++] = block;
    fork_fence();
    outbox->home_count = i;
}

/* Adds a block of `size` bytes, whose page-map entry that is. True if the outbox is now full and has to be flushed. */
static inline bool outbox_add(struct outbox *outbox, void *block, uint32_t entry, uint32_t size) {
    uint32_t i = outbox->count, bytes = outbox->bytes + size;
    uint16_t *last = &outbox->last[entry_class(entry)];
    outbox->block[i] = block;
    outbox->entry[i] = entry;
    outbox->before[i] = *last;
    *last = (uint16_t)++i;
    fork_fence();
    outbox->count = i;
    outbox->bytes = bytes;
    return i == HAK_OUTBOX_BLOCKS || bytes >= outbox->most_bytes;
}

/* Puts what fits into transfer caches, and sends the rest home. refused[class] becomes true where there is no room at
 * all. `heaps` is indexed by id. */
void hak_outbox_pass_on(struct outbox *outbox, struct heap *const *heaps, bool *refused);

/* Sends everything home, but for what goes there by itself. */
void hak_outbox_flush(struct outbox *outbox, struct heap *const *heaps);

/* Sends home what goes there by itself: `heap` is the thread's. Others' blocks among it are put to the rest. */
void hak_outbox_go_home(struct outbox *outbox, struct heap *heap, struct heap *const *heaps);

/* Adds a chain of blocks, at most so many, since a block that was freed twice makes a ring of it, and flushes when it
 * is full. */
FAST void outbox_add_chain(struct outbox *outbox, struct block *chain, uint32_t most, struct heap *const *heaps) {
    for (; chain != NULL && most > 0; most--) {
        COUNT(SENT_HOME);
        struct block *block = chain;
        chain = block->next;
        uint32_t entry = hak_slab_entry_of(block);
        if (unlikely(entry == 0))
            hak_heap_on_bad_block(block);
        else if (unlikely(outbox_add(outbox, block, entry, (uint32_t)size_class_bytes(entry_class(entry)))))
            hak_outbox_flush(outbox, heaps);
    }
}

/* Whether most of so many blocks lie in granules of their own: what comes back in another order than it was made. */
enum { OUTBOX_SAMPLE = 16 };

FAST uint64_t outbox_granule_bit(const void *block) {
    return (uint64_t)1 << ((uintptr_t)block >> HAK_GRANULE_SHIFT) % 64;
}

FAST bool outbox_is_scattered(uint64_t granules) {
    return __builtin_popcountll(granules) > OUTBOX_SAMPLE / 2;
}

/* The same of those that went home last; there were as many. */
bool hak_outbox_home_is_scattered(const struct outbox *outbox);

#endif
