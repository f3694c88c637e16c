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

uint32_t hak_lock_self(void)
{
    if (unlikely(lock_self == 0))
        lock_self = hak_os_thread_id();
    return lock_self;
}

void hak_lock_self_forked(void)
{
    lock_self = hak_os_thread_id();
#if HAK_DEBUG
    for (unsigned rank = 0; rank < 4; rank++)
        ranks_held[rank] = 0;
#endif
}

void hak_lock_acquire_slow(struct lock *lock, uint32_t self)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t expected = 0;
        if (load_relaxed(&lock->word) == 0 && cas_acquire(&lock->word, &expected, self))
            return;
        cpu_relax();
    }
    /* From here on the lock is taken with the contended bit: there may be other sleepers that we do not know of. */
    for (;;) {
        uint32_t seen = load_relaxed(&lock->word);
        if (seen == 0) {
            if (cas_acquire(&lock->word, &seen, self | LOCK_CONTENDED))
                return;
            continue;
        }
        if ((seen & LOCK_CONTENDED) == 0 && !cas_acquire(&lock->word, &seen, seen | LOCK_CONTENDED))
            continue;
        hak_os_futex_wait(&lock->word, seen | LOCK_CONTENDED, 0);
    }
}

void hak_lock_wake(struct lock *lock)
{
    hak_os_futex_wake(&lock->word, 1);
}

#if HAK_DEBUG
void hak_lock_note_acquired(const struct lock *lock)
{
    for (unsigned rank = lock->rank + 1u; rank < 4; rank++)
        hak_assert(ranks_held[rank] == 0);
    ranks_held[lock->rank]++;
}

void hak_lock_note_released(const struct lock *lock)
{
    hak_assert(ranks_held[lock->rank] > 0);
    ranks_held[lock->rank]--;
}
#else
void hak_lock_note_acquired(const struct lock *lock)
{
    (void)lock;
}

void hak_lock_note_released(const struct lock *lock)
{
    (void)lock;
}
#endif
