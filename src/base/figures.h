/* base/figures.h
 * Purpose.     The numbers of hak_stats_t, worked out from hakmem's records.
 * Design.      hakmem does not count calls of malloc and free: they follow from the bookkeeping of its thread caches
 *              (struct hak_flow). All is sums that wrap as unsigned numbers do, so that no order matters. Of plain
 *              structs: the library gives its own, the command `hakmem` copies of another process's.
 * Invariants.  allocations == calls of kind ALLOC + blocks that a RESIZE handed out
 *              frees + null_frees == calls of kind FREE + blocks that a RESIZE took back
 * Concurrency. Any thread, no lock: records are never unmapped. While threads run, a sum is off by their calls in
 *              flight, and a difference may seem to be less than 0; it is 0 then. A thread that is stopped while it
 *              moves words that count together is off by as much as it moves: a batch, or a countdown. One that
 *              frees all the time is off by what it frees while it is looked at.
 */
#ifndef HAK_BASE_FIGURES_H
#define HAK_BASE_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/config.h"
#include "hakmem_stats.h"

/* The equations of struct hak_flow: frees into the list of a class. */
static inline uint64_t figures_cached_frees(const struct hak_slot *slot, const struct hak_flow *flow) {
    return owner_load(&flow->frees_end) - (uint64_t)(int64_t)owner_load(&slot->frees_left);
}

/* Blocks in a thread's list of a class. */
static inline int64_t figures_length(const struct hak_slot *slot, const struct hak_flow *flow) {
    return owner_load(&slot->room) == 0 ? 0 : owner_load(&slot->top) - owner_load(&flow->base);
}

/* The same: mallocs of the class. */
static inline uint64_t figures_mallocs(const struct hak_slot *slot, const struct hak_flow *flow) {
    return owner_load(&flow->taken) - owner_load(&flow->returned) + figures_cached_frees(slot, flow) -
           (uint64_t)figures_length(slot, flow);
}

/* What one record counts of a class. Its thread may be moving some of the words together, or free meanwhile: they are
 * looked at again while it does. */
#define FIGURES_LOOKS_MAX 4u
static inline struct hak_class_sum figures_class_sum(const struct hak_thread_view *thread, unsigned size_class) {
    const struct hak_slot *slot = &thread->slot[size_class];
    const struct hak_flow *flow = &thread->flow[size_class];
    struct hak_class_sum sum;
    uint32_t moves;
    bool changed;
    unsigned looks = 0;
    do {
        moves = load_acquire(&flow->moves);
        uint64_t moved = load_acquire(&flow->taken) - load_acquire(&flow->returned);
        int32_t left = load_acquire(&slot->frees_left);
        uint64_t frees = load_acquire(&flow->frees_end) - (uint64_t)(int64_t)left;
        int32_t room = load_acquire(&slot->room);
        void **top = load_acquire(&slot->top), **base = load_acquire(&flow->base);
        sum.mallocs = moved + frees - (uint64_t)(room == 0 ? 0 : top - base);
        sum.frees = frees + owner_load(&flow->passed_frees);
        changed = (moves & 1) != 0 || load_acquire(&slot->frees_left) != left || load_relaxed(&flow->moves) != moves;
    } while (++looks < FIGURES_LOOKS_MAX && changed);
    return sum;
}

/* What a thread, or threads without a record, did outside the caches. */
static inline void figures_add_tally(hak_stats_t *stats, const struct hak_tally *tally) {
    enum { ALLOC, RESIZE, FREE };
#define FIGURES_KIND(id, symbol, kind) kind,
    static const unsigned char kinds[] = {HAK_ENTRIES(FIGURES_KIND)};
#undef FIGURES_KIND
    uint64_t large_allocs = owner_load(&tally->large_allocs), large_frees = owner_load(&tally->large_frees);
    uint64_t large_allocated_bytes = owner_load(&tally->large_allocated_bytes);
    uint64_t large_bytes = large_allocated_bytes - owner_load(&tally->large_freed_bytes);
    uint64_t allocations = owner_load(&tally->cached_mallocs) + large_allocs;
    uint64_t frees = owner_load(&tally->cached_frees) + large_frees, null_frees = owner_load(&tally->null_frees);
    stats->allocations += allocations;
    stats->frees += frees;
    stats->null_frees += null_frees;
    stats->live_bytes += large_bytes;
    stats->allocated_bytes += large_allocated_bytes;
    stats->tier_allocations[HAK_TIER_LARGE] += large_allocs;
    stats->tier_frees[HAK_TIER_LARGE] += large_frees;
    stats->tier_live_blocks[HAK_TIER_LARGE] += large_allocs - large_frees;
    stats->tier_live_bytes[HAK_TIER_LARGE] += large_bytes;
    stats->calls[HAK_ENTRY_MALLOC] += allocations - owner_load(&tally->resize_allocs);
    stats->calls[HAK_ENTRY_FREE] += frees + null_frees - owner_load(&tally->resize_frees);
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++) {
        uint64_t served = i == HAK_ENTRY_MALLOC || i == HAK_ENTRY_FREE ? 0 : owner_load(&tally->served[i]);
        stats->calls[i] += served;
        stats->calls[HAK_ENTRY_MALLOC] -= kinds[i] == ALLOC ? served : 0;
        stats->calls[HAK_ENTRY_FREE] -= kinds[i] == FREE ? served : 0;
    }
}

static inline void figures_add_class(hak_stats_t *stats, unsigned size_class, uint64_t block_bytes,
                                     struct hak_class_sum sum) {
    enum hak_tier tier = block_bytes <= HAK_TINY_MAX ? HAK_TIER_TINY : HAK_TIER_MID;
    uint64_t live = sum.mallocs - sum.frees;
    stats->class_allocations[size_class] += sum.mallocs;
    stats->class_frees[size_class] += sum.frees;
    stats->class_live_blocks[size_class] += live;
    stats->class_live_bytes[size_class] += live * block_bytes;
    stats->tier_allocations[tier] += sum.mallocs;
    stats->tier_frees[tier] += sum.frees;
    stats->tier_live_blocks[tier] += live;
    stats->tier_live_bytes[tier] += live * block_bytes;
    stats->live_bytes += live * block_bytes;
    stats->allocated_bytes += sum.mallocs * block_bytes;
}

static inline uint64_t figures_limit(uint64_t bytes) {
    return bytes == HAK_LIMIT_NONE ? 0 : bytes;
}

/* First, on a struct of zeros: what the whole process counts, and threads without a record. */
static inline void figures_begin(hak_stats_t *stats, const struct hak_view *view) {
    uint64_t huge_allocs = load_relaxed(&view->huge_allocs), huge_frees = load_relaxed(&view->huge_frees);
    uint64_t huge_bytes = load_relaxed(&view->huge_bytes);
    stats->active_bytes = load_relaxed(&view->active_bytes);
    stats->retained_bytes = load_relaxed(&view->retained_bytes);
    stats->mapped_bytes = load_relaxed(&view->mapped_bytes);
    stats->metadata_bytes = load_relaxed(&view->metadata_bytes);
    stats->committed_bytes = load_relaxed(&view->committed_bytes);
    stats->purged_bytes = load_relaxed(&view->purged_bytes);
    stats->reused_bytes = load_relaxed(&view->reused_bytes);
    stats->page_faults_avoided = view->page_bytes != 0 ? stats->reused_bytes / view->page_bytes : 0;
    stats->soft_limit_bytes = figures_limit(load_relaxed(&view->limit_bytes[HAK_LIMIT_SOFT]));
    stats->hard_limit_bytes = figures_limit(load_relaxed(&view->limit_bytes[HAK_LIMIT_HARD]));
    stats->group_limit_bytes = figures_limit(view->group_bytes);
    stats->cpus = view->cpu_count;
    stats->foreign_frees = load_relaxed(&view->foreign_frees);
    stats->errors = load_relaxed(&view->errors);
    figures_add_tally(stats, &view->recordless);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        figures_add_class(stats, c, view->class_size[c],
                          (struct hak_class_sum){.mallocs = load_relaxed(&view->recordless_class[c].mallocs),
                                                 .frees = load_relaxed(&view->recordless_class[c].frees)});
    /* The tallies do not tell Huge blocks from Large ones. */
    stats->tier_allocations[HAK_TIER_HUGE] += huge_allocs;
    stats->tier_allocations[HAK_TIER_LARGE] -= huge_allocs;
    stats->tier_frees[HAK_TIER_HUGE] += huge_frees;
    stats->tier_frees[HAK_TIER_LARGE] -= huge_frees;
    stats->tier_live_blocks[HAK_TIER_HUGE] += huge_allocs - huge_frees;
    stats->tier_live_blocks[HAK_TIER_LARGE] -= huge_allocs - huge_frees;
    stats->tier_live_bytes[HAK_TIER_HUGE] += huge_bytes;
    stats->tier_live_bytes[HAK_TIER_LARGE] -= huge_bytes;
}

/* For every record, with a thread or not. `class_size` is hak_view's. */
static inline void figures_add_thread(hak_stats_t *stats, const struct hak_thread_view *thread,
                                      const uint32_t *class_size) {
    stats->threads += load_relaxed(&thread->thread_id) != 0;
    figures_add_tally(stats, &thread->tally);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct hak_class_sum sum = figures_class_sum(thread, c);
        figures_add_class(stats, c, class_size[c], sum);
        stats->allocations += sum.mallocs;
        stats->frees += sum.frees;
        stats->calls[HAK_ENTRY_MALLOC] += sum.mallocs;
        stats->calls[HAK_ENTRY_FREE] += sum.frees;
    }
}

/* Last. */
static inline void figures_finish(hak_stats_t *stats) {
    uint64_t *number = (uint64_t *)(void *)((char *)stats + offsetof(hak_stats_t, live_bytes));
    for (size_t i = 0; i < (sizeof *stats - offsetof(hak_stats_t, live_bytes)) / sizeof *number; i++)
        number[i] = (int64_t)number[i] < 0 ? 0 : number[i];
}

#endif
