/* segment/superslab.c
 * Purpose.     Granules of superslabs. See superslab.h.
 */
#include "segment/superslab.h"

#include "base/bits.h"
#include "segment/limit.h"
#include "segment/meta.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/view.h"

/* Behind the descriptors of a superslab stand, for each of its granules, a cache line of bits, and then as many bits as
 * blocks fit. Most slabs need no more than the line, and leave what comes behind untouched. */
#define LINE_BITS (HAK_CACHE_LINE * 8)
#define GRANULE_BITS (HAK_GRANULE_SIZE / HAK_ALIGNMENT)

/* Superslabs with room by their longest free run; bit i of `present` is set iff by_run[i] is not empty. A whole
 * superslab (64) never waits here: it goes back to the arena. */
static struct {
    struct link by_run[HAK_GRANULES];
    uint64_t present;
} pools[POOL_COUNT];

void hak_superslab_init(void) {
    VIEW_PUBLISH(slab, HAK_SLAB_FIELDS);
    for (unsigned p = 0; p < POOL_COUNT; p++) {
        for (unsigned i = 0; i < HAK_GRANULES; i++)
            list_init(&pools[p].by_run[i]);
    }
}

/* Lists the superslab where one with such a longest run belongs: nowhere if it is full, or all free. */
static void relist(struct superslab *superslab, unsigned longest) {
    unsigned was = superslab->longest;
    longest %= HAK_GRANULES;
    if (longest == was)
        return;
    superslab->longest = (uint8_t)longest;
    if (was != 0) {
        list_remove(&superslab->bin);
        if (list_is_empty(&pools[superslab->pool].by_run[was]))
            pools[superslab->pool].present &= ~((uint64_t)1 << was);
    }
    if (longest != 0) {
        list_push_front(&pools[superslab->pool].by_run[longest], &superslab->bin);
        pools[superslab->pool].present |= (uint64_t)1 << longest;
    }
}

static unsigned length_around(uint64_t free, unsigned at) {
    return bits_run_length(free, bits_run_start(free, at));
}

static void count_superslabs(enum pool pool, int change) {
    owner_add(pool == POOL_LARGE ? &hak_view.large_superslabs : &hak_view.slab_superslabs, (uint64_t)(int64_t)change);
}

/* A whole superslab from the arena, not listed yet. */
static struct superslab *superslab_new(enum pool pool, unsigned granules) {
    struct superslab *superslab = hak_arena_take(pool == POOL_TINY ? ARENA_TINY : ARENA_BLOCKS, 1);
    if (superslab == NULL)
        return NULL;
    if (superslab->slabs == NULL) {
        struct slab *slabs = hak_meta_alloc(HAK_GRANULES * (sizeof *slabs + (LINE_BITS + GRANULE_BITS) / 8));
        if (slabs == NULL) {
            hak_arena_give(superslab, 1);
            return NULL;
        }
        for (unsigned i = 0; i < HAK_GRANULES; i++)
            slabs[i].base = superslab->base + i * HAK_GRANULE_SIZE;
        store_release(&superslab->slabs, slabs);
    } else if (superslab->slabs[0].base != superslab->base) {
        for (unsigned i = 0; i < HAK_GRANULES; i++)
            superslab->slabs[i].base = superslab->base + i * HAK_GRANULE_SIZE;
    }
    /* Asked again: what metadata this took was admitted without them. */
    if (unlikely(!limit_admits(granules * HAK_GRANULE_SIZE))) {
        hak_arena_give(superslab, 1);
        return NULL;
    }
    superslab->free = ~(uint64_t)0;
    superslab->pool = (uint8_t)pool;
    superslab->longest = 0;
    store_relaxed(&superslab->state, (uint8_t)UNIT_GRANULES);
    count_superslabs(pool, 1);
    COUNT_REFILL_STAGE(SUPERSLAB);
    return superslab;
}

/* The superslab with the shortest longest run that fits; or a new one. */
static struct superslab *find_room(enum pool pool, unsigned granules) {
    uint64_t fitting = pools[pool].present & ~bits_range(0, granules);
    if (fitting == 0)
        return superslab_new(pool, granules);
    struct link *list = &pools[pool].by_run[bits_lowest(fitting)];
    return container_of(list->next, struct superslab, bin);
}

bool hak_superslab_has_room(enum pool pool, unsigned granules) {
    lock_acquire(hak_arena_lock());
    bool has = (pools[pool].present & ~bits_range(0, granules)) != 0;
    lock_release(hak_arena_lock());
    return has;
}

static void use_granules(struct superslab *superslab, unsigned first, unsigned granules, bool exchange, bool *zero) {
    uint64_t run = bits_range(first, granules);
    uint64_t clean = run & ~superslab->dirty;
    *zero = clean == run;
    owner_add(&hak_view.reused_bytes, hak_unit_remove_dirty(superslab, run));
    if (clean != 0)
        hak_purge_grown(superslab, clean, exchange);
    unsigned hole = length_around(superslab->free, first);
    superslab->free &= ~run;
    owner_add(&hak_view.active_bytes, granules * HAK_GRANULE_SIZE);
    if (hole >= superslab->longest) /* all others are shorter, or as long */
        relist(superslab, bits_longest_run(superslab->free));
}

struct slab *hak_superslab_take(enum pool pool, unsigned granules, enum run_kind kind, uint32_t entry, bool *zero) {
    lock_acquire(hak_arena_lock());
    struct superslab *superslab = limit_admits(granules * HAK_GRANULE_SIZE) ? find_room(pool, granules) : NULL;
    if (superslab == NULL) {
        lock_release(hak_arena_lock());
        return NULL;
    }
    uint64_t starts = bits_run_starts(superslab->dirty, granules);
    if (starts == 0)
        starts = bits_run_starts(superslab->free, granules);
    unsigned first = bits_lowest(starts);
    use_granules(superslab, first, granules, kind == RUN_SLAB, zero);
    struct slab *run = &superslab->slabs[first];
    run->granules = (uint8_t)granules;
    run->first = (uint8_t)first;
    run->stale = !*zero;
    run->entry = entry;
    store_relaxed(&run->kind, (uint8_t)kind);
    COUNT_REFILL_STAGE(DIRTY);
    if (*zero)
        COUNT_REFILL_STAGE(FRESH);
    if (kind == RUN_SLAB) {
        for (unsigned i = 1; i < granules; i++) {
            store_relaxed(&run[i].kind, RUN_SLAB_REST);
            run[i].first = (uint8_t)first;
        }
        hak_page_map_set(run->base, granules, entry);
    } else {
        owner_add(&hak_view.large_bytes, granules * HAK_GRANULE_SIZE);
    }
    lock_release(hak_arena_lock());
    return run;
}

/* Granules [from, from + count) become free; the first `touched` of them may hold data. */
static void free_granules(struct superslab *superslab, unsigned from, unsigned count, unsigned touched) {
    superslab->free |= bits_range(from, count);
    hak_unit_add_dirty(superslab, bits_range(from, touched < count ? touched : count));
    owner_add(&hak_view.active_bytes, 0 - count * HAK_GRANULE_SIZE);
    unsigned length = length_around(superslab->free, from);
    relist(superslab, length > superslab->longest ? length : superslab->longest);
    if (superslab->free == ~(uint64_t)0) {
        count_superslabs(superslab->pool, -1);
        hak_arena_give(superslab, 1);
    }
}

void hak_superslab_give_locked(struct superslab *superslab, struct slab *run, unsigned touched) {
    unsigned granules = run->granules;
    if (load_relaxed(&run->kind) == RUN_SLAB) { /* which another free of a Large block may try to claim */
        for (unsigned i = 1; i < granules; i++)
            store_relaxed(&run[i].kind, RUN_NONE);
        hak_page_map_set(run->base, granules, 0);
    } else {
        owner_add(&hak_view.large_bytes, 0 - granules * HAK_GRANULE_SIZE);
    }
    store_relaxed(&run->kind, RUN_NONE);
    run->entry = 0;
    free_granules(superslab, run->first, granules, run->stale ? granules : touched);
}

void hak_superslab_give(struct slab *run, unsigned touched) {
    lock_acquire(hak_arena_lock());
    hak_superslab_give_locked(hak_superslab_of((void *)run->base), run, touched);
    lock_release(hak_arena_lock());
    hak_purge_excess();
}

uint64_t *hak_superslab_bits(const struct slab *run, unsigned count) {
    uint64_t *lines = (uint64_t *)(uintptr_t)(run - run->first + HAK_GRANULES);
    if (count <= LINE_BITS)
        return lines + run->first * (LINE_BITS / 64);
    return lines + HAK_GRANULES * (LINE_BITS / 64) + run->first * (GRANULE_BITS / 64);
}

struct slab *hak_slabs_of(const void *p) {
    return load_acquire(&hak_superslab_of(p)->slabs);
}

bool hak_superslab_extend(struct superslab *superslab, struct slab *run, unsigned granules) {
    unsigned from = run->first + run->granules;
    unsigned more = granules - run->granules;
    if (run->first + granules > HAK_GRANULES || (bits_range(from, more) & ~superslab->free) != 0)
        return false;
    if (!limit_admits(more * HAK_GRANULE_SIZE))
        return false;
    bool zero;
    use_granules(superslab, from, more, false, &zero);
    run->granules = (uint8_t)granules;
    run->stale |= !zero;
    owner_add(&hak_view.large_bytes, more * HAK_GRANULE_SIZE);
    return true;
}

void hak_superslab_shrink(struct superslab *superslab, struct slab *run, unsigned granules) {
    unsigned less = run->granules - granules;
    if (less == 0)
        return;
    run->granules = (uint8_t)granules;
    owner_add(&hak_view.large_bytes, 0 - less * HAK_GRANULE_SIZE);
    free_granules(superslab, run->first + granules, less, less);
}

struct slab *hak_superslab_find_large(struct superslab *superslab, const void *p) {
    unsigned index = granule_index(p);
    for (unsigned i = index + 1; i-- > 0;) {
        struct slab *run = &superslab->slabs[i];
        unsigned kind = load_acquire(&run->kind);
        if (kind == RUN_LARGE)
            return i + run->granules > index ? run : NULL;
        if (kind != RUN_NONE)
            return NULL;
    }
    return NULL;
}
