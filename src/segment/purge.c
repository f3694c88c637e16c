/* segment/purge.c
 * Purpose.     See purge.h.
 */
#include "segment/purge.h"

#include "base/bits.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/view.h"

/* Units purged by one tick. */
#define TICK_UNITS 8

/* Arena lock. */
static struct {
    uint64_t wanted_back; /* bytes that may be retained whatever the fixed limits say; read without the lock */
    uint64_t excess_ms;   /* when pages were last purged for being too many; 0: never, or long ago */
} learned;

/* Since when the oldest unit has been dirty, or earlier: no unit becomes older, and new ones queue behind it. So that a
 * look at the clock is all that most ticks take. Written under the arena lock, read without. */
static uint64_t oldest_since_ms;

static struct superslab *oldest(void) {
    return list_is_empty(&hak_purge_queue) ? NULL : container_of(hak_purge_queue.next, struct superslab, purge);
}

/* The bit run of ones in `set` that holds the bit `at`. */
static uint64_t run_around(uint64_t set, unsigned at) {
    unsigned up = bits_run_length(set, at);
    uint64_t below = ~(set << (63 - at));
    unsigned down = below == 0 ? 64 : 63 - bits_log2(below);
    return bits_range(at + 1 - down, up + down - 1);
}

/* One system call per run of free granules with dirty ones among them: a huge page that one of them made resident
 * reaches over its neighbours. If the kernel refuses, the unit waits for another delay. */
static bool purge_unit(struct superslab *unit) {
    while (unit->dirty != 0) {
        uint64_t run = run_around(unit->free, bits_lowest(unit->dirty));
        void *start = (void *)(unit->base + bits_lowest(run) * HAK_GRANULE_SIZE);
        size_t bytes = (size_t)__builtin_popcountll(run) << HAK_GRANULE_SHIFT;
        if (hak_os_purge(start, bytes) != 0) {
            unit->dirty_since = hak_os_now_ms();
            list_remove(&unit->purge);
            list_push_back(&hak_purge_queue, &unit->purge);
            return false;
        }
        owner_add(&hak_view.purged_bytes, (uint64_t)__builtin_popcountll(run & unit->dirty) << HAK_GRANULE_SHIFT);
        hak_unit_remove_dirty(unit, run);
    }
    return true;
}

/* `now` may have been read before a unit became dirty. */
static bool is_due(uint64_t dirty_since, uint64_t now) {
    return now >= dirty_since + (uint64_t)hak_options.purge_delay;
}

void hak_purge_tick(void) {
    if (load_relaxed(&hak_view.retained_bytes) == 0)
        return;
    uint64_t now = hak_os_now_ms();
    if (!is_due(load_relaxed(&oldest_since_ms), now) || !lock_try(hak_arena_lock()))
        return;
    struct superslab *unit = oldest();
    for (unsigned i = 0; i < TICK_UNITS && unit != NULL && is_due(unit->dirty_since, now) && purge_unit(unit); i++) {
        owner_add(&learned.wanted_back, -(learned.wanted_back / 8));
        unit = oldest();
    }
    store_relaxed(&oldest_since_ms, unit != NULL ? unit->dirty_since : now);
    lock_release(hak_arena_lock());
}

static uint64_t retained_limit(void) {
    uint64_t limit = load_relaxed(&hak_view.active_bytes) / 4;
    if (limit < HAK_RETAINED_MIN_BYTES)
        limit = HAK_RETAINED_MIN_BYTES;
    if (limit < load_relaxed(&learned.wanted_back))
        limit = load_relaxed(&learned.wanted_back);
    return hak_options.purge_delay == 0 ? 0 : limit;
}

/* Purges the oldest unit. False if there is none or the kernel refuses. */
static bool purge_oldest(bool excess) {
    lock_acquire(hak_arena_lock());
    struct superslab *unit = oldest();
    bool done = unit != NULL && purge_unit(unit);
    if (done && excess)
        learned.excess_ms = hak_os_now_ms();
    bool awaited = lock_is_awaited(hak_arena_lock());
    lock_release(hak_arena_lock());
    /* The lock is not fair, and the next purge would take it again before a sleeper is awake. */
    if (awaited)
        hak_os_yield();
    return done;
}

void hak_purge_excess(void) {
    while (load_relaxed(&hak_view.retained_bytes) > retained_limit()) {
        if (!purge_oldest(true))
            break;
    }
}

void hak_purge_regret(uint64_t bytes) {
    if (learned.excess_ms == 0 || bytes == 0)
        return;
    if (hak_os_now_ms() - learned.excess_ms > (uint64_t)hak_options.purge_delay)
        learned.excess_ms = 0;
    else if (learned.wanted_back < hak_view.committed_bytes)
        owner_add(&learned.wanted_back, bytes);
}

bool hak_purge_all(void) {
    lock_acquire(hak_arena_lock());
    bool any = hak_arena_release_unused();
    lock_release(hak_arena_lock());
    while (purge_oldest(false))
        any = true;
    return any;
}
