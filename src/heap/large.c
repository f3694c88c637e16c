/* heap/large.c
 * Purpose.     See large.h: what is common to Large and Huge blocks, and the Large ones.
 */
#include "heap/large.h"

#include <string.h>

#include "base/bits.h"
#include "heap/huge.h"
#include "heap/thread.h"
#include "heap/thread_list.h"
#include "os/os.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/superslab.h"

size_t hak_large_good_size(size_t bytes) {
    size_t page = hak_os_page_size();
    return bytes > PTRDIFF_MAX ? bytes : round_up(bytes, page);
}

static unsigned granules_for(size_t bytes) {
    return (unsigned)((bytes + HAK_GRANULE_SIZE - 1) >> HAK_GRANULE_SHIFT);
}

/* Nobody else frees or resizes the block from here on: of two threads that free it one is told that it is free. */
static bool claim(struct slab *run) {
    uint8_t expected = RUN_LARGE;
    COUNT(ATOMIC_OTHER);
    return cas_acquire(&run->kind, &expected, RUN_SPARE);
}

static void unclaim(struct slab *run) {
    store_release(&run->kind, RUN_LARGE);
}

static struct spares *own_spares(void) {
    return thread_is_alive(hak_thread_self) ? &hak_thread_self->spares : NULL;
}

static struct slab *take_run(unsigned granules, bool *zero) {
    struct slab *run = hak_spare_take(own_spares(), granules);
    *zero = false;
    if (run != NULL)
        return run;
    run = hak_superslab_take(POOL_LARGE, granules, RUN_SPARE, 0, zero);
    hak_purge_excess();
    return run;
}

void *hak_large_alloc(size_t bytes, size_t alignment, bool zeroed) {
    bytes = hak_large_good_size(bytes);
    hak_thread_list_tick();
    hak_purge_tick();
    hak_spare_tick();
    if (bytes > HAK_LARGE_MAX || alignment > HAK_GRANULE_SIZE) {
        if (bytes < HAK_DIRECT_MIN)
            hak_spare_make_way(own_spares(), HAK_GRANULES);
        return hak_huge_alloc(bytes, alignment, zeroed);
    }
    if (bytes > HAK_SPARE_RUN_MAX * HAK_GRANULE_SIZE)
        hak_spare_make_way(own_spares(), granules_for(bytes));
    bool zero;
    struct slab *run = take_run(granules_for(bytes), &zero);
    if (run == NULL)
        return NULL;
    void *block = (void *)run->base;
    store_relaxed(&run->large_bytes, bytes);
    unclaim(run);
    return zeroed && !zero ? memset(block, 0, bytes) : block;
}

/* The run of the Large block that starts at `p`, or NULL. No lock: what it reads of a live block only its owner
 * changes. */
FAST struct slab *run_at(struct superslab *superslab, const void *p) {
    struct slab *slabs = load_acquire(&superslab->slabs);
    if (slabs == NULL || load_relaxed(&superslab->state) != UNIT_GRANULES)
        return NULL;
    struct slab *run = &slabs[granule_index(p)];
    return load_acquire(&run->kind) == RUN_LARGE && run->base == (uintptr_t)p ? run : NULL;
}

static size_t huge_bytes_at(const struct superslab *superslab, const void *p) {
    unsigned state = load_relaxed(&superslab->state);
    if ((state != UNIT_HUGE && state != UNIT_DIRECT) || superslab->base != (uintptr_t)p)
        return 0;
    return load_relaxed(&superslab->huge_bytes);
}

/* What is rounded up to the same page is less by less than one. */
bool hak_large_fits(const void *p, size_t bytes) {
    struct superslab *superslab = hak_superslab_of(p);
    if (superslab == NULL)
        return false;
    struct slab *run = run_at(superslab, p);
    size_t have = run != NULL ? load_relaxed(&run->large_bytes) : huge_bytes_at(superslab, p);
    return have - bytes < hak_os_page_size();
}

/* Frees the Large block that starts at `p`, if its usable bytes are `expected` (0: any). False if that is not so. */
static bool free_run(void *p, size_t expected, struct large_info *info) {
    struct superslab *superslab = hak_superslab_of(p);
    struct slab *run = superslab == NULL ? NULL : run_at(superslab, p);
    if (run == NULL || !claim(run))
        return false;
    *info = (struct large_info){.base = p, .bytes = run->large_bytes};
    if (unlikely(expected != 0 && expected != info->bytes)) {
        unclaim(run);
        return false;
    }
    if (hak_spare_put(own_spares(), run))
        return true;
    hak_superslab_give(run, run->granules);
    hak_purge_tick();
    return true;
}

/* The rest needs the arena lock. */

static enum large_answer find_in_granules(struct superslab *superslab, const void *p, struct large_info *info) {
    struct slab *run = hak_superslab_find_large(superslab, p);
    if (run == NULL)
        return LARGE_IS_FREE;
    *info = (struct large_info){.base = (void *)run->base, .bytes = load_relaxed(&run->large_bytes)};
    return run->base == (uintptr_t)p ? LARGE_FOUND : LARGE_INTERIOR;
}

static enum large_answer find_block(const void *p, struct superslab **superslab, struct large_info *info) {
    *superslab = hak_superslab_of(p);
    if (*superslab == NULL)
        return LARGE_FOREIGN;
    if ((*superslab)->state == UNIT_GRANULES)
        return find_in_granules(*superslab, p, info);
    return hak_huge_find(*superslab, p, info);
}

enum large_answer hak_large_find(const void *p, struct large_info *info) {
    struct superslab *superslab = hak_superslab_of(p);
    if (superslab == NULL)
        return LARGE_FOREIGN;
    const struct slab *run = run_at(superslab, p);
    if (run != NULL) {
        *info = (struct large_info){.base = (void *)run->base, .bytes = load_relaxed(&run->large_bytes)};
        return LARGE_FOUND;
    }
    lock_acquire(hak_arena_lock());
    enum large_answer answer = find_block(p, &superslab, info);
    lock_release(hak_arena_lock());
    return answer;
}

enum large_answer hak_large_free(void *p, size_t expected, struct large_info *info) {
    struct superslab *superslab;
    struct direct_rest rest = {.bytes = 0};
    if (likely(free_run(p, expected, info)))
        return LARGE_FOUND;
    lock_acquire(hak_arena_lock());
    enum large_answer answer = find_block(p, &superslab, info);
    if (answer == LARGE_FOUND && (expected == 0 || expected == info->bytes)) {
        if (superslab->state == UNIT_GRANULES)
            answer = LARGE_IS_FREE; /* it was, and another thread has made it anew since */
        else
            rest = hak_huge_free(superslab);
    }
    lock_release(hak_arena_lock());
    if (rest.bytes != 0)
        hak_direct_release(rest);
    hak_purge_excess();
    hak_purge_tick();
    return answer;
}

static bool resize_run(struct superslab *superslab, void *p, size_t bytes) {
    struct slab *run = run_at(superslab, p);
    unsigned granules = granules_for(bytes);
    if (bytes > HAK_LARGE_MAX || run == NULL || !claim(run))
        return false;
    bool fits = granules <= run->granules || hak_superslab_extend(superslab, run, granules);
    if (granules < run->granules)
        hak_superslab_shrink(superslab, run, granules);
    if (fits)
        store_relaxed(&run->large_bytes, bytes);
    unclaim(run);
    return fits;
}

void *hak_large_resize(void *p, size_t bytes) {
    bytes = hak_large_good_size(bytes);
    lock_acquire(hak_arena_lock());
    struct superslab *superslab = hak_superslab_of(p);
    void *result = p;
    if (superslab->state != UNIT_GRANULES)
        result = hak_huge_resize(superslab, bytes);
    else if (!resize_run(superslab, p, bytes))
        result = NULL;
    lock_release(hak_arena_lock());
    hak_purge_excess();
    return result;
}
