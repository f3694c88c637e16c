/* segment/direct.c
 * Purpose.     See direct.h.
 */
#include "segment/direct.h"

#include <errno.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/meta.h"
#include "segment/page_map.h"
#include "segment/view.h"

#define KEPT_MAX 16

/* Mappings that are kept, by `bin`, the oldest first. */
static struct link kept_mappings = {&kept_mappings, &kept_mappings};
static unsigned kept_count;
static uint64_t kept_bytes; /* atomic */

/* Headers of mappings that are gone, for reuse. */
static struct superslab *retired;

static struct superslab *header_take(void) {
    struct superslab *unit = retired;
    if (unit == NULL)
        return hak_meta_alloc(sizeof *unit);
    retired = unit->next_retired;
    return unit;
}

static void header_retire(struct superslab *unit) {
    unit->next_retired = retired;
    retired = unit;
}

/* Beyond these many units of a mapping, pointers into it are not recognised. */
#define REGISTERED_UNITS 4096

static uintptr_t registered_end(uintptr_t base, size_t bytes) {
    size_t units = (bytes + HAK_SUPERSLAB_SIZE - 1) >> HAK_SUPERSLAB_SHIFT;
    return base + (units < REGISTERED_UNITS ? units : REGISTERED_UNITS) * HAK_SUPERSLAB_SIZE;
}

static void unregister(uintptr_t from, uintptr_t end) {
    for (uintptr_t at = from; at < end; at += HAK_SUPERSLAB_SIZE)
        hak_superslab_unregister(at);
}

/* The first unit has to be found; later ones only serve reports about pointers that are wrong anyway. */
static bool register_from(uintptr_t base, uintptr_t from, size_t bytes, struct superslab *unit) {
    for (uintptr_t at = from; at < registered_end(base, bytes); at += HAK_SUPERSLAB_SIZE) {
        if (!hak_superslab_register(at, unit))
            return at != base;
    }
    return true;
}

static void account_direct(size_t added, size_t removed) {
    owner_add(&hak_view.mapped_bytes, added - removed);
    owner_add(&hak_view.committed_bytes, added - removed);
}

SLOW struct direct_rest hak_direct_retire(struct superslab *unit) {
    struct direct_rest rest = {.address = (void *)unit->base, .bytes = unit->mapped_bytes};
    account_direct(0, unit->mapped_bytes);
    unregister(unit->base, registered_end(unit->base, unit->mapped_bytes));
    header_retire(unit);
    return rest;
}

SLOW void hak_direct_release(struct direct_rest rest) {
    /* Where the kernel refuses (its limit of mappings), the pages go back and the addresses are lost. */
    if (hak_os_release(rest.address, rest.bytes) != 0)
        (void)!hak_os_purge(rest.address, rest.bytes);
}

/* Leaves `bytes` of the mapping. */
static struct direct_rest cut_end(struct superslab *unit, size_t bytes) {
    size_t have = unit->mapped_bytes;
    account_direct(0, have - bytes);
    unregister(registered_end(unit->base, bytes), registered_end(unit->base, have));
    unit->mapped_bytes = bytes;
    return (struct direct_rest){.address = (void *)(unit->base + bytes), .bytes = have - bytes};
}

/* ---- kept mappings ---- */

static struct superslab *oldest_kept(void) {
    return list_is_empty(&kept_mappings) ? NULL : container_of(kept_mappings.next, struct superslab, bin);
}

uint64_t hak_direct_kept_since(void) {
    const struct superslab *unit = oldest_kept();
    return unit == NULL ? UINT64_MAX : unit->dirty_since;
}

uint64_t hak_direct_kept_bytes(void) {
    return load_relaxed(&kept_bytes);
}

static void account_kept(size_t added, size_t removed) {
    owner_add(&kept_bytes, added - removed);
    owner_add(&hak_view.retained_bytes, added - removed);
}

static void remove_kept(struct superslab *unit, size_t bytes) {
    account_kept(0, bytes);
    kept_count--;
    list_remove(&unit->bin);
}

SLOW struct direct_rest hak_direct_drop(size_t most) {
    struct superslab *unit = oldest_kept();
    if (unit == NULL)
        return (struct direct_rest){.bytes = 0};
    owner_add(&hak_view.purged_bytes, least(unit->mapped_bytes, most));
    if (unit->mapped_bytes > most) {
        account_kept(0, most);
        return cut_end(unit, unit->mapped_bytes - most);
    }
    remove_kept(unit, unit->mapped_bytes);
    return hak_direct_retire(unit);
}

SLOW struct direct_rest hak_direct_keep(struct superslab *unit) {
    struct direct_rest rest = {.bytes = 0};
    if (!hak_os_renew((void *)unit->base, unit->mapped_bytes))
        return hak_direct_retire(unit);
    if (kept_count == KEPT_MAX)
        rest = hak_direct_drop(SIZE_MAX);
    kept_count++;
    store_relaxed(&unit->state, (uint8_t)UNIT_KEPT);
    unit->dirty_since = hak_os_now_ms();
    list_push_back(&kept_mappings, &unit->bin);
    account_kept(unit->mapped_bytes, 0);
    return rest;
}

/* Gives back at once what nobody uses, where memory or addresses are missing. True if there was any. */
static bool make_space(void) {
    bool any = hak_arena_release_unused() || kept_count != 0;
    while (kept_count != 0)
        hak_direct_release(hak_direct_drop(SIZE_MAX));
    return any;
}

/* ---- mappings of blocks ---- */

static void *map_space(size_t bytes, size_t alignment) {
    void *space = hak_os_reserve_aligned(bytes, alignment);
    if (space == NULL || hak_os_commit(space, bytes) == 0)
        return space;
    (void)!hak_os_release(space, bytes);
    return NULL;
}

SLOW struct superslab *hak_direct_map(size_t bytes, size_t alignment) {
    struct superslab *unit = header_take();
    if (unit == NULL)
        return NULL;
    void *space = map_space(bytes, alignment);
    if (space == NULL && make_space())
        space = map_space(bytes, alignment);
    *unit = (struct superslab){.base = (uintptr_t)space, .mapped_bytes = bytes, .state = UNIT_DIRECT};
    list_init(&unit->purge);
    if (space != NULL && register_from(unit->base, unit->base, bytes, unit)) {
        if (load_relaxed(&hak_options.thp) != HAK_THP_NEVER)
            (void)hak_os_advise_huge(space, bytes, true);
        account_direct(bytes, 0);
        return unit;
    }
    if (space != NULL)
        (void)!hak_os_release(space, bytes);
    header_retire(unit);
    return NULL;
}

/* Moves the mapping to reserved space of its new size. */
static bool move_to(struct superslab *unit, uintptr_t to, size_t bytes) {
    size_t old_bytes = unit->mapped_bytes;
    if (!register_from(to, to, bytes, unit)) {
        (void)!hak_os_release((void *)to, bytes);
        return false;
    }
    if (hak_os_move((void *)unit->base, old_bytes, (void *)to, bytes) != 0) {
        /* Some kernels unmap the target before they fail, and somebody else may have it by now: left alone. */
        unregister(to, registered_end(to, bytes));
        return false;
    }
    unregister(unit->base, registered_end(unit->base, old_bytes));
    unit->base = to;
    return true;
}

/* In place, or by moving. Returns 0; ENOMEM if there is no space to grow; or the errno of another reason, for which a
 * mapping cannot be moved either. */
static int resize_mapping(struct superslab *unit, size_t bytes) {
    size_t old_bytes = unit->mapped_bytes;
    uintptr_t old_end = registered_end(unit->base, old_bytes);
    if (bytes == old_bytes)
        return 0;
    int failure = hak_os_resize((void *)unit->base, old_bytes, bytes);
    if (failure == 0) {
        unregister(registered_end(unit->base, bytes), old_end);
        (void)register_from(unit->base, old_end, bytes, unit);
    } else {
        bool moves = failure == ENOMEM && bytes > old_bytes;
        void *space = moves ? hak_os_reserve_aligned(bytes, HAK_SUPERSLAB_SIZE) : NULL;
        if (space == NULL || !move_to(unit, (uintptr_t)space, bytes))
            return failure;
    }
    account_direct(bytes, old_bytes);
    unit->mapped_bytes = bytes;
    return 0;
}

SLOW bool hak_direct_resize(struct superslab *unit, size_t bytes) {
    int failure = resize_mapping(unit, bytes);
    if (failure == ENOMEM && bytes > unit->mapped_bytes && make_space())
        failure = resize_mapping(unit, bytes);
    return failure == 0;
}

/* The kernel's work is what they differ by: the one that differs least. */
static struct superslab *find_kept(size_t bytes, size_t alignment) {
    struct superslab *found = NULL;
    size_t least_apart = bytes;
    for (struct link *link = kept_mappings.next; link != &kept_mappings; link = link->next) {
        struct superslab *unit = container_of(link, struct superslab, bin);
        size_t have = unit->mapped_bytes, apart = have < bytes ? bytes - have : have - bytes;
        bool fits = have >= bytes / 2 && apart < least_apart && (unit->base & (alignment - 1)) == 0;
        if (fits && (have >= bytes || alignment == HAK_SUPERSLAB_SIZE)) {
            found = unit;
            least_apart = apart;
        }
    }
    return found;
}

SLOW struct superslab *hak_direct_reuse(size_t bytes, size_t alignment, size_t *again, struct direct_rest *tail) {
    struct superslab *unit = find_kept(bytes, alignment);
    size_t have = unit == NULL ? 0 : unit->mapped_bytes;
    if (unit == NULL || (have < bytes && resize_mapping(unit, bytes) != 0))
        return NULL;
    remove_kept(unit, have);
    store_relaxed(&unit->state, (uint8_t)UNIT_DIRECT);
    if (have > bytes) {
        *tail = cut_end(unit, bytes);
        owner_add(&hak_view.purged_bytes, tail->bytes);
    }
    *again = have - tail->bytes;
    return unit;
}
