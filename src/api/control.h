/* api/control.h
 * Purpose.     What is to be done beside the program's calls: requests of `hakmem trim` and `hakmem set`, which tools
 *              leave in hak_view.control, and statistics that are due (report.h).
 * Design.      No signal and no thread of its own: the next thread that is in a slow path does it, once the call's own
 *              work is over and no structure is half changed; or the background thread. Looking is one relaxed load.
 *              A cache belongs to its thread, so a trim is followed by every thread that has one, when it comes by
 *              next; a record that has no thread meanwhile by the next thread that gets it. Following empties the
 *              cache, and leaves what becomes free to the purge delay: were it purged at once, a thousand threads that
 *              follow would purge a thousand times what others are about to use again.
 * Concurrency. One thread at a time, by a word that is tried and never waited for: others go on with their calls.
 *              Following takes no turn.
 */
#ifndef HAK_API_CONTROL_H
#define HAK_API_CONTROL_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "heap/thread.h"
#include "segment/view.h"

SLOW void hak_control_attend(void);

/* What the two words are while the calling thread has nothing to do: no attention, the trims that it has followed. */
HAK_TLS_SHARED uint64_t hak_control_quiet;

_Static_assert(offsetof(struct hak_control, trims) == sizeof(uint32_t) && offsetof(struct hak_view, control) % 8 == 0,
               "`attention` and `trims` are one load");

FAST bool hak_control_is_due(void) {
    typedef uint64_t two_words __attribute__((may_alias));
    return load_relaxed((const two_words *)(const void *)&hak_view.control) != hak_control_quiet;
}

/* Called where a thread has finished a slow path. */
FAST void hak_control_tick(void) {
    if (unlikely(hak_control_is_due()))
        hak_control_attend();
}

/* In a fork's child: what its parent was asked is the parent's to do. */
void hak_control_forked(void);

#endif
