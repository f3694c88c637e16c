/* segment/limit.c
 * Purpose.     See limit.h.
 */
#include "segment/limit.h"

#include "segment/arena.h"

struct limits hak_limits = {.lowest_bytes = HAK_LIMIT_NONE, .quiet_bytes = HAK_LIMIT_NONE};

void hak_limit_set(uint64_t soft_bytes, uint64_t hard_bytes) {
    uint64_t lowest = least(soft_bytes, hard_bytes);
    lock_acquire(hak_arena_lock());
    store_relaxed(&hak_view.limit_bytes[HAK_LIMIT_SOFT], soft_bytes);
    store_relaxed(&hak_view.limit_bytes[HAK_LIMIT_HARD], hard_bytes);
    store_relaxed(&hak_limits.lowest_bytes, lowest);
    store_relaxed(&hak_limits.quiet_bytes, lowest);
    store_relaxed(&hak_limits.noted, 0);
    lock_release(hak_arena_lock());
}

static bool crosses(enum hak_limit limit, uint64_t used, uint64_t bytes) {
    uint64_t most = load_relaxed(&hak_view.limit_bytes[limit]);
    uint32_t bit = 1u << limit;
    if (used <= most - most / 8)
        (void)fetch_and_relaxed(&hak_limits.noted, ~bit);
    if (used + bytes <= most)
        return false;
    if ((fetch_or_relaxed(&hak_limits.noted, bit) & bit) == 0)
        (void)fetch_or_relaxed(&hak_limits.untold, bit);
    return true;
}

bool hak_limit_weigh(uint64_t used, uint64_t bytes) {
    bool refused = crosses(HAK_LIMIT_HARD, used, bytes);
    if (!refused)
        (void)crosses(HAK_LIMIT_SOFT, used, bytes);
    bool quiet = load_relaxed(&hak_limits.noted) == 0;
    store_relaxed(&hak_limits.quiet_bytes, quiet ? load_relaxed(&hak_limits.lowest_bytes) : 0);
    return !refused;
}
