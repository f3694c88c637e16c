/* os/lock.h
 * Purpose.     A futex lock that knows its rank and its owner.
 * Design.      The word is 0 (free) or the owner's thread id, with one bit set while somebody may sleep on it
 *              (U. Drepper, "Futexes are tricky", mutex 2). The owner is in the word itself, so that a fork from a
 *              signal handler can tell a lock that its own thread holds: it must neither wait for it nor release it.
 * Invariants.  A thread takes locks in rising rank; heaps among themselves in rising id. Checked in debug builds.
 * Concurrency. doc/CONCURRENCY.md, "Locks".
 */
#ifndef HAK_OS_LOCK_H
#define HAK_OS_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/compiler.h"

/* The order in which locks are taken. */
enum lock_rank { LOCK_RANK_THREADS, LOCK_RANK_HEAP, LOCK_RANK_ARENA, LOCK_RANK_META };

struct lock {
    uint32_t word; /* atomic: acquired with acquire, released with seq_cst */
    uint16_t rank; /* const: enum lock_rank */
    bool kept;     /* the forking thread held it before the fork; written by the holder */
};

#define LOCK_CONTENDED 0x80000000u

/* The calling thread's id as locks see it, never 0. */
uint32_t hak_lock_self(void);

/* To be called in a fork's child, whose only thread has a new id. */
void hak_lock_self_forked(void);

SLOW void hak_lock_acquire_slow(struct lock *lock, uint32_t self);
SLOW void hak_lock_wake(struct lock *lock);

void hak_lock_note_acquired(const struct lock *lock);
void hak_lock_note_released(const struct lock *lock);

static inline bool lock_try(struct lock *lock)
{
    uint32_t expected = 0;
    if (!cas_acquire(&lock->word, &expected, hak_lock_self()))
        return false;
    if (HAK_DEBUG)
        hak_lock_note_acquired(lock);
    return true;
}

static inline void lock_acquire(struct lock *lock)
{
    uint32_t expected = 0;
    uint32_t self = hak_lock_self();
    if (!cas_acquire(&lock->word, &expected, self))
        hak_lock_acquire_slow(lock, self);
    if (HAK_DEBUG)
        hak_lock_note_acquired(lock);
}

/* Sequentially consistent, since a heap's holder looks at its pending stack after letting go. */
static inline void lock_release(struct lock *lock)
{
    if (HAK_DEBUG)
        hak_lock_note_released(lock);
    if (exchange_seq_cst(&lock->word, 0u) & LOCK_CONTENDED)
        hak_lock_wake(lock);
}

/* In a fork's child, for a lock that the parent's forking thread held: free, unless it was held before the fork. */
static inline void lock_reset_forked(struct lock *lock)
{
    store_relaxed(&lock->word, lock->kept ? hak_lock_self() : 0u);
    lock->kept = false;
}

static inline bool lock_is_mine(struct lock *lock)
{
    return (load_relaxed(&lock->word) & ~LOCK_CONTENDED) == hak_lock_self();
}

#endif
