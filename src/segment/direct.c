/* segment/direct.c
 * Purpose.     See direct.h.
 */
#include "segment/direct.h"

#include "base/compiler.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/meta.h"
#include "segment/page_map.h"
#include "segment/view.h"

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
        (void)hak_superslab_register(at, NULL);
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

static void *reserve(size_t bytes, size_t alignment) {
    void *space = hak_os_reserve_aligned(bytes, alignment);
    if (space == NULL && hak_arena_release_unused())
        space = hak_os_reserve_aligned(bytes, alignment);
    return space;
}

struct superslab *hak_direct_map(size_t bytes, size_t alignment) {
    struct superslab *unit = header_take();
    if (unit == NULL)
        return NULL;
    void *space = reserve(bytes, alignment);
    *unit = (struct superslab){.base = (uintptr_t)space, .mapped_bytes = bytes, .state = UNIT_DIRECT};
    list_init(&unit->purge);
    if (space != NULL && hak_os_commit(space, bytes) == 0 && register_from(unit->base, unit->base, bytes, unit)) {
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

struct direct_rest hak_direct_retire(struct superslab *unit) {
    struct direct_rest rest = {.address = (void *)unit->base, .bytes = unit->mapped_bytes};
    account_direct(0, unit->mapped_bytes);
    unregister(unit->base, registered_end(unit->base, unit->mapped_bytes));
    header_retire(unit);
    return rest;
}

void hak_direct_release(struct direct_rest rest) {
    /* Where the kernel refuses (its limit of mappings), the pages go back and the addresses are lost. */
    if (hak_os_release(rest.address, rest.bytes) != 0)
        (void)!hak_os_purge(rest.address, rest.bytes);
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

SLOW bool hak_direct_resize(struct superslab *unit, size_t bytes) {
    size_t old_bytes = unit->mapped_bytes;
    uintptr_t old_end = registered_end(unit->base, old_bytes);
    if (bytes == old_bytes)
        return true;
    if (hak_os_resize((void *)unit->base, old_bytes, bytes) == 0) {
        unregister(registered_end(unit->base, bytes), old_end);
        (void)register_from(unit->base, old_end, bytes, unit);
    } else {
        void *space = bytes > old_bytes ? reserve(bytes, HAK_SUPERSLAB_SIZE) : NULL;
        if (space == NULL || !move_to(unit, (uintptr_t)space, bytes))
            return false;
    }
    account_direct(bytes, old_bytes);
    unit->mapped_bytes = bytes;
    return true;
}
