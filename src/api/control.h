/* api/control.h
 * Purpose.     What is to be done beside the program's calls: requests of `hakmem trim` and `hakmem set`, which tools
 *              leave in hak_view.control, and statistics that are due (report.h).
 * Design.      No signal and no thread of its own: the next thread that is in a slow path does it, once the call's own
 *              work is over and no structure is half changed; or the background thread. Looking is one relaxed load.
 * Concurrency. One thread at a time, by a word that is tried and never waited for: others go on with their calls.
 */
#ifndef HAK_API_CONTROL_H
#define HAK_API_CONTROL_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "segment/view.h"

SLOW void hak_control_attend(void);

/* Called where a thread has finished a slow path. */
FAST void hak_control_tick(void) {
    if (unlikely(load_relaxed(&hak_view.control.attention) != 0))
        hak_control_attend();
}

/* In a fork's child: what its parent was asked is the parent's to do. */
void hak_control_forked(void);

#endif
