/* heap/heap.h
 * Purpose.     Slabs by size class behind one lock; blocks enter and leave in batches.
 * Design.      A thread's cache takes batches from its own heap's slabs. Blocks of other heaps come back in batches
 *              too: under the owner's lock if it is free, else as a chain on the owner's pending stack, which the next
 *              holder of the lock empties. So no memory waits for its owner to run, the counts of every slab
 *              are exact under its heap's lock, and whoever empties a slab gives it back.
 * Invariants.  A slab is in its heap's list iff it has room; an empty slab belongs to no heap.
 *              pending != NULL implies that somebody holds the lock or will look again, or that a signal handler left
 *              it.
 * Concurrency. Every function takes the heap's lock by itself.
 * Not here.    Thread caches and outboxes (thread.h), granules (segment/superslab.h).
 */
#ifndef HAK_HEAP_HEAP_H
#define HAK_HEAP_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/list.h"
#include "os/lock.h"

/* A free block on a pending stack; `next` is its first word. */
struct block {
    struct block *next;
    struct block *ahead; /* a later one, whose line may be fetched meanwhile; or NULL */
};

struct heap {
    struct lock lock;
    uint32_t id;                            /* const, 1..HAK_HEAPS_MAX */
    uint32_t threads;                       /* that use this heap (lock of the thread list) */
    struct link with_room[HAK_CLASS_COUNT]; /* slabs that can give a block */
    struct block *pending;                  /* atomic: pushed seq_cst by anyone, taken whole by the lock's holder */
    const void *bad_block;                  /* came back under the lock and was no block, or free already */
};

/* Told of such a block when the lock is free again; set before the first heap is made. */
extern void (*hak_heap_on_bad_block)(const void *p);

/* A heap from metadata memory, or NULL. */
struct heap *hak_heap_new(uint32_t id);

/* Takes 1..want blocks of a class out of slabs and says how many; 0 if memory is out. The lowest address of a slab
 * stands last. No block is touched. */
unsigned hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **blocks) NODISCARD;

/* Returns blocks of any classes to their slabs; waits for the lock. Those of other heaps are left, at the front of the
 * array; how many. None is touched. */
unsigned hak_heap_return_array(struct heap *heap, void **blocks, unsigned count) NODISCARD;

/* Returns 1 or more blocks of this heap, of any classes, without waiting. */
void hak_heap_return_remote(struct heap *heap, void *const *blocks, unsigned count);

/* The same for blocks of any heaps, whose order does not stay; `heaps` is indexed by id. What is none is reported. */
void hak_heap_return_any(struct heap *const *heaps, void **blocks, unsigned count);

/* Leaves a block of any heap to whoever holds its heap's lock next. Takes no lock, so that a signal handler may,
 * whatever it has interrupted. */
void hak_heap_leave(struct heap *const *heaps, void *block);

/* Moves those of the blocks from `first` on whose page-map entries are as the first one's, `entry`, in the bits of
 * `compared` to its side; where they end. Not inlined: it is part of the longest way down. */
__attribute__((noinline)) unsigned hak_heap_gather(void **blocks, unsigned first, unsigned count, uint32_t entry,
                                                   uint32_t compared);

/* Empties the pending stack, waiting for the lock. */
void hak_heap_collect(struct heap *heap);

#endif
