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

/* Units purged by one tick, and as many bytes of mappings. */
#define TICK_UNITS 8

/* Arena lock; read without it. */
static struct {
    uint64_t wanted_back;  /* bytes that may be retained whatever else is said */
    uint64_t grown;        /* bytes to be purged for what was taken clean; at most what is retained beyond that */
    uint64_t mappings;     /* bytes of mappings that may be kept beside all that */
    uint64_t unkept;       /* bytes of mappings that were not kept, and whose like was not mapped again yet */
    uint64_t unkept_size;  /* of the last of them */
    uint64_t unkept_at_ms; /* when that was */
} learned;

/* What proves to be wanted back speaks for so many times as much: to learn of a cycle piece by piece is to pay for all
 * of it (doc/decisions/010). */
#define WANTED_WEIGHT 8

/* What is grown by in steps smaller than this is not worth a system call each. */
#define GROWN_BYTES ((uint64_t)512 << 10)

/* Since when the oldest unit has been dirty, or the oldest mapping kept, or earlier: none becomes older, and new ones
 * queue behind it. So that a look at the clock is all that most ticks take. Written under the arena lock, read
 * without. */
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

/* Some of a mapping whose delay is over. Once all of it has waited in vain, less may wait. */
static struct direct_rest drop_due(uint64_t now) {
    uint64_t since = hak_direct_kept_since();
    if (likely(since == UINT64_MAX) || !is_due(since, now))
        return (struct direct_rest){.bytes = 0};
    struct direct_rest rest = hak_direct_drop(TICK_UNITS * HAK_SUPERSLAB_SIZE);
    if (hak_direct_kept_since() != since)
        owner_add(&learned.mappings, 0 - learned.mappings / 8);
    return rest;
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
    struct direct_rest rest = drop_due(now);
    store_relaxed(&oldest_since_ms, least(unit != NULL ? unit->dirty_since : now, hak_direct_kept_since()));
    lock_release(hak_arena_lock());
    if (rest.bytes != 0)
        hak_direct_release(rest);
}

/* What is retained of units. */
static uint64_t unit_bytes(void) {
    uint64_t kept = hak_direct_kept_bytes(), retained = load_relaxed(&hak_view.retained_bytes);
    return retained - least(retained, kept);
}

/* Of units and, with `more` on top, of mappings. */
static uint64_t retained_limit(uint64_t more) {
    uint64_t limit = load_relaxed(&hak_view.active_bytes) / 4;
    if (limit < HAK_RETAINED_MIN_BYTES)
        limit = HAK_RETAINED_MIN_BYTES;
    if (limit < load_relaxed(&learned.wanted_back))
        limit = load_relaxed(&learned.wanted_back);
    return load_relaxed(&hak_options.purge_delay) == 0 ? 0 : least(limit + more, limit_room());
}

static bool mappings_may_wait(uint64_t mappings) {
    return unit_bytes() + mappings <= retained_limit(least(load_relaxed(&learned.mappings), mappings));
}

static void note_unkept(uint64_t bytes) {
    learned.unkept += bytes;
    learned.unkept_size = bytes;
    learned.unkept_at_ms = hak_os_now_ms();
}

SLOW bool hak_purge_admits(uint64_t bytes) {
    if (mappings_may_wait(hak_direct_kept_bytes() + bytes))
        return true;
    note_unkept(bytes);
    return false;
}

SLOW void hak_purge_mapped(uint64_t bytes) {
    if (learned.unkept == 0 || bytes / 2 > learned.unkept_size || bytes < learned.unkept_size / 2)
        return;
    if (hak_os_now_ms() - learned.unkept_at_ms > (uint64_t)load_relaxed(&hak_options.purge_delay))
        learned.unkept = 0;
    uint64_t wanted = least(bytes, learned.unkept), most = load_relaxed(&hak_view.active_bytes) / 2;
    learned.unkept -= wanted;
    store_relaxed(&learned.mappings, least(learned.mappings + wanted, most > bytes ? most : bytes));
}

/* Gives the oldest mapping back. False if none is kept or, of `excess`, if there is none. */
SLOW static bool purge_mapping(bool excess) {
    struct direct_rest rest = {.bytes = 0};
    lock_acquire(hak_arena_lock());
    if (!excess || !mappings_may_wait(hak_direct_kept_bytes()))
        rest = hak_direct_drop(SIZE_MAX);
    if (excess && rest.bytes != 0)
        note_unkept(rest.bytes);
    lock_release(hak_arena_lock());
    if (rest.bytes != 0)
        hak_direct_release(rest);
    return rest.bytes != 0;
}

SLOW bool hak_purge_mappings(void) {
    bool any = false;
    while (purge_mapping(false))
        any = true;
    return any;
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
    while (unit_bytes() > retained_limit(0) || load_relaxed(&learned.grown) >= GROWN_BYTES) {
        if (!purge_oldest(true))
            break;
    }
    while (hak_direct_kept_bytes() != 0 && !mappings_may_wait(hak_direct_kept_bytes()) && purge_mapping(true)) {
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
    uint64_t units = unit_bytes(), beyond = units - least(units, learned.wanted_back);
    store_relaxed(&learned.grown, least(learned.grown + bytes_of(granules & ~wanted), beyond));
}

bool hak_purge_all(void) {
    lock_acquire(hak_arena_lock());
    bool any = hak_arena_release_unused();
    lock_release(hak_arena_lock());
    while (purge_oldest(false))
        any = true;
    return hak_purge_mappings() || any;
}
