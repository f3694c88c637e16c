/* api/fast.h
 * Purpose.     The fast paths of malloc and free, as every entry point inlines them.
 * Design.      The way of one small block, from here to the kernel:
 *
 *                malloc   cache_pop                      here: a pop, no lock, no atomic operation
 *                  empty    hak_alloc_slow               api/malloc.c: which tier?
 *                             hak_thread_take            heap/thread.c: fill the cache
 *                               hak_heap_take            heap/heap.c: one lock, a batch
 *                                 hak_superslab_take     segment/superslab.c: a new slab
 *                                   hak_arena_take       segment/arena.c: a new superslab
 *                                     hak_os_commit      os/os_linux.c
 *                free     cache_push                     here: a look at the page map and a push
 *                  else     hak_free_full                api/free.c: past a full list
 *                  or       hak_free_slow                api/free.c: Large, Huge, not ours, no record
 *
 *              Calls of malloc and free are not counted: they follow from the cache's own books. Every other entry
 *              adds one to its count.
 * Not here.    errno and messages: the slow paths' job.
 */
#ifndef HAK_API_FAST_H
#define HAK_API_FAST_H

#include "hakmem.h"
#include "heap/thread.h"

/* Serve the request in full, whatever its size; NULL with errno ENOMEM. */
__attribute__((noinline)) void *hak_alloc_slow(size_t size, enum hak_entry entry, hak_callsite_t site);
__attribute__((noinline)) void *hak_aligned_slow(size_t alignment, size_t size, enum hak_entry entry);

/* Take the block back or report what is wrong with it. NULL is allowed. */
__attribute__((noinline)) void hak_free_slow(void *p, enum hak_entry entry, hak_callsite_t site);

/* As hak_free_slow for a block for which the list of the thread's slot at `offset` may have no room. */
__attribute__((noinline)) void hak_free_full(void *p, enum hak_entry entry, hak_callsite_t site, struct thread *thread,
                                             size_t offset);

/* As hak_free_slow for a block that was requested with that size and alignment (1: none). */
__attribute__((noinline)) void hak_free_sized_slow(void *p, size_t alignment, size_t size, enum hak_entry entry);

FAST void count_served(struct thread *thread, enum hak_entry entry) {
    if (entry != HAK_ENTRY_MALLOC && entry != HAK_ENTRY_FREE)
        owner_add(&thread->view.tally.served[entry], 1);
}

/* NULL unless the cache has a block. */
FAST void *try_alloc(size_t size, enum hak_entry entry) {
    struct thread *thread = hak_thread_self;
    if (unlikely(size > HAK_TINY_MAX))
        return NULL;
    void *block = cache_pop(slot_for(&thread->view, size));
    if (likely(block != NULL))
        count_served(thread, entry);
    return block;
}

FAST void *alloc_at(size_t size, enum hak_entry entry, hak_callsite_t site) {
    void *block = try_alloc(size, entry);
    return likely(block != NULL) ? block : hak_alloc_slow(size, entry, site);
}

FAST void free_at(void *p, enum hak_entry entry, hak_callsite_t site) {
    struct thread *thread = hak_thread_self;
    size_t offset = cache_slot(&thread->view, p);
    if (unlikely(offset == 0))
        hak_free_slow(p, entry, site);
    else if (likely(cache_push(&thread->view, &offset, p)))
        count_served(thread, entry);
    else
        hak_free_full(p, entry, site, thread, offset);
}

FAST void *hak_alloc_entry(size_t size, enum hak_entry entry) {
    return alloc_at(size, entry, NULL);
}

FAST void hak_free_entry(void *p, enum hak_entry entry) {
    free_at(p, entry, NULL);
}

/* `alignment` is a power of two. */
FAST void *hak_aligned_entry(size_t alignment, size_t size, enum hak_entry entry) {
    return alignment <= HAK_ALIGNMENT ? hak_alloc_entry(size, entry) : hak_aligned_slow(alignment, size, entry);
}

/* A Tiny block's slot is its rounded size, so one comparison more checks the caller's claim. */
FAST void hak_free_sized_entry(void *p, size_t size, enum hak_entry entry) {
    struct thread *thread = hak_thread_self;
    size_t offset = cache_slot(&thread->view, p);
    if (unlikely(offset != ((size + HAK_ALIGNMENT - 1) & ~(size_t)(HAK_ALIGNMENT - 1))) ||
        unlikely(offset - 1 >= HAK_TINY_MAX))
        hak_free_sized_slow(p, 1, size, entry);
    else if (likely(cache_push(&thread->view, &offset, p)))
        count_served(thread, entry);
    else
        hak_free_full(p, entry, NULL, thread, offset);
}

FAST void hak_free_aligned_sized_entry(void *p, size_t alignment, size_t size, enum hak_entry entry) {
    if (alignment <= HAK_ALIGNMENT)
        hak_free_sized_entry(p, size, entry);
    else
        hak_free_sized_slow(p, alignment, size, entry);
}

#endif
