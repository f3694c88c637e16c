/* heap/thread_capacity.h
 * Purpose.     How many blocks the lists of a thread may hold.
 * Design.      A class begins with a few, its capacity, and gets twice as many each time these have proved too few. A
 *              list is looked at when its countdown of frees ends. Whether the thread takes of the class what it frees
 *              is weighed then, by what went in and out of late: if it does, its list may be as long as its capacity,
 *              and too long by as many frees as are worth a look; if not, blocks are on their way to others, and the
 *              list is no more than what it takes to pass them on in batches.
 *              The list is an array that is replaced by one of twice the size when it is too small.
 *              A class that is not used for a while gives up what its list holds, and begins anew (decisions/031).
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
    return (int32_t)figures_length(&thread->view.slot[size_class], &thread->view.flow[size_class]);
}

/* True if the thread has used the class since it was closed last. */
FAST bool class_is_open(const struct thread *thread, unsigned size_class) {
    return (thread->used[size_class / 64] >> size_class % 64 & 1) != 0;
}

/* What a full list gives back in all. */
FAST int32_t share_of(int32_t capacity) {
    return capacity / 2 < HAK_RETURN_MAX ? (capacity + 1) / 2 : HAK_RETURN_MAX;
}

/* Opens a class that the thread has not used yet. What a record holds of other classes is not touched, at birth and end
 * either. */
void hak_capacity_open(struct thread *thread, unsigned size_class);

/* Closes it. Its list is empty. Its array is given back, unless it is short and the record keeps it for its next
 * thread. */
void hak_capacity_close(struct thread *thread, unsigned size_class, bool keeps_array);

/* True if a class has more than it begins with, or a long array, though its list may be empty. */
bool hak_capacity_has_grown(const struct thread *thread, unsigned size_class);

/* Has a class that the thread does not use begin anew. Its list is empty. */
void hak_capacity_restart(struct thread *thread, unsigned size_class);

/* Gives back the arrays of all classes that are closed. */
void hak_capacity_give_arrays(struct thread *thread);

/* When all are closed: begins anew. A record that a fork's child adopts may have counted otherwise. */
void hak_capacity_forget(struct thread *thread);

/* Twice the capacity for a class whose has proved too small, as far as the limits go; false if they are reached. */
bool hak_capacity_grow(struct thread *thread, unsigned size_class);

/* No more capacity than the class may have, if its blocks have turned out to go round. */
void hak_capacity_clip(struct thread *thread, unsigned size_class);

/* Less capacity by half of what is given back at once: the list shrinks as fast as it is given back from. Not less than
 * is worth the way to the heap. */
void hak_capacity_shrink(struct thread *thread, unsigned size_class);

/* True if it is only for what others have that the class cannot grow. */
bool hak_capacity_is_short(const struct thread *thread, unsigned size_class);

/* Half the capacity, 1 at least: another class needs it more. */
void hak_capacity_halve(struct thread *thread, unsigned size_class);

/* ---- how many frees until the next look at a list ---- */

/* Moves words of a class that count together, between the two. A fork may have left a record in between. */
FAST void flow_begin(struct hak_flow *flow) {
    store_relaxed(&flow->moves, flow->moves | 1);
}
FAST void flow_end(struct hak_flow *flow) {
    store_release(&flow->moves, flow->moves + 1);
}

/* Room for so many addresses. False if memory is out: there is what there was. */
bool hak_capacity_widen(struct thread *thread, unsigned size_class, int32_t room);

/* Where threads are many and have that share each. */
size_t hak_capacity_limit_of_many(const struct thread *thread, size_t share);

/* What the capacities of the thread's classes may add up to. Where threads are few, what a class begins with is not
 * taken from the others. */
FAST size_t capacity_limit(const struct thread *thread) {
    size_t share = load_relaxed(&hak_thread_share);
    return likely(share == HAK_THREAD_CACHE_BYTES) ? share + thread->begun_bytes
                                                   : hak_capacity_limit_of_many(thread, share);
}

/* Weighs a class of which so many blocks were taken in all, the lower half of that, and so many freed since the last
 * time; then its countdown of frees has to be begun anew. True if the thread takes what it frees, by and large. */
FAST bool capacity_weigh(struct hak_flow *flow, uint32_t mallocs, int32_t freed) {
    int32_t taken = (int32_t)(mallocs - flow->mallocs_seen);
    int32_t balance = flow->balance + (taken < HAK_CACHE_BLOCKS ? taken : HAK_CACHE_BLOCKS) - freed / 2;
    balance = balance < flow->capacity ? balance : flow->capacity - 1;
    flow->mallocs_seen = mallocs;
    flow->balance = balance > 0 ? balance : 0;
    return balance > 0;
}

/* What a list that has room for `left` blocks may take in before it is looked at again, if its class is in balance:
 * since it hardly grows as long as that goes on, some more, or a share of what the thread's caches have not grown to,
 * so that the sum over all classes is bounded; a part of that, if its blocks go round among threads and lists wander;
 * and no more than twice what it took in before. */
FAST int32_t capacity_more(const struct thread *thread, unsigned size_class, int32_t left) {
    size_t most = capacity_limit(thread), grown = thread->cache_bytes;
    size_t bytes = likely(!threads_are_many()) ? HAK_EXCESS_BYTES : HAK_EXCESS_OF_MANY;
    if (unlikely(thread->circulates[size_class] != 0))
        bytes /= HAK_CIRCULATES_EXCESS;
    else if (most > grown && (most - grown) / HAK_EXCESS_SHARE > bytes)
        bytes = (most - grown) / HAK_EXCESS_SHARE;
    bytes = least(bytes, (size_t)load_relaxed(&hak_options.cache_bytes));
    int32_t more = (int32_t)((uint32_t)bytes / hak_size_class[size_class].size);
    int32_t twice = 2 * thread->view.flow[size_class].admitted;
    more = more < HAK_EXCESS_MIN ? HAK_EXCESS_MIN : more < HAK_EXCESS_MAX ? more : HAK_EXCESS_MAX;
    more = more < twice ? more : twice;
    return left < more ? more : left;
}

/* Begins a countdown of so many frees, or of as many as there are cells for. An array of twice the size for a few more
 * is not worth it. */
FAST void capacity_begin_countdown(struct thread *thread, unsigned size_class, int32_t length, int32_t left) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    struct hak_flow *flow = &thread->view.flow[size_class];
    int32_t room = slot->room - length;
    if (unlikely(room < left) && (room >= left - left / 4 || !hak_capacity_widen(thread, size_class, length + left)))
        left = room;
    flow_begin(flow);
    store_release(&flow->frees_end, flow->frees_end + (uint64_t)(int64_t)(left - slot->frees_left));
    store_release(&slot->frees_left, left);
    flow_end(flow);
    flow->admitted = left;
}

/* Begins the countdown for a list of the given length: as many frees as it has room for, but never so few that looking
 * costs more than the frees, if the class is in balance: then it may be longer than its capacity by these. If it is
 * still too long, half of what it has just given. None if there is no memory for it. */
void hak_capacity_admit(struct thread *thread, unsigned size_class, int32_t length, int32_t given);

/* What the list may hold: its capacity, or what it takes to pass blocks on, if the class is not in balance. */
int32_t hak_capacity_now(const struct thread *thread, unsigned size_class);

/* ---- what a thread has earned ---- */

/* Notes that blocks of so many bytes came from the heap, or go to others. */
FAST void capacity_earn(struct thread *thread, size_t bytes) {
    thread->earned_bytes += bytes / HAK_CACHE_EARNED_PART;
}

#endif
