/* api/limit.h
 * Purpose.     Where the limits come from, and who is told when one is crossed.
 * Design.      The options' limits hold as they are. What the control group may have is the whole of it, programs' code
 *              and stacks and other processes too, so hakmem only gets careful: its soft limit is nine tenths of that.
 *              The files are read at start and never again: a sandbox that kills a process for opening a file is
 *              entered later.
 * Not here.    What a limit leads to (segment/limit.h).
 */
#ifndef HAK_API_LIMIT_H
#define HAK_API_LIMIT_H

#include "base/atomic.h"
#include "segment/limit.h"

/* Reads what the control group may have, and puts the limits in force. How many cpus the process may use. */
unsigned hak_limit_start(void);

/* Puts the limits in force as the options say by now. */
void hak_limit_apply(void);

SLOW void hak_limit_tell(void);

/* Tells of a crossing, if there was one. On slow paths, without a lock. Keeps errno. */
FAST void limit_tell(void) {
    if (unlikely(load_relaxed(&hak_limits.untold) != 0))
        hak_limit_tell();
}

#endif
