/* heap/thread_cache.h
 * Purpose.     The two words per class that malloc and free work on.
 * Design.      A slot (struct hak_slot) is a list of free blocks, the room left in it, and a countdown of mallocs. One
 *              decrement of the countdown pays for exact counts, for chores and for a sampling profiler: whoever wants
 *              to see the n-th malloc lets it end there. Ending the list instead would never sample a malloc/free
 *              ping-pong. A slot is found by its byte offset in the thread's record, which for Tiny is the rounded size
 *              and which the page map delivers for free. Slot 0 stays empty: sizes 0 and SIZE_MAX - 14 .. SIZE_MAX
 *              round to it, so that neither needs a test.
 * Invariants.  room == capacity - length of the list; 0 <= room outside of a call.
 * Concurrency. One writer, the thread. `head`, `room` and `mallocs_left` may be read by others at any time.
 * Not here.    Where blocks come from and go to (thread.h): the cache knows no supplier.
 */
#ifndef HAK_HEAP_THREAD_CACHE_H
#define HAK_HEAP_THREAD_CACHE_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "heap/heap.h"
#include "segment/page_map.h"

#define SLOT_BYTES ((uint32_t)sizeof(struct hak_slot))
#define SLOT_END (HAK_CLASS_COUNT * SLOT_BYTES)

_Static_assert(sizeof(struct hak_slot) == HAK_ALIGNMENT, "the slot's offset of a Tiny request is its rounded size");

FAST struct hak_slot *cache_slot(struct hak_thread_view *view, size_t offset)
{
    return (struct hak_slot *)(void *)((char *)view + offset);
}

/* A block of the slot's class. NULL if the list is empty or a countdown ended: then the slow path looks again. */
FAST void *cache_pop(struct hak_slot *slot)
{
    struct block *block = owner_load(&slot->head);
    if (unlikely(block == NULL))
        return NULL;
    int32_t left = owner_load(&slot->mallocs_left) - 1;
    owner_store(&slot->mallocs_left, left);
    if (unlikely(left == 0))
        return NULL;
    owner_store(&slot->head, (void *)block->next);
    owner_add(&slot->room, 1);
    return block;
}

/* Takes the block into the list; false, with room left at -1, if it is full. */
FAST bool cache_push(struct hak_slot *slot, void *pointer)
{
    int32_t room = owner_load(&slot->room) - 1;
    owner_store(&slot->room, room);
    if (unlikely(room < 0))
        return false;
    struct block *block = pointer;
    block->next = owner_load(&slot->head);
    owner_store(&slot->head, (void *)block);
    return true;
}

/* The slot's offset if `p` is a block of one of the thread's heap's slabs; SLOT_END or more otherwise. */
FAST uint32_t cache_offset_of(const struct hak_thread_view *view, const void *p)
{
    uintptr_t address = (uintptr_t)p & view->address_mask;
    return load_relaxed(&view->page_map[address >> HAK_GRANULE_SHIFT]) ^ view->tag;
}

#endif
