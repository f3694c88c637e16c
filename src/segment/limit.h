/* segment/limit.h
 * Purpose.     How much memory hakmem may use, and where that is noticed.
 * Design.      In use is what is in slabs and blocks and what metadata takes. Free pages that wait do not count, since
 *              no more of them may wait than there is room for (purge.c): what is used, retained and metadata together
 *              stays below a limit as long as what is in use does. (A thread's record, which is metadata alone, takes
 *              from what is retained only at the next slow path.) Above the soft limit nothing waits; what would go
 *              above the hard one is refused.
 *              Whatever takes granules, maps a block, or makes either larger asks first. The limits are plain values
 *              from above, and so is the answer to who is told: a crossing is noted, for api/ to tell it when no lock
 *              is held. It is noted once, and again only after the use has been an eighth below the limit.
 *              The limits themselves are hak_view.limit_bytes, for tools to see.
 * Concurrency. Values are written under the arena lock; those who ask hold it too, metadata apart. doc/CONCURRENCY.md.
 * Not here.    Where the limits come from, and the telling (api/limit.h).
 */
#ifndef HAK_SEGMENT_LIMIT_H
#define HAK_SEGMENT_LIMIT_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "segment/view.h"

extern struct limits {
    uint64_t lowest_bytes; /* the lower of hak_view.limit_bytes */
    uint64_t quiet_bytes;  /* up to here there is nothing to refuse and to note; 0 while something has been noted */
    uint32_t noted;        /* a bit per limit that has been crossed, until the use was far below */
    uint32_t untold;       /* of those, the ones that nobody has been told of */
} hak_limits;

/* Sets the limits; HAK_LIMIT_NONE for none. Takes the arena lock. */
void hak_limit_set(uint64_t soft_bytes, uint64_t hard_bytes);

SLOW bool hak_limit_weigh(uint64_t used, uint64_t bytes);

FAST uint64_t limit_used(void) {
    return load_relaxed(&hak_view.active_bytes) + load_relaxed(&hak_view.metadata_bytes);
}

/* False if no `bytes` more may be used. They are below 2^63 + 2^62. */
FAST bool limit_admits(uint64_t bytes) {
    uint64_t used = limit_used();
    return likely(used + bytes <= load_relaxed(&hak_limits.quiet_bytes)) || hak_limit_weigh(used, bytes);
}

/* The same, with nothing noted: for what can be done without. */
FAST bool limit_would_admit(uint64_t bytes) {
    return limit_used() + bytes <= load_relaxed(&hak_view.limit_bytes[HAK_LIMIT_HARD]);
}

/* Takes back the note of a refusal. */
FAST void limit_forget_refusal(void) {
    (void)fetch_and_relaxed(&hak_limits.untold, ~(1u << HAK_LIMIT_HARD));
}

/* How much may be retained as far as the limits are concerned. */
FAST uint64_t limit_room(void) {
    uint64_t used = limit_used();
    uint64_t lowest = load_relaxed(&hak_limits.lowest_bytes);
    return used < lowest ? lowest - used : 0;
}

#endif
