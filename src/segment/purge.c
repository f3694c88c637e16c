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

static struct superslab *oldest(void)
{
    return list_is_empty(&hak_purge_queue) ? NULL : container_of(hak_purge_queue.next, struct superslab, purge);
}

/* One system call per run of dirty granules. If the kernel refuses, the unit waits for another delay. */
static bool purge_unit(struct superslab *unit)
{
    uint64_t dirty = unit->dirty;
    while (dirty != 0) {
        unsigned first = bits_lowest(dirty);
        uint64_t from_first = ~(dirty >> first);
        unsigned count = from_first == 0 ? HAK_GRANULES : bits_lowest(from_first);
        uint64_t run = bits_range(first, count);
        void *start = (void *)(unit->base + first * HAK_GRANULE_SIZE);
        if (hak_os_purge(start, count * HAK_GRANULE_SIZE) != 0) {
            unit->dirty_since = hak_os_now_ms();
            list_remove(&unit->purge);
            list_push_back(&hak_purge_queue, &unit->purge);
            return false;
        }
        hak_unit_remove_dirty(unit, run);
        owner_add(&hak_view.purged_bytes, count * HAK_GRANULE_SIZE);
        dirty &= ~run;
    }
    return true;
}

void hak_purge_tick(void)
{
    if (load_relaxed(&hak_view.retained_bytes) == 0)
        return;
    uint64_t now = hak_os_now_ms();
    if (!lock_try(hak_arena_lock()))
        return;
    for (unsigned i = 0; i < TICK_UNITS; i++) {
        struct superslab *unit = oldest();
        if (unit == NULL || now - unit->dirty_since < (uint64_t)hak_options.purge_delay || !purge_unit(unit))
            break;
    }
    lock_release(hak_arena_lock());
}

void hak_purge_excess(void)
{
    uint64_t limit = hak_view.active_bytes / 2;
    if (limit < HAK_RETAINED_MIN_BYTES)
        limit = HAK_RETAINED_MIN_BYTES;
    if (hak_options.purge_delay == 0)
        limit = 0;
    while (hak_view.retained_bytes > limit) {
        struct superslab *unit = oldest();
        if (unit == NULL || !purge_unit(unit))
            break;
    }
}

bool hak_purge_all(void)
{
    bool any = false;
    lock_acquire(hak_arena_lock());
    for (struct superslab *unit = oldest(); unit != NULL && purge_unit(unit); unit = oldest())
        any = true;
    lock_release(hak_arena_lock());
    return any;
}
