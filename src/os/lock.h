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
#include "os/counters.h"

/* The order in which locks are taken. */
enum lock_rank { LOCK_RANK_THREADS, LOCK_RANK_HEAP, LOCK_RANK_ARENA, LOCK_RANK_META };

struct lock {
    uint32_t word;             /* atomic: acquired with acquire, released with seq_cst */
    uint16_t rank;             /* const: enum lock_rank */
    uint8_t fork;              /* enum lock_fork; the forking thread's */
    COUNT_ONLY(uint32_t last;) /* who held it last; the holder's */
};

/* What a fork found and did. */
enum lock_fork {
    LOCK_FORK_TAKEN,   /* was another's or nobody's; taken for the fork */
    LOCK_FORK_KEPT,    /* was the forking thread's own: a signal handler forks inside a critical section */
    LOCK_FORK_SKIPPED, /* could not be had, since its holder waits for a lock that is kept */
};

#define LOCK_CONTENDED 0x80000000u

/* The calling thread's id as locks see it, never 0. */
uint32_t hak_lock_self(void);

/* Around a fork, for each lock in order. `bounded`: some lock is kept, so that waiting for another one may never end;
 * it is then skipped, which is sound because every lock is asked for at points where what its asker holds is whole. */
void hak_lock_prefork(struct lock *lock, bool bounded);
void hak_lock_postfork_parent(struct lock *lock);

/* In the child, whose only thread has a new id: the first time by hak_lock_self_forked. */
void hak_lock_self_forked(void);
void hak_lock_postfork_child(struct lock *lock);

SLOW bool hak_lock_acquire_slow(struct lock *lock, uint32_t self, uint32_t timeout_ms);
SLOW void hak_lock_wake(struct lock *lock);

void hak_lock_note_acquired(const struct lock *lock);
void hak_lock_note_released(const struct lock *lock);

#if HAK_STATS
static inline void count_taken(struct lock *lock, uint32_t self) {
    COUNT_RANKED(LOCK, lock->rank);
    if (lock->last != self)
        COUNT_RANKED(MOVED, lock->rank);
    lock->last = self;
}
#define COUNT_TAKEN(lock, self) count_taken(lock, self)
#else
#define COUNT_TAKEN(lock, self) ((void)0)
#endif

/* Sequentially consistent for the same reason as lock_release. */
static inline bool lock_try(struct lock *lock) {
    uint32_t expected = 0;
    uint32_t self = hak_lock_self();
    if (!cas_seq_cst(&lock->word, &expected, self)) {
        COUNT(TRY_FAILED);
        return false;
    }
    COUNT_TAKEN(lock, self);
    if (HAK_DEBUG)
        hak_lock_note_acquired(lock);
    return true;
}

static inline void lock_acquire(struct lock *lock) {
    uint32_t expected = 0;
    uint32_t self = hak_lock_self();
    if (!cas_acquire(&lock->word, &expected, self))
        (void)hak_lock_acquire_slow(lock, self, 0);
    COUNT_TAKEN(lock, self);
    if (HAK_DEBUG)
        hak_lock_note_acquired(lock);
}

/* Sequentially consistent, since a heap's holder looks at its pending stack after letting go. */
static inline void lock_release(struct lock *lock) {
    if (HAK_DEBUG)
        hak_lock_note_released(lock);
    if (exchange_seq_cst(&lock->word, 0u) & LOCK_CONTENDED)
        hak_lock_wake(lock);
}

/* True if somebody may be sleeping on it. */
static inline bool lock_is_awaited(struct lock *lock) {
    return (load_relaxed(&lock->word) & LOCK_CONTENDED) != 0;
}

static inline bool lock_is_mine(struct lock *lock) {
    return (load_relaxed(&lock->word) & ~LOCK_CONTENDED) == hak_lock_self();
}

#endif
