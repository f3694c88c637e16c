/* segment/arena.c
 * Purpose.     Reservations and runs of units. See arena.h.
 */
#include "segment/arena.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/meta.h"
#include "segment/page_map.h"
#include "segment/view.h"

struct arena {
    struct arena *next;
    uintptr_t base;
    uint32_t units;
    uint32_t capacity;  /* headers that `headers` has room for */
    uint32_t committed; /* units [0, committed) are accessible */
    enum arena_use use;
    struct superslab *headers;
};

#define BIN_LONG (ARENA_RUN_MAX + 1)

static struct {
    struct lock lock;
    struct arena *arenas;
    struct arena *retired; /* structs of released arenas, for reuse */
    uint32_t heaps;        /* that take Tiny slabs */
    struct space {
        struct link bin[BIN_LONG + 1]; /* free runs of exactly i units; the last: of more */
        uint64_t bins;                 /* bit i is set iff bin[i] is not empty */
        uintptr_t next_bytes;          /* size of the next reservation */
        uintptr_t committed_bytes;     /* accessible, in all of its arenas */
    } space[ARENA_USES];
} arena_state = {.lock = {.rank = LOCK_RANK_ARENA}};

struct link hak_purge_queue = {&hak_purge_queue, &hak_purge_queue};

void hak_arena_init(void) {
    VIEW_PUBLISH(arena, HAK_ARENA_FIELDS);
    VIEW_PUBLISH(superslab, HAK_SUPERSLAB_FIELDS);
    hak_view.regions.arenas = &arena_state.arenas;
    hak_view.page_bytes = hak_os_page_size();
    for (unsigned use = 0; use < ARENA_USES; use++) {
        arena_state.space[use].next_bytes = HAK_ARENA_MIN_BYTES;
        for (unsigned i = 0; i <= BIN_LONG; i++)
            list_init(&arena_state.space[use].bin[i]);
    }
}

struct lock *hak_arena_lock(void) {
    return &arena_state.lock;
}

struct superslab *hak_arena_unit(const struct superslab *unit, uint32_t index) {
    return &unit->arena->headers[index];
}

bool hak_unit_is_valid(const struct superslab *unit) {
    return (unit->dirty & ~unit->free) == 0 && (unit->dirty != 0) == (unit->purge.next != &unit->purge);
}

void hak_unit_add_dirty(struct superslab *unit, uint64_t granules) {
    uint64_t added = granules & ~unit->dirty;
    if (added == 0)
        return;
    if (unit->dirty == 0) {
        unit->dirty_since = hak_os_now_ms();
        list_push_back(&hak_purge_queue, &unit->purge);
    }
    unit->dirty |= added;
    owner_add(&hak_view.retained_bytes, (uint64_t)__builtin_popcountll(added) << HAK_GRANULE_SHIFT);
}

uint64_t hak_unit_remove_dirty(struct superslab *unit, uint64_t granules) {
    uint64_t removed = granules & unit->dirty;
    if (removed == 0)
        return 0;
    unit->dirty &= ~removed;
    if (unit->dirty == 0)
        list_remove(&unit->purge);
    uint64_t bytes = (uint64_t)__builtin_popcountll(removed) << HAK_GRANULE_SHIFT;
    owner_add(&hak_view.retained_bytes, 0 - bytes);
    return bytes;
}

/* ---- free runs ---- */

static void bin_insert(struct superslab *first, uint32_t units) {
    struct superslab *last = hak_arena_unit(first, first->index + units - 1);
    struct space *space = &arena_state.space[first->arena->use];
    unsigned b = units > ARENA_RUN_MAX ? BIN_LONG : units;
    store_relaxed(&first->state, (uint8_t)UNIT_FREE);
    store_relaxed(&last->state, (uint8_t)UNIT_FREE);
    first->units = units;
    last->units = units;
    list_push_front(&space->bin[b], &first->bin);
    space->bins |= (uint64_t)1 << b;
}

static void bin_remove(struct superslab *first) {
    struct space *space = &arena_state.space[first->arena->use];
    unsigned b = first->units > ARENA_RUN_MAX ? BIN_LONG : first->units;
    list_remove(&first->bin);
    if (list_is_empty(&space->bin[b]))
        space->bins &= ~((uint64_t)1 << b);
}

/* ---- reservations ---- */

static struct arena *arena_struct(uint32_t units) {
    for (struct arena **at = &arena_state.retired; *at != NULL; at = &(*at)->next) {
        struct arena *arena = *at;
        if (arena->capacity >= units) {
            *at = arena->next;
            return arena;
        }
    }
    struct arena *arena = hak_meta_alloc(sizeof *arena + units * sizeof *arena->headers);
    if (arena == NULL)
        return NULL;
    arena->headers = (struct superslab *)(arena + 1);
    arena->capacity = units;
    return arena;
}

static void arena_retire(struct arena *arena) {
    arena->next = arena_state.retired;
    arena_state.retired = arena;
}

/* Undoes what arena_add did for the first `count` units. */
static void unregister_units(const struct arena *arena, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        hak_superslab_unregister(arena->base + i * HAK_SUPERSLAB_SIZE);
}

static bool arena_add(enum arena_use use, uintptr_t bytes) {
    uint32_t units = (uint32_t)(bytes >> HAK_SUPERSLAB_SHIFT);
    struct arena *arena = arena_struct(units);
    if (arena == NULL)
        return false;
    void *space = hak_os_reserve_aligned(bytes, HAK_SUPERSLAB_SIZE);
    if (space == NULL) {
        arena_retire(arena);
        return false;
    }
    arena->base = (uintptr_t)space;
    arena->units = units;
    arena->committed = 0;
    arena->use = use;
    for (uint32_t i = 0; i < units; i++) {
        struct superslab *unit = &arena->headers[i];
        struct slab *slabs = unit->slabs;
        *unit = (struct superslab){.base = arena->base + i * HAK_SUPERSLAB_SIZE, .arena = arena, .index = i};
        unit->slabs = slabs;
        unit->free = ~(uint64_t)0;
        list_init(&unit->bin);
        list_init(&unit->purge);
        if (!hak_superslab_register(unit->base, unit)) {
            unregister_units(arena, i);
            (void)!hak_os_release(space, bytes);
            arena_retire(arena);
            return false;
        }
    }
    COUNT_REFILL_STAGE(RESERVE);
    arena->next = arena_state.arenas;
    arena_state.arenas = arena;
    bin_insert(&arena->headers[0], units);
    owner_add(&hak_view.mapped_bytes, bytes);
    return true;
}

/* Reserves as much as policy likes, or else as much as `units` need. */
SLOW static bool arena_grow(enum arena_use use, unsigned units) {
    uintptr_t *next_bytes = &arena_state.space[use].next_bytes;
    uintptr_t need = units * HAK_SUPERSLAB_SIZE;
    for (uintptr_t bytes = *next_bytes; bytes >= need; bytes /= 2) {
        if (arena_add(use, bytes)) {
            if (bytes == *next_bytes && bytes < HAK_ARENA_MAX_BYTES)
                *next_bytes = bytes * 2;
            return true;
        }
    }
    return false;
}

bool hak_arena_release_unused(void) {
    bool any = false;
    for (struct arena **at = &arena_state.arenas; *at != NULL;) {
        struct arena *arena = *at;
        struct superslab *first = &arena->headers[0];
        uintptr_t bytes = arena->units * HAK_SUPERSLAB_SIZE;
        if (first->state != UNIT_FREE || first->units != arena->units || hak_os_release((void *)arena->base, bytes)) {
            at = &arena->next;
            continue;
        }
        bin_remove(first);
        for (uint32_t i = 0; i < arena->units; i++)
            owner_add(&hak_view.purged_bytes, hak_unit_remove_dirty(&arena->headers[i], ~(uint64_t)0));
        unregister_units(arena, arena->units);
        owner_add(&hak_view.mapped_bytes, 0 - bytes);
        arena_state.space[arena->use].committed_bytes -= arena->committed * HAK_SUPERSLAB_SIZE;
        owner_add(&hak_view.committed_bytes, 0 - arena->committed * HAK_SUPERSLAB_SIZE);
        *at = arena->next;
        arena_retire(arena);
        any = true;
    }
    return any;
}

/* ---- runs ---- */

void hak_arena_add_heap(void) {
    lock_acquire(&arena_state.lock);
    arena_state.heaps++;
    lock_release(&arena_state.lock);
}

static bool wants_huge_pages(enum arena_use use) {
    int64_t thp = load_relaxed(&hak_options.thp);
    uint64_t heaps = use == ARENA_TINY && arena_state.heaps > 1 ? arena_state.heaps : 1;
    return thp == HAK_THP_ALWAYS || (thp == HAK_THP_ADAPTIVE && use != ARENA_BLOCKS &&
                                     arena_state.space[use].committed_bytes >= HAK_HUGE_PAGE_HEAP_BYTES * heaps);
}

/* Makes units [0, upto) accessible. */
static bool arena_commit(struct arena *arena, uint32_t upto) {
    if (upto <= arena->committed)
        return true;
    uintptr_t start = arena->base + arena->committed * HAK_SUPERSLAB_SIZE;
    uintptr_t bytes = (upto - arena->committed) * HAK_SUPERSLAB_SIZE;
    if (!hak_page_map_prepare(start, bytes) || hak_os_commit((void *)start, bytes) != 0)
        return false;
    if (wants_huge_pages(arena->use))
        (void)hak_os_advise_huge((void *)start, bytes, true);
    COUNT_REFILL_STAGE(COMMIT);
    arena->committed = upto;
    arena_state.space[arena->use].committed_bytes += bytes;
    owner_add(&hak_view.committed_bytes, bytes);
    return true;
}

/* Cuts `units` off the front of a free run. */
static struct superslab *cut(struct superslab *first, unsigned units) {
    if (!arena_commit(first->arena, first->index + units))
        return NULL;
    uint32_t have = first->units;
    bin_remove(first);
    if (have > units)
        bin_insert(hak_arena_unit(first, first->index + units), have - units);
    return first;
}

static struct superslab *take_binned(struct space *space, unsigned units) {
    uint64_t bins = space->bins & ~bits_range(0, units);
    while (bins != 0) {
        unsigned b = bits_lowest(bins);
        struct superslab *first = container_of(space->bin[b].next, struct superslab, bin);
        if (cut(first, units) != NULL)
            return first;
        bins &= bins - 1;
    }
    return NULL;
}

/* When no more memory can be made accessible: a run that already is, from any space, by looking at all. */
static struct superslab *take_committed(unsigned units) {
    for (unsigned use = 0; use < ARENA_USES; use++) {
        struct space *space = &arena_state.space[use];
        for (uint64_t bins = space->bins & ~bits_range(0, units); bins != 0; bins &= bins - 1) {
            struct link *bin = &space->bin[bits_lowest(bins)];
            for (struct link *link = bin->next; link != bin; link = link->next) {
                struct superslab *first = container_of(link, struct superslab, bin);
                if (first->index + units <= first->arena->committed)
                    return cut(first, units);
            }
        }
    }
    return NULL;
}

/* Marks a run as in use, for boundary tags, before its user says as what. */
static void mark_used(struct superslab *first, unsigned units) {
    for (uint32_t i = 0; i < units; i++) {
        struct superslab *unit = hak_arena_unit(first, first->index + i);
        store_relaxed(&unit->state, (uint8_t)UNIT_HUGE_REST);
        unit->huge_base = first->base;
    }
    first->units = units;
}

struct superslab *hak_arena_take(enum arena_use use, unsigned units) {
    hak_assert(units >= 1 && units <= ARENA_RUN_MAX);
    struct space *space = &arena_state.space[use];
    struct superslab *first = take_binned(space, units);
    if (first == NULL && arena_grow(use, units))
        first = take_binned(space, units);
    if (first == NULL && hak_arena_release_unused() && arena_grow(use, units))
        first = take_binned(space, units);
    /* What another use has reserved is better than nothing: it goes back there. */
    for (unsigned other = 0; other < ARENA_USES && first == NULL; other++)
        first = take_binned(&arena_state.space[other], units);
    if (first == NULL)
        first = take_committed(units);
    if (first != NULL)
        mark_used(first, units);
    return first;
}

void hak_arena_give(struct superslab *first, unsigned units) {
    uint32_t start = first->index;
    uint32_t end = start + units;
    for (uint32_t i = start; i < end; i++)
        store_relaxed(&hak_arena_unit(first, i)->state, (uint8_t)UNIT_FREE);
    if (end < first->arena->units) {
        struct superslab *right = hak_arena_unit(first, end);
        if (right->state == UNIT_FREE) {
            bin_remove(right);
            end += right->units;
        }
    }
    if (start > 0) {
        struct superslab *left = hak_arena_unit(first, start - 1);
        if (left->state == UNIT_FREE) {
            start -= left->units;
            bin_remove(hak_arena_unit(first, start));
        }
    }
    bin_insert(hak_arena_unit(first, start), end - start);
}

bool hak_arena_extend(struct superslab *first, unsigned units, unsigned more) {
    uint32_t end = first->index + units;
    if (end >= first->arena->units)
        return false;
    struct superslab *right = hak_arena_unit(first, end);
    if (right->state != UNIT_FREE || right->units < more || cut(right, more) == NULL)
        return false;
    mark_used(first, units + more);
    return true;
}
