/* heap/thread_capacity.h
 * Purpose.     How many blocks the lists of a thread may hold.
 * Design.      A class begins with a few, its capacity, and gets twice as many each time these have proved too few. A
 *              list is looked at when its countdown of frees ends, so that it may be too long by as many frees as are
 *              worth a look: its excess.
 *              The capacities of a thread add up to HAK_THREAD_CACHE_BYTES and what its classes began with. So it is
 *              for a few threads, or one for each cpu; if more have caches, each has its share of what these would
 *              have, and more as long as the others leave it some. And it has to earn it, since most threads of many do
 *              little and then wait: its lists grow by a part of what goes through it. What is beyond gets a capacity
 *              of 1, and goes to others at once (doc/decisions/026).
 * Invariants.  cache_bytes == sum of the capacities above 1 in bytes
 * Concurrency. A record belongs to its thread. The share of each is one word that births and ends change, what all have
 *              another one that they change themselves.
 * Not here.    When a list is filled and what becomes of blocks that are too many (thread.c).
 */
#ifndef HAK_HEAP_THREAD_CAPACITY_H
#define HAK_HEAP_THREAD_CAPACITY_H

#include "base/bits.h"
#include "base/figures.h"
#include "heap/thread.h"

/* What the capacities of each thread may add up to, whatever the others have: HAK_THREAD_CACHE_BYTES, or less if many
 * threads have caches. */
extern size_t hak_thread_share;

/* To be called when the number of threads with a record has changed. `few`: so many may have all. */
void hak_thread_share_among(uint32_t threads, uint32_t few);

FAST bool threads_are_many(void) {
    return load_relaxed(&hak_thread_share) < HAK_THREAD_CACHE_BYTES;
}

FAST int32_t length_of(const struct thread *thread, unsigned size_class) {
    return (int32_t)figures_length(&thread->view, size_class);
}

/* What a full list gives back in all. */
FAST int32_t share_of(int32_t capacity) {
    return capacity / 2 < HAK_RETURN_MAX ? (capacity + 1) / 2 : HAK_RETURN_MAX;
}

/* Opens a class that the thread has not used yet: a few blocks of room. What a record holds of other classes is not
 * touched, at birth and end either. */
void hak_capacity_open(struct thread *thread, unsigned size_class);

/* Closes it. Its list is empty. */
void hak_capacity_close(struct thread *thread, unsigned size_class);

/* When all are closed: begins anew. A record that a fork's child adopts may have counted otherwise. */
void hak_capacity_forget(struct thread *thread);

/* Twice the capacity for a class whose has proved too small, as far as the limits go; false if they are reached. */
bool hak_capacity_grow(struct thread *thread, unsigned size_class);

/* Less capacity by half of what is given back at once: the list shrinks as fast as it is given back from. Not less than
 * is worth the way to the heap. */
void hak_capacity_shrink(struct thread *thread, unsigned size_class);

/* True if it is only for what others have that the class cannot grow. */
bool hak_capacity_is_short(const struct thread *thread, unsigned size_class);

/* Half the capacity, 1 at least: another class needs it more. */
void hak_capacity_halve(struct thread *thread, unsigned size_class);

/* Until the next look at a list of the given length: as many frees as it has room for, but never so few that looking
 * costs more than the frees; the list may be longer than its capacity by these, HAK_EXCESS_MAX at most. None if blocks
 * of the class are not kept. */
void hak_capacity_admit(struct thread *thread, unsigned size_class, int32_t length);

/* Notes that blocks of so many bytes came from the heap, or go to others. */
FAST void capacity_earn(struct thread *thread, size_t bytes) {
    thread->earned_bytes += bytes / HAK_CACHE_EARNED_PART;
}

/* What may wait in the thread's outbox: HAK_OUTBOX_BYTES, or half of what its caches may grow to, if that is less. */
size_t hak_capacity_outbox(const struct thread *thread);

#endif
