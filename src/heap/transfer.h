/* heap/transfer.h
 * Purpose.     Free blocks of one class that wait between two threads' caches.
 * Design.      An array of addresses: what one thread gives back another one takes, and neither a slab nor a bit nor
 *              the block itself is touched on the way. There is one place for each class, whichever heap a block is
 *              of, so that blocks do not gather where they are not wanted. (S. Ghemawat, "TCMalloc: Thread-Caching
 *              Malloc", has transfer caches between its threads' and central lists.)
 *              Nobody waits for another thread: who finds one at work goes to the heap, as if this were empty or full.
 *              What has not been wanted for a quarter of the purge delay goes home, the oldest first; and before that
 *              if the thread that put some last does not use the class any more (thread.c).
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

struct transfer {
    _Alignas(HAK_CACHE_LINE) uint32_t busy; /* atomic: id of the thread that is at work here, 0 for nobody */
    uint32_t count;                         /* atomic: changed by that thread, a hint to others */
    uint32_t least;                         /* that thread's */
    uint32_t room;                          /* atomic: const once it is not 0 */
    void **block;                           /* room for so many; const with it; what is there is that thread's */
    uint32_t giver;                         /* atomic: who put some last; set by that thread, a hint to others */
};

/* By class. */
extern struct transfer hak_transfers[HAK_CLASS_COUNT];

/* Whether some may hold blocks, and whether a round of cooling has begun: a hint, set by who puts and cleared by who
 * begins a round. Atomic (relaxed). */
extern uint8_t hak_transfer_any;
enum { HAK_TRANSFER_NONE, HAK_TRANSFER_SOME, HAK_TRANSFER_COOLING };

/* Takes up to `want` blocks of a class, those that came last. How many, and whether another thread put some last. */
unsigned hak_transfer_take(unsigned size_class, unsigned want, void **blocks, bool *by_another);

/* Puts the first of `count` blocks of a class, as many as there is room for; how many. The same one twice in a row is
 * reported, and put once. */
unsigned hak_transfer_put(unsigned size_class, void *const *blocks, unsigned count);

/* Sends home what was not wanted since the last time, up to about `most` blocks; how many. Fewer than `most`: that was
 * all, and from now on it counts anew what is wanted. */
unsigned hak_transfer_cool(struct transfer *transfer, struct heap *const *heaps, unsigned most);

/* True if it may hold blocks of which the calling thread put some last. */
static inline bool transfer_is_own(const struct transfer *transfer) {
    return load_relaxed(&transfer->count) != 0 && load_relaxed(&transfer->giver) == hak_lock_self();
}

/* Sends everything home. */
void hak_transfer_empty(struct transfer *transfer, struct heap *const *heaps);

/* In a fork's child, whose only thread had this id in the parent: nobody else is at work. */
void hak_transfer_forked(struct transfer *transfer, uint32_t forked);

#endif
