/* heap/large.c
 * Purpose.     See large.h: what is common to Large and Huge blocks, and the Large ones.
 */
#include "heap/large.h"

#include <string.h>

#include "base/bits.h"
#include "heap/huge.h"
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

void *hak_large_alloc(size_t bytes, size_t alignment, bool zeroed) {
    bytes = hak_large_good_size(bytes);
    hak_thread_list_tick();
    hak_purge_tick();
    if (bytes > HAK_LARGE_MAX || alignment > HAK_GRANULE_SIZE)
        return hak_huge_alloc(bytes, alignment, zeroed);
    bool zero;
    struct slab *run = hak_superslab_take(POOL_LARGE, granules_for(bytes), RUN_LARGE, 0, &zero);
    if (run == NULL)
        return NULL;
    hak_purge_excess();
    run->large_bytes = bytes;
    return zeroed && !zero ? memset((void *)run->base, 0, bytes) : (void *)run->base;
}

bool hak_large_fits(const void *p, size_t bytes) {
    struct superslab *superslab = hak_superslab_of(p);
    if (superslab == NULL)
        return false;
    bytes = hak_large_good_size(bytes);
    struct slab *slabs = load_acquire(&superslab->slabs);
    unsigned state = load_relaxed(&superslab->state);
    if (slabs != NULL && state == UNIT_GRANULES) {
        struct slab *run = hak_slab_in(slabs, p);
        return load_relaxed(&run->kind) == RUN_LARGE && run->base == (uintptr_t)p &&
               load_relaxed(&run->large_bytes) == bytes;
    }
    return (state == UNIT_HUGE || state == UNIT_DIRECT) && superslab->base == (uintptr_t)p &&
           load_relaxed(&superslab->huge_bytes) == bytes;
}

/* The rest needs the arena lock. */

static enum large_answer find_in_granules(struct superslab *superslab, const void *p, struct large_info *info) {
    struct slab *run = hak_superslab_find_large(superslab, p);
    if (run == NULL)
        return LARGE_IS_FREE;
    *info = (struct large_info){.base = (void *)run->base, .bytes = run->large_bytes};
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
    struct superslab *superslab;
    if (hak_superslab_of(p) == NULL)
        return LARGE_FOREIGN;
    lock_acquire(hak_arena_lock());
    enum large_answer answer = find_block(p, &superslab, info);
    lock_release(hak_arena_lock());
    return answer;
}

enum large_answer hak_large_free(void *p, size_t expected, struct large_info *info) {
    struct superslab *superslab;
    struct direct_rest rest = {.bytes = 0};
    lock_acquire(hak_arena_lock());
    enum large_answer answer = find_block(p, &superslab, info);
    if (answer == LARGE_FOUND && (expected == 0 || expected == info->bytes)) {
        if (superslab->state == UNIT_GRANULES) {
            struct slab *run = hak_superslab_find_large(superslab, p);
            hak_superslab_give_locked(superslab, run, granules_for(run->large_bytes));
        } else {
            rest = hak_huge_free(superslab);
        }
    }
    lock_release(hak_arena_lock());
    if (rest.bytes != 0)
        hak_direct_release(rest);
    hak_purge_excess();
    hak_purge_tick();
    return answer;
}

static bool resize_run(struct superslab *superslab, void *p, size_t bytes) {
    struct slab *run = hak_superslab_find_large(superslab, p);
    unsigned granules = granules_for(bytes);
    if (bytes > HAK_LARGE_MAX || run == NULL)
        return false;
    if (granules > run->granules && !hak_superslab_extend(superslab, run, granules))
        return false;
    if (granules < run->granules)
        hak_superslab_shrink(superslab, run, granules);
    run->large_bytes = bytes;
    return true;
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
