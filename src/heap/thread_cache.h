/* heap/thread_cache.h
 * Purpose.     The two words per class that malloc and free work on.
 * Design.      A slot (struct hak_slot) is a list of free blocks, an array of addresses that is used from its end,
 *              and a countdown of frees. The blocks themselves are not touched, by whoever frees them or hands them on
 *              (doc/decisions/029). NULL stands below the first address, so that malloc needs no other test. The
 *              countdown bounds the list, and pays for exact counts: that of mallocs follows from it and from how long
 *              the list is (struct hak_flow). A slot is found by its byte offset in the thread's record, which for Tiny
 *              is the rounded size and which the page map delivers for free.
 *              A list holds blocks of any heap: what a thread frees, it uses again (doc/decisions/015, 030).
 *              Slot 0 stays empty: sizes 0 and SIZE_MAX - 14 .. SIZE_MAX round to it, so that neither needs a test.
 * Invariants.  0 <= frees_left <= room - length of the list outside of a call, where the list has room
 * Concurrency. One writer, the thread. `top` and `frees_left` may be read by others at any time.
 * Not here.    Where blocks come from and go to (thread.h): the cache knows no supplier.
 */
#ifndef HAK_HEAP_THREAD_CACHE_H
#define HAK_HEAP_THREAD_CACHE_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "heap/heap.h"
#include "segment/page_map.h"

#define SLOT_BYTES ((uint32_t)sizeof(struct hak_slot))

_Static_assert(sizeof(struct hak_slot) == HAK_ALIGNMENT, "the slot's offset of a Tiny request is its rounded size");

/* A field of the slot at `offset`, a variable, of a record. Each use hides the offset from the compiler, which would
 * otherwise add it to the record's address: an instruction more, which free does not win back (doc/decisions/021). */
#define SLOT_FIELD(view, offset, field)                                                                                \
    ({                                                                                                                 \
        forget(offset);                                                                                                \
        &((struct hak_slot *)(void *)((char *)(view) + (offset)))->field;                                              \
    })

/* The slot for a Tiny size. A record is as aligned as a block, so that one rounding does for both: the address costs no
 * instruction more than the offset, and makes what follows faster (doc/decisions/021). */
FAST struct hak_slot *slot_for(struct hak_thread_view *view, size_t size) {
    uintptr_t address = ((uintptr_t)view + size + HAK_ALIGNMENT - 1) & ~(uintptr_t)(HAK_ALIGNMENT - 1);
    forget(address);
    return (struct hak_slot *)address;
}

/* A block of the slot's class, or NULL if the list is empty. */
FAST void *cache_pop(struct hak_slot *slot) {
    void **top = owner_load(&slot->top);
    void *block = owner_load(&top[-1]);
    keep_in_result_register(block);
    if (unlikely(block == NULL))
        return NULL;
    owner_store(&slot->top, top - 1);
    return block;
}

/* Takes the block into the list of the slot at *offset; false, with frees_left at -1, if it may be full. It is the
 * caller's variable that is hidden from the compiler: a copy would take an instruction. */
FAST bool cache_push(struct hak_thread_view *view, size_t *offset, void *block) {
    if (unlikely(owner_decrement_is_negative(SLOT_FIELD(view, *offset, frees_left))))
        return false;
    void **top = owner_load(SLOT_FIELD(view, *offset, top));
    owner_store(top, block);
    fork_fence();
    owner_store(SLOT_FIELD(view, *offset, top), top + 1);
    return true;
}

/* The offset of the slot of a block's class; 0 for what is no slab's block, or if the thread's map has no entries. */
FAST size_t cache_slot(const struct hak_thread_view *view, const void *p) {
    return entry_slot_at(&view->page_map[((uintptr_t)p & view->address_mask) >> HAK_GRANULE_SHIFT]);
}

#endif
