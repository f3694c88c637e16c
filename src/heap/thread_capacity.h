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
#include "base/options.h"
#include "base/size_class.h"
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

/* ---- how many frees until the next look at a list ---- */

enum { HALF_SLAB = HAK_GRANULE_SIZE / 2 };

/* How many blocks a Tiny list of this capacity may be too long by: what it gives back in all, or as many as fit half a
 * slab or HAKMEM_CACHE_BYTES, if threads are few. Mid lists are counted exactly. */
FAST int32_t excess_of(unsigned size_class, int32_t capacity, bool many) {
    if (size_class > HAK_TINY_CLASSES || capacity == 0)
        return 0;
    int32_t least = hak_size_class[size_class].capacity / 2, share = share_of(capacity);
    int64_t bytes = load_relaxed(&hak_options.cache_bytes);
    if (unlikely(bytes < HALF_SLAB))
        least = (int32_t)(least * bytes / HALF_SLAB);
    least = least < HAK_RETURN_MAX ? least : HAK_RETURN_MAX;
    return least > share && likely(!many) ? least : share;
}

/* The same for a list that is too long already: fewer than it gives back in one call. */
FAST int32_t further_excess_of(int32_t capacity, bool many) {
    return many && share_of(capacity) < HAK_FLUSH_MAX / 2 ? share_of(capacity) : HAK_FLUSH_MAX / 2;
}

/* The same for a class of which the record's threads have taken at least half as many as they have given, since its
 * list hardly grows between two looks as long as that goes on: a share of what the thread's caches have not grown to,
 * so that the sum over all classes is bounded. 0 for others. */
int32_t hak_capacity_excess_in_balance(const struct thread *thread, unsigned size_class);

/* False if threads are few and that share is no more than what any list may be too long by. */
FAST bool has_room(const struct thread *thread, bool many) {
    return many || thread->cache_bytes - thread->begun_bytes < HAK_THREAD_CACHE_BYTES - HAK_EXCESS_SHARE * HALF_SLAB;
}

FAST void set_frees_left(struct thread *thread, unsigned size_class, int32_t left) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    owner_add(&thread->view.flow[size_class].frees_end, (uint64_t)(int64_t)(left - slot->frees_left));
    owner_store(&slot->frees_left, left);
}

/* Until the next look at a list of the given length, of a class that is kept: as many frees as it has room for, but
 * never so few that looking costs more than the frees; the list may be longer than its capacity by these,
 * HAK_EXCESS_MAX at most. */
FAST void capacity_admit(struct thread *thread, unsigned size_class, int32_t length) {
    int32_t capacity = owner_load(&thread->view.flow[size_class].capacity), left = capacity - length;
    bool many = threads_are_many();
    if (left < HAK_RETURN_MAX) {
        bool fits = left > 0 || capacity == 0;
        int32_t least = fits ? excess_of(size_class, capacity, many) : further_excess_of(capacity, many);
        left = left < least ? least : left;
    }
    if (length < capacity && has_room(thread, many)) {
        int32_t more = hak_capacity_excess_in_balance(thread, size_class);
        left = left < more ? more : left;
    }
    set_frees_left(thread, size_class, left);
}

/* The same where it is seldom, for one copy of it; none if blocks of the class are not kept. */
void hak_capacity_admit(struct thread *thread, unsigned size_class, int32_t length);

/* ---- what a thread has earned ---- */

/* Notes that blocks of so many bytes came from the heap, or go to others. */
FAST void capacity_earn(struct thread *thread, size_t bytes) {
    thread->earned_bytes += bytes / HAK_CACHE_EARNED_PART;
}

/* What may wait in the thread's outbox: HAK_OUTBOX_BYTES, or half of what its caches may grow to, if that is less. */
size_t hak_capacity_outbox(const struct thread *thread);

#endif
