/* heap/huge.c
 * Purpose.     See huge.h.
 */
#include "heap/huge.h"

#include <string.h>

#include "base/bits.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/direct.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/view.h"

static unsigned units_for(size_t bytes)
{
    return (unsigned)((bytes + HAK_SUPERSLAB_SIZE - 1) >> HAK_SUPERSLAB_SHIFT);
}

/* Granules of the block's i-th unit that its `bytes` reach. */
static uint64_t granules_of_unit(size_t bytes, unsigned i)
{
    size_t before = i * HAK_SUPERSLAB_SIZE;
    if (bytes <= before)
        return 0;
    size_t granules = (bytes - before + HAK_GRANULE_SIZE - 1) >> HAK_GRANULE_SHIFT;
    return bits_range(0, granules > HAK_GRANULES ? HAK_GRANULES : (unsigned)granules);
}

static void account_huge(size_t added, size_t removed)
{
    owner_add(&hak_view.active_bytes, added - removed);
    owner_add(&hak_view.huge_bytes, added - removed);
}

/* Makes units [from, units) of the run part of a block; says in dirty[] what is not known to be zero. */
static void use_units(struct superslab *first, unsigned from, unsigned units, uint64_t *dirty)
{
    for (unsigned i = from; i < units; i++) {
        struct superslab *unit = hak_arena_unit(first, first->index + i);
        dirty[i] = unit->dirty;
        hak_unit_remove_dirty(unit, unit->dirty);
        unit->free = 0;
    }
}

static void clear_dirty(char *base, size_t bytes, const uint64_t *dirty)
{
    for (unsigned i = 0; i < units_for(bytes); i++) {
        uint64_t left = dirty[i] & granules_of_unit(bytes, i);
        for (; left != 0; left &= left - 1) {
            size_t offset = i * HAK_SUPERSLAB_SIZE + bits_lowest(left) * HAK_GRANULE_SIZE;
            memset(base + offset, 0, bytes - offset < HAK_GRANULE_SIZE ? bytes - offset : HAK_GRANULE_SIZE);
        }
    }
}

static struct superslab *take_direct(size_t bytes, size_t alignment)
{
    return hak_direct_map(bytes, alignment < HAK_SUPERSLAB_SIZE ? HAK_SUPERSLAB_SIZE : alignment);
}

void *hak_huge_alloc(size_t bytes, size_t alignment, bool zeroed)
{
    bool direct = bytes >= HAK_DIRECT_MIN || alignment > HAK_SUPERSLAB_SIZE;
    uint64_t dirty[ARENA_RUN_MAX];
    unsigned units = direct ? 0 : units_for(bytes);
    lock_acquire(hak_arena_lock());
    struct superslab *first = direct ? take_direct(bytes, alignment) : hak_arena_take(units);
    if (first != NULL) {
        use_units(first, 0, units, dirty);
        first->state = direct ? UNIT_DIRECT : UNIT_HUGE;
        first->huge_base = first->base;
        first->huge_bytes = bytes;
        account_huge(bytes, 0);
    }
    lock_release(hak_arena_lock());
    if (first == NULL)
        return NULL;
    if (zeroed && !direct)
        clear_dirty((char *)first->base, bytes, dirty);
    return (void *)first->base;
}

enum large_answer hak_huge_find(struct superslab *unit, const void *p, struct large_info *info)
{
    if (unit->state == UNIT_FREE)
        return LARGE_IS_FREE;
    struct superslab *first = hak_superslab_of((void *)unit->huge_base);
    *info = (struct large_info){.base = (void *)first->base, .bytes = first->huge_bytes};
    if ((uintptr_t)p == first->base)
        return LARGE_FOUND;
    if ((uintptr_t)p - first->base < first->huge_bytes)
        return LARGE_INTERIOR;
    return unit->state == UNIT_DIRECT ? LARGE_FOREIGN : LARGE_IS_FREE;
}

/* Gives back the units of the run from the i-th on, of which the block's `bytes` may have reached some. */
static void give_units(struct superslab *first, unsigned from, size_t bytes)
{
    unsigned units = first->units;
    for (unsigned i = from; i < units; i++) {
        struct superslab *unit = hak_arena_unit(first, first->index + i);
        unit->free = ~(uint64_t)0;
        hak_unit_add_dirty(unit, granules_of_unit(bytes, i));
    }
    first->units = from;
    hak_arena_give(hak_arena_unit(first, first->index + from), units - from);
    hak_purge_excess();
}

void hak_huge_free(struct superslab *first)
{
    account_huge(0, first->huge_bytes);
    if (first->state == UNIT_DIRECT)
        hak_direct_unmap(first);
    else
        give_units(first, 0, first->huge_bytes);
}

/* What a block leaves behind in its last unit must not be taken for zero later. */
static bool purge_tail(const struct superslab *first, size_t bytes, unsigned units)
{
    size_t from = round_up(bytes, HAK_GRANULE_SIZE);
    size_t end = units * HAK_SUPERSLAB_SIZE < first->huge_bytes ? units * HAK_SUPERSLAB_SIZE : first->huge_bytes;
    return from >= end || hak_os_purge((char *)first->base + from, end - from) == 0;
}

static bool resize_units(struct superslab *first, size_t bytes)
{
    unsigned have = first->units;
    unsigned want = units_for(bytes);
    uint64_t dirty[ARENA_RUN_MAX];
    if (want > ARENA_RUN_MAX || bytes <= HAK_LARGE_MAX)
        return false;
    if (want > have) {
        if (!hak_arena_extend(first, have, want - have))
            return false;
        use_units(first, have, want, dirty);
        first->state = UNIT_HUGE;
    } else if (bytes < first->huge_bytes) {
        if (!purge_tail(first, bytes, want))
            return false;
        if (want < have)
            give_units(first, want, first->huge_bytes);
    }
    return true;
}

/* Moves the pages of a block in the arena to a mapping of its own; the old pages are zero again. */
static struct superslab *move_to_direct(struct superslab *first, size_t bytes)
{
    struct superslab *unit = hak_direct_adopt((void *)first->base, first->huge_bytes, bytes);
    if (unit != NULL)
        give_units(first, 0, 0);
    return unit;
}

void *hak_huge_resize(struct superslab *first, size_t bytes)
{
    size_t old_bytes = first->huge_bytes;
    if (first->state == UNIT_DIRECT) {
        if (bytes < HAK_DIRECT_MIN || !hak_direct_resize(first, bytes))
            return NULL;
    } else if (bytes >= HAK_DIRECT_MIN) {
        first = move_to_direct(first, bytes);
        if (first == NULL)
            return NULL;
    } else if (!resize_units(first, bytes)) {
        return NULL;
    }
    first->huge_base = first->base;
    first->huge_bytes = bytes;
    account_huge(bytes, old_bytes);
    return (void *)first->base;
}
