/* figures.c
 * Purpose.     See figures.h: where the numbers come from.
 */
#include "figures.h"

#include "account.h"
#include "base/config.h"
#include "count.h"
#include "segment/superslab.h"
#include "view.h"

struct taking {
    struct survey *survey;
    struct figures *figures;
    struct counts counts;
    struct hak_class_sum class_sum[HAK_CLASS_COUNT];
};

static void add_thread(void *context, uintptr_t address, const struct hak_thread_view *thread) {
    struct taking *taking = context;
    (void)address;
    counts_add_thread(&taking->counts, thread);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct hak_class_sum sum = counts_of_class(thread, c);
        taking->class_sum[c].mallocs += sum.mallocs;
        taking->class_sum[c].frees += sum.frees;
    }
}

static void add_classes(struct taking *taking) {
    struct figures *figures = taking->figures;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_class_sum *sum = &taking->class_sum[c];
        uint64_t size = taking->survey->view.class_size[c], live = sum->mallocs - sum->frees;
        unsigned tier = size <= HAK_TINY_MAX ? TIER_TINY : TIER_MID;
        figures->class_allocations[c] = sum->mallocs;
        figures->class_frees[c] = sum->frees;
        figures->class_live_blocks[c] = live;
        figures->class_live_bytes[c] = live * size;
        figures->tier_allocations[tier] += sum->mallocs;
        figures->tier_frees[tier] += sum->frees;
        figures->tier_live_blocks[tier] += live;
        figures->tier_live_bytes[tier] += live * size;
    }
}

static const char *take_counts(struct taking *taking) {
    const struct hak_view *view = &taking->survey->view;
    struct figures *figures = taking->figures;
    counts_begin(&taking->counts, view);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        taking->class_sum[c] = view->recordless_class[c];
    const char *failure = view_threads(&taking->survey->target, view, add_thread, taking);
    if (failure != NULL)
        return failure;
    counts_finish(&taking->counts);
    add_classes(taking);
    figures->tier_allocations[TIER_HUGE] = view->huge_allocs;
    figures->tier_frees[TIER_HUGE] = view->huge_frees;
    figures->tier_allocations[TIER_LARGE] = taking->counts.large_allocations - view->huge_allocs;
    figures->tier_frees[TIER_LARGE] = taking->counts.large_frees - view->huge_frees;
    figures->allocations[0] = taking->counts.allocations;
    figures->frees[0] = taking->counts.frees;
    figures->null_frees[0] = taking->counts.null_frees;
    figures->threads[0] = taking->counts.threads;
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++)
        figures->calls[i] = taking->counts.served[i];
    return NULL;
}

static void add_block(struct figures *figures, unsigned tier, uint64_t bytes) {
    figures->tier_live_blocks[tier]++;
    figures->tier_live_bytes[tier] += bytes;
}

static void add_run(void *context, const struct seen_superslab *unit, const struct seen_slab *run) {
    struct taking *taking = context;
    struct figures *figures = taking->figures;
    (void)unit;
    if (run->kind == RUN_LARGE) {
        add_block(figures, TIER_LARGE, run->large_bytes);
        figures->granules[GRANULE_LARGE] += run->granules;
        return;
    }
    figures->granules[GRANULE_SLAB] += run->granules;
    figures->slabs[run->free_count == 0 ? SLAB_FULL : SLAB_PART_USED]++;
    figures->class_slabs[survey_class(run)]++;
    figures->class_slab_bytes[survey_class(run)] += run->granules * HAK_GRANULE_SIZE;
}

static bool is_accessible(struct survey *survey, const struct seen_superslab *unit) {
    struct seen_arena arena;
    return survey_arena(survey, unit->arena, &arena) &&
           unit->base < arena.base + arena.committed * survey->view.regions.unit_bytes;
}

static void add_unit(struct taking *taking, const struct seen_superslab *unit) {
    struct figures *figures = taking->figures;
    if (unit->state == UNIT_DIRECT) {
        figures->units[SPAN_DIRECT]++;
        add_block(figures, TIER_HUGE, unit->huge_bytes);
        return;
    }
    if (unit->state == UNIT_FREE && !is_accessible(taking->survey, unit)) {
        figures->units[SPAN_RESERVED]++;
        return;
    }
    unsigned unused = (unsigned)__builtin_popcountll(unit->free), dirty = (unsigned)__builtin_popcountll(unit->dirty);
    figures->granules[GRANULE_RETAINED] += dirty;
    figures->granules[GRANULE_CLEAN] += unused - dirty;
    figures->units[unit->state == UNIT_FREE ? SPAN_FREE : unit->state == UNIT_GRANULES ? SPAN_GRANULES : SPAN_HUGE]++;
    if (unit->state == UNIT_HUGE)
        add_block(figures, TIER_HUGE, unit->huge_bytes);
    if (unit->state == UNIT_HUGE || unit->state == UNIT_HUGE_REST)
        figures->granules[GRANULE_HUGE] += HAK_GRANULES - unused;
    survey_runs(taking->survey, unit, add_run, taking);
}

static void count_heaps(struct taking *taking) {
    const struct hak_regions *regions = &taking->survey->view.regions;
    for (uint64_t i = 0; i < regions->heap_count && i <= HAK_HEAPS_MAX; i++) {
        uintptr_t heap = 0;
        if (target_read(&taking->survey->target, (uintptr_t)regions->heaps + i * sizeof heap, &heap, sizeof heap) &&
            heap != 0)
            taking->figures->heaps[0]++;
    }
}

const char *figures_take(struct survey *survey, struct figures *figures) {
    const struct hak_view *view = &survey->view;
    struct taking taking = {.survey = survey, .figures = figures};
    *figures = (struct figures){
        .active_bytes = {view->active_bytes},
        .retained_bytes = {view->retained_bytes},
        .mapped_bytes = {view->mapped_bytes},
        .metadata_bytes = {view->metadata_bytes},
        .committed_bytes = {view->committed_bytes},
        .purged_bytes = {view->purged_bytes},
        .foreign_frees = {view->foreign_frees},
        .errors = {view->errors},
    };
    const char *failure = take_counts(&taking);
    if (failure != NULL)
        return failure;
    for (size_t i = 0; i < survey->unit_count; i++)
        add_unit(&taking, &survey->unit[i]);
    count_heaps(&taking);
    for (unsigned tier = 0; tier < TIER_COUNT; tier++)
        figures->live_bytes[0] += figures->tier_live_bytes[tier];
    return account_resident(survey, &figures->resident_bytes[0]);
}
