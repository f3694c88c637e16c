/* os/lock.c
 * Purpose.     The waiting side of lock.h, and the check of ranks.
 */
#include "os/lock.h"

#include "os/os.h"

HAK_TLS uint32_t lock_self;
#if HAK_DEBUG
HAK_TLS uint32_t ranks_held[4];
#endif

#define SPINS 100

uint32_t hak_lock_self(void) {
    if (unlikely(lock_self == 0))
        lock_self = hak_os_thread_id();
    return lock_self;
}

FAST bool take(struct lock *lock, uint32_t *expected, uint32_t value) {
    COUNT(ATOMIC_OTHER);
    return cas_acquire(&lock->word, expected, value);
}

bool hak_lock_acquire_slow(struct lock *lock, uint32_t self, uint32_t timeout_ms) {
    COUNT_RANKED(CONTENDED, lock->rank);
    for (int i = 0; i < SPINS; i++) {
        uint32_t expected = 0;
        if (load_relaxed(&lock->word) == 0 && take(lock, &expected, self))
            return true;
        cpu_relax();
    }
    uint64_t deadline = timeout_ms == 0 ? UINT64_MAX : hak_os_now_ms() + timeout_ms;
    /* From here on the lock is taken with the contended bit: there may be other sleepers that we do not know of. */
    for (;;) {
        uint32_t seen = load_relaxed(&lock->word);
        if (seen == 0) {
            if (take(lock, &seen, self | LOCK_CONTENDED))
                return true;
            continue;
        }
        if ((seen & LOCK_CONTENDED) == 0 && !take(lock, &seen, seen | LOCK_CONTENDED))
            continue;
        if (timeout_ms != 0 && hak_os_now_ms() >= deadline)
            return false;
        COUNT(FUTEX_WAITS);
        hak_os_futex_wait(&lock->word, seen | LOCK_CONTENDED, timeout_ms);
    }
}

/* ---- fork: past the check of ranks, since a kept lock may stand above those that are taken ---- */

#define FORK_WAIT_MS 1000

void hak_lock_prefork(struct lock *lock, bool bounded) {
    uint32_t expected = 0;
    uint32_t self = hak_lock_self();
    if (lock_is_mine(lock))
        lock->fork = LOCK_FORK_KEPT;
    else if (cas_acquire(&lock->word, &expected, self) || hak_lock_acquire_slow(lock, self, bounded ? FORK_WAIT_MS : 0))
        lock->fork = LOCK_FORK_TAKEN;
    else
        lock->fork = LOCK_FORK_SKIPPED;
    if (lock->fork == LOCK_FORK_TAKEN)
        COUNT_TAKEN(lock, self);
}

void hak_lock_postfork_parent(struct lock *lock) {
    if (lock->fork == LOCK_FORK_TAKEN && (exchange_seq_cst(&lock->word, 0u) & LOCK_CONTENDED))
        hak_lock_wake(lock);
}

void hak_lock_self_forked(void) {
    lock_self = hak_os_thread_id();
}

void hak_lock_postfork_child(struct lock *lock) {
    store_relaxed(&lock->word, lock->fork == LOCK_FORK_KEPT ? hak_lock_self() : 0u);
}

void hak_lock_wake(struct lock *lock) {
    hak_os_futex_wake(&lock->word, 1);
}

#if HAK_DEBUG
void hak_lock_note_acquired(const struct lock *lock) {
    for (unsigned rank = lock->rank + 1u; rank < 4; rank++)
        hak_assert(ranks_held[rank] == 0);
    ranks_held[lock->rank]++;
}

void hak_lock_note_released(const struct lock *lock) {
    hak_assert(ranks_held[lock->rank] > 0);
    ranks_held[lock->rank]--;
}
#else
void hak_lock_note_acquired(const struct lock *lock) {
    (void)lock;
}

void hak_lock_note_released(const struct lock *lock) {
    (void)lock;
}
#endif
