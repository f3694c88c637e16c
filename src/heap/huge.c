/* heap/huge.c
 * Purpose.     See huge.h.
 */
#include "heap/huge.h"

#include <string.h>

#include "base/bits.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/direct.h"
#include "segment/limit.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/view.h"

static unsigned units_for(size_t bytes) {
    return (unsigned)((bytes + HAK_SUPERSLAB_SIZE - 1) >> HAK_SUPERSLAB_SHIFT);
}

/* Granules of the block's i-th unit that its `bytes` reach. */
static uint64_t granules_of_unit(size_t bytes, unsigned i) {
    size_t before = i * HAK_SUPERSLAB_SIZE;
    if (bytes <= before)
        return 0;
    size_t granules = (bytes - before + HAK_GRANULE_SIZE - 1) >> HAK_GRANULE_SHIFT;
    return bits_range(0, granules > HAK_GRANULES ? HAK_GRANULES : (unsigned)granules);
}

static void account_huge(size_t added, size_t removed) {
    owner_add(&hak_view.active_bytes, added - removed);
    owner_add(&hak_view.huge_bytes, added - removed);
}

/* Makes the block reach `bytes` into its run: what it no longer reaches is free and dirty, what it newly reaches is in
 * use. Granules that it does not reach stay free, so that what is known of them is kept. `dirty`, if not NULL, gets
 * those newly reached that are not known to be zero. The result is how many bytes these are. */
static uint64_t set_reach(struct superslab *first, unsigned units, size_t bytes, uint64_t *dirty) {
    uint64_t dirty_bytes = 0;
    for (unsigned i = 0; i < units; i++) {
        struct superslab *unit = hak_arena_unit(first, first->index + i);
        uint64_t used = granules_of_unit(bytes, i);
        uint64_t released = ~used & ~unit->free;
        if (dirty != NULL)
            dirty[i] = unit->dirty & used;
        uint64_t clean = used & unit->free & ~unit->dirty;
        dirty_bytes += hak_unit_remove_dirty(unit, used);
        if (clean != 0)
            hak_purge_grown(unit, clean, false);
        unit->free = ~used;
        hak_unit_add_dirty(unit, released);
    }
    return dirty_bytes;
}

/* Tables of so many bytes are seldom filled: their pages are exchanged for the kernel's zero pages instead of being
 * cleared, and what stays untouched then costs nothing. Smaller ones are cleared faster than their pages come back. */
#define CLEAR_BY_PURGE_BYTES ((size_t)8 << 20)

static void clear_dirty(char *base, size_t bytes, const uint64_t *dirty) {
    for (unsigned i = 0; i < units_for(bytes); i++) {
        uint64_t left = dirty[i] & granules_of_unit(bytes, i);
        while (left != 0) {
            unsigned from = bits_lowest(left);
            unsigned count = bits_run_length(left, from);
            size_t offset = i * HAK_SUPERSLAB_SIZE + from * HAK_GRANULE_SIZE;
            size_t length = count * HAK_GRANULE_SIZE;
            length = length < bytes - offset ? length : bytes - offset;
            if (bytes < CLEAR_BY_PURGE_BYTES || hak_os_purge(base + offset, length) != 0)
                memset(base + offset, 0, length);
            left &= ~bits_range(from, count);
        }
    }
}

static struct superslab *take_direct(size_t bytes, size_t alignment, bool zeroed, size_t *again,
                                     struct direct_rest *tail) {
    alignment = alignment < HAK_SUPERSLAB_SIZE ? HAK_SUPERSLAB_SIZE : alignment;
    struct superslab *unit = hak_direct_reuse(bytes, alignment, again, tail);
    if (unit != NULL)
        return unit;
    /* Where zeros are asked for, pages that were kept are worth no more than fresh ones. */
    if (!zeroed)
        hak_purge_mapped(bytes);
    return hak_direct_map(bytes, alignment);
}

static void clear_mapping(char *base, size_t bytes) {
    if (hak_os_purge(base, bytes) != 0)
        memset(base, 0, bytes);
}

/* Gives back what was taken for a block. */
static struct direct_rest untake(struct superslab *first, unsigned units, size_t again, struct direct_rest tail) {
    if (units != 0) {
        hak_arena_give(first, units);
        return tail;
    }
    owner_add(&hak_view.purged_bytes, again);
    struct direct_rest rest = hak_direct_retire(first);
    rest.bytes += tail.bytes; /* which lies right behind */
    return rest;
}

SLOW void *hak_huge_alloc(size_t bytes, size_t alignment, bool zeroed) {
    bool direct = bytes >= HAK_DIRECT_MIN || alignment > HAK_SUPERSLAB_SIZE;
    uint64_t dirty[ARENA_RUN_MAX] = {0};
    unsigned units = direct ? 0 : units_for(bytes);
    size_t again = 0;
    struct direct_rest rest = {.bytes = 0};
    lock_acquire(hak_arena_lock());
    struct superslab *first = !limit_admits(bytes) ? NULL
                              : direct             ? take_direct(bytes, alignment, zeroed, &again, &rest)
                                       : hak_arena_take(zeroed || units == 1 ? ARENA_BLOCKS : ARENA_HUGE, units);
    /* Asked again: what metadata this took was admitted without the block. */
    if (first != NULL && unlikely(!limit_admits(bytes))) {
        rest = untake(first, units, again, rest);
        first = NULL;
    }
    if (first != NULL) {
        again += set_reach(first, units, bytes, dirty);
        owner_add(zeroed && bytes >= CLEAR_BY_PURGE_BYTES ? &hak_view.purged_bytes : &hak_view.reused_bytes, again);
        store_relaxed(&first->state, (uint8_t)(direct ? UNIT_DIRECT : UNIT_HUGE));
        first->huge_base = first->base;
        first->huge_bytes = bytes;
        account_huge(bytes, 0);
        owner_add(&hak_view.huge_allocs, 1);
    }
    lock_release(hak_arena_lock());
    if (rest.bytes != 0)
        hak_direct_release(rest);
    if (first == NULL)
        return NULL;
    hak_purge_excess();
    if (zeroed && !direct)
        clear_dirty((char *)first->base, bytes, dirty);
    else if (zeroed && again != 0)
        clear_mapping((char *)first->base, again);
    return (void *)first->base;
}

enum large_answer hak_huge_find(struct superslab *unit, const void *p, struct large_info *info) {
    if (unit->state == UNIT_FREE)
        return LARGE_IS_FREE;
    if (unit->state == UNIT_KEPT)
        return (uintptr_t)p - unit->base < unit->mapped_bytes ? LARGE_IS_FREE : LARGE_FOREIGN;
    struct superslab *first = hak_superslab_of((void *)unit->huge_base);
    *info = (struct large_info){.base = (void *)first->base, .bytes = first->huge_bytes};
    if ((uintptr_t)p == first->base)
        return LARGE_FOUND;
    if ((uintptr_t)p - first->base < first->huge_bytes)
        return LARGE_INTERIOR;
    return unit->state == UNIT_DIRECT ? LARGE_FOREIGN : LARGE_IS_FREE;
}

/* Gives back the units of the run from the i-th on, which the block no longer reaches. */
static void give_units(struct superslab *first, unsigned from) {
    unsigned units = first->units;
    first->units = from;
    hak_arena_give(hak_arena_unit(first, first->index + from), units - from);
}

/* One that is there for its alignment only is not worth keeping. */
static struct direct_rest free_mapping(struct superslab *first) {
    if (first->mapped_bytes >= HAK_DIRECT_MIN && hak_purge_admits(first->mapped_bytes))
        return hak_direct_keep(first);
    return hak_direct_retire(first);
}

SLOW struct direct_rest hak_huge_free(struct superslab *first) {
    account_huge(0, first->huge_bytes);
    owner_add(&hak_view.huge_frees, 1);
    if (first->state == UNIT_DIRECT)
        return free_mapping(first);
    (void)set_reach(first, first->units, 0, NULL);
    give_units(first, 0);
    return (struct direct_rest){.bytes = 0};
}

static bool resize_units(struct superslab *first, size_t bytes) {
    unsigned have = first->units;
    unsigned want = units_for(bytes);
    if (want > ARENA_RUN_MAX || bytes <= HAK_LARGE_MAX)
        return false;
    if (want > have && !hak_arena_extend(first, have, want - have))
        return false;
    store_relaxed(&first->state, (uint8_t)UNIT_HUGE);
    owner_add(&hak_view.reused_bytes, set_reach(first, want > have ? want : have, bytes, NULL));
    if (want < have)
        give_units(first, want);
    return true;
}

SLOW void *hak_huge_resize(struct superslab *first, size_t bytes) {
    size_t old_bytes = first->huge_bytes;
    if (bytes > old_bytes && !limit_admits(bytes - old_bytes))
        return NULL;
    if (first->state == UNIT_DIRECT) {
        if (bytes < HAK_DIRECT_MIN || !hak_direct_resize(first, bytes))
            return NULL;
    } else if (bytes >= HAK_DIRECT_MIN || !resize_units(first, bytes)) {
        return NULL;
    }
    first->huge_base = first->base;
    first->huge_bytes = bytes;
    account_huge(bytes, old_bytes);
    return (void *)first->base;
}
