/* segment/purge.c
 * Purpose.     See purge.h.
 */
#include "segment/purge.h"

#include "base/bits.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/direct.h"
#include "segment/limit.h"
#include "segment/view.h"

/* Units purged by one tick. */
#define TICK_UNITS 8

/* Arena lock; read without it. */
static struct {
    uint64_t wanted_back; /* bytes that may be retained whatever else is said */
    uint64_t grown;       /* bytes to be purged for what was taken clean; at most what is retained beyond that */
    uint64_t mappings;    /* bytes of mappings that may be kept on top of that */
    uint64_t unkept;      /* bytes of mappings that were not kept, and not mapped again yet */
    uint64_t unkept_at;   /* milliseconds; when that last happened */
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
 * reaches over its neighbours. If the kernel refuses, the unit waits for another delay. A kept mapping is left to the
 * caller, for when the lock is free. */
static bool purge_unit(struct superslab *unit, struct direct_rest *rest) {
    if (unit->state == UNIT_KEPT)
        *rest = hak_direct_drop(unit);
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
    struct direct_rest rest = {.bytes = 0};
    struct superslab *unit = oldest();
    for (unsigned i = 0;
         i < TICK_UNITS && unit != NULL && rest.bytes == 0 && is_due(unit->dirty_since, now) && purge_unit(unit, &rest);
         i++) {
        owner_add(&learned.wanted_back, -(learned.wanted_back / 8));
        owner_add(&learned.mappings, rest.bytes == 0 ? 0 : -(learned.mappings / 8));
        unit = oldest();
    }
    store_relaxed(&oldest_since_ms, unit != NULL ? unit->dirty_since : now);
    lock_release(hak_arena_lock());
    if (rest.bytes != 0)
        hak_direct_release(rest);
}

static uint64_t retained_limit(void) {
    uint64_t limit = load_relaxed(&hak_view.active_bytes) / 4;
    if (limit < HAK_RETAINED_MIN_BYTES)
        limit = HAK_RETAINED_MIN_BYTES;
    if (limit < load_relaxed(&learned.wanted_back))
        limit = load_relaxed(&learned.wanted_back);
    limit += load_relaxed(&learned.mappings);
    return load_relaxed(&hak_options.purge_delay) == 0 ? 0 : least(limit, limit_room());
}

static void note_unkept(uint64_t bytes) {
    learned.unkept += bytes;
    learned.unkept_at = hak_os_now_ms();
}

SLOW bool hak_purge_admits(uint64_t bytes) {
    if (load_relaxed(&hak_view.retained_bytes) + bytes <= retained_limit())
        return true;
    note_unkept(bytes);
    return false;
}

SLOW void hak_purge_mapped(uint64_t bytes) {
    if (likely(learned.unkept == 0))
        return;
    if (hak_os_now_ms() - learned.unkept_at > (uint64_t)load_relaxed(&hak_options.purge_delay))
        learned.unkept = 0;
    uint64_t wanted = least(bytes, learned.unkept);
    learned.unkept -= wanted;
    uint64_t most = load_relaxed(&hak_view.active_bytes) / 2;
    store_relaxed(&learned.mappings, least(learned.mappings + wanted, most > bytes ? most : bytes));
}

/* Purges the oldest unit. False if there is none or the kernel refuses. */
static bool purge_oldest(bool excess) {
    struct direct_rest rest = {.bytes = 0};
    lock_acquire(hak_arena_lock());
    struct superslab *unit = oldest();
    uint64_t dirty = unit == NULL ? 0 : unit->dirty;
    bool done = unit != NULL && purge_unit(unit, &rest);
    /* What the kernel refuses to take is not asked for again at every turn. */
    if (excess && !done)
        store_relaxed(&learned.grown, 0);
    if (done && excess && rest.bytes != 0) {
        note_unkept(rest.bytes);
    } else if (done && excess) {
        unit->exchanged |= dirty;
        unit->exchanged_at = hak_os_now_ms();
        store_relaxed(&learned.grown, learned.grown - least(learned.grown, bytes_of(dirty)));
    }
    bool awaited = lock_is_awaited(hak_arena_lock());
    lock_release(hak_arena_lock());
    if (rest.bytes != 0)
        hak_direct_release(rest);
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

/* False if none is kept. */
SLOW static bool purge_mapping(void) {
    struct direct_rest rest = {.bytes = 0};
    lock_acquire(hak_arena_lock());
    struct superslab *unit = hak_direct_kept();
    if (unit != NULL)
        rest = hak_direct_drop(unit);
    lock_release(hak_arena_lock());
    if (unit != NULL)
        hak_direct_release(rest);
    return unit != NULL;
}

void hak_purge_mappings(void) {
    while (purge_mapping()) {
    }
}

bool hak_purge_all(void) {
    lock_acquire(hak_arena_lock());
    bool any = hak_arena_release_unused();
    lock_release(hak_arena_lock());
    while (purge_oldest(false))
        any = true;
    return any;
}
