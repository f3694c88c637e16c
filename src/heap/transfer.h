/* heap/transfer.h
 * Purpose.     Free blocks of one class that wait between two threads' caches.
 * Design.      An array of addresses: what one thread gives back another one takes, and neither a slab nor a bit nor
 *              the block itself is touched on the way in. A block that any thread may use (HAK_SHARED_MIN_BYTES) waits
 *              in one place for all heaps, so that blocks do not gather where they are not wanted; a smaller one must
 *              go back to the threads of its own heap, and waits there. (S. Ghemawat, "TCMalloc: Thread-Caching
 *              Malloc", has transfer caches between its threads' and central lists.)
 *              Nobody waits for another thread: who finds one at work goes to the heap, as if this were empty or full.
 *              What has not been wanted for a quarter of the purge delay goes home, the oldest first.
 * Invariants.  least <= count <= room; `least` is what count has come down to since the last look (in a fork's child it
 *              may be more)
 *              A block that waits here is not free in its slab.
 * Concurrency. `busy` is tried, never waited for, so it has no rank. `count` is changed last by who puts and first by
 *              who takes: a fork at any moment loses blocks of the child's copy, and gives none twice.
 */
#ifndef HAK_HEAP_TRANSFER_H
#define HAK_HEAP_TRANSFER_H

#include "base/size_class.h"
#include "heap/heap.h"

/* Those for blocks of any heap, by class; those below HAK_HOME_CLASSES are not used. */
extern struct transfer hak_transfers[HAK_CLASS_COUNT];

FAST struct transfer *transfer_of(struct heap *heap, unsigned size_class) {
    return class_is_shared(size_class) ? &hak_transfers[size_class] : &heap->transfer[size_class];
}

/* Whether some may hold blocks, and whether a round of cooling has begun: a hint, set by who puts and cleared by who
 * begins a round. Atomic (relaxed). */
extern uint8_t hak_transfer_any;
enum { HAK_TRANSFER_NONE, HAK_TRANSFER_SOME, HAK_TRANSFER_COOLING };

/* Takes up to `want` blocks, those that came last. How many. */
unsigned hak_transfer_take(struct transfer *transfer, unsigned want, void **blocks);

/* Puts the first of `count` blocks of the class, as many as there is room for; how many. The same one twice in a row is
 * reported, and put once. */
unsigned hak_transfer_put(struct heap *heap, unsigned size_class, void *const *blocks, unsigned count);

/* Sends home what was not wanted since the last time, up to about `most` blocks; how many. Fewer than `most`: that was
 * all, and from now on it counts anew what is wanted. */
unsigned hak_transfer_cool(struct transfer *transfer, struct heap *const *heaps, unsigned most);

/* Sends everything home. */
void hak_transfer_empty(struct transfer *transfer, struct heap *const *heaps);

/* In a fork's child, whose only thread had this id in the parent: nobody else is at work. */
void hak_transfer_forked(struct transfer *transfer, uint32_t forked);

#endif
