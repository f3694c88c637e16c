/* segment/purge.c
 * Purpose.     See purge.h.
 */
#include "segment/purge.h"

#include "base/bits.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/limit.h"
#include "segment/view.h"

/* Units purged by one tick. */
#define TICK_UNITS 8

/* Arena lock; read without it. */
static struct {
    uint64_t wanted_back; /* bytes that may be retained whatever else is said */
    uint64_t grown;       /* bytes to be purged for what was taken clean; at most what is retained beyond that */
} learned;

/* What proves to be wanted back speaks for so many times as much: to learn of a cycle piece by piece is to pay for all
 * of it (doc/decisions/010). */
#define WANTED_WEIGHT 8

/* What is grown by in steps smaller than this is not worth a system call each. */
#define GROWN_BYTES ((uint64_t)512 << 10)

/* Since when the oldest unit has been dirty, or earlier: no unit becomes older, and new ones queue behind it. So that a
 * look at the clock is all that most ticks take. Written under the arena lock, read without. */
static uint64_t oldest_since_ms;

static struct superslab *oldest(void) {
    return list_is_empty(&hak_purge_queue) ? NULL : container_of(hak_purge_queue.next, struct superslab, purge);
}

/* The run of ones in `set` that holds the bit `at`. */
static uint64_t run_around(uint64_t set, unsigned at) {
    unsigned start = bits_run_start(set, at);
    return bits_range(start, bits_run_length(set, start));
}

static uint64_t bytes_of(uint64_t granules) {
    return (uint64_t)__builtin_popcountll(granules) << HAK_GRANULE_SHIFT;
}

/* One system call per run of free granules with dirty ones among them: a huge page that one of them made resident
 * reaches over its neighbours. If the kernel refuses, the unit waits for another delay. */
static bool purge_unit(struct superslab *unit) {
    while (unit->dirty != 0) {
        uint64_t run = run_around(unit->free, bits_lowest(unit->dirty));
        void *start = (void *)(unit->base + bits_lowest(run) * HAK_GRANULE_SIZE);
        if (hak_os_purge(start, bytes_of(run)) != 0) {
            unit->dirty_since = hak_os_now_ms();
            list_remove(&unit->purge);
            list_push_back(&hak_purge_queue, &unit->purge);
            return false;
        }
        owner_add(&hak_view.purged_bytes, hak_unit_remove_dirty(unit, run));
    }
    return true;
}

/* `now` may have been read before a unit became dirty. */
static bool is_due(uint64_t dirty_since, uint64_t now) {
    return now >= dirty_since + (uint64_t)load_relaxed(&hak_options.purge_delay);
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
    return load_relaxed(&hak_options.purge_delay) == 0 ? 0 : least(limit, limit_room());
}

/* Purges the oldest unit. False if there is none or the kernel refuses. */
static bool purge_oldest(bool excess) {
    lock_acquire(hak_arena_lock());
    struct superslab *unit = oldest();
    uint64_t dirty = unit == NULL ? 0 : unit->dirty;
    bool done = unit != NULL && purge_unit(unit);
    /* What the kernel refuses to take is not asked for again at every turn. */
    if (excess && !done)
        store_relaxed(&learned.grown, 0);
    if (done && excess) {
        unit->exchanged |= dirty;
        unit->exchanged_at = hak_os_now_ms();
        store_relaxed(&learned.grown, learned.grown - least(learned.grown, bytes_of(dirty)));
    }
    bool awaited = lock_is_awaited(hak_arena_lock());
    lock_release(hak_arena_lock());
    /* The lock is not fair, and the next purge would take it again before a sleeper is awake. */
    if (awaited)
        hak_os_yield();
    return done;
}

void hak_purge_excess(void) {
    while (load_relaxed(&hak_view.retained_bytes) > retained_limit() || load_relaxed(&learned.grown) >= GROWN_BYTES) {
        if (!purge_oldest(true))
            break;
    }
}

void hak_purge_grown(struct superslab *unit, uint64_t granules, bool exchange) {
    uint64_t wanted = 0;
    if (unlikely(unit->exchanged != 0)) {
        if (hak_os_now_ms() - unit->exchanged_at <= (uint64_t)load_relaxed(&hak_options.purge_delay))
            wanted = granules & unit->exchanged;
        unit->exchanged &= ~granules;
        if (wanted != 0 && learned.wanted_back < hak_view.committed_bytes)
            owner_add(&learned.wanted_back, bytes_of(wanted) * WANTED_WEIGHT);
    }
    if (!exchange)
        return;
    uint64_t beyond = hak_view.retained_bytes - least(hak_view.retained_bytes, learned.wanted_back);
    store_relaxed(&learned.grown, least(learned.grown + bytes_of(granules & ~wanted), beyond));
}

bool hak_purge_all(void) {
    lock_acquire(hak_arena_lock());
    bool any = hak_arena_release_unused();
    lock_release(hak_arena_lock());
    while (purge_oldest(false))
        any = true;
    return any;
}
