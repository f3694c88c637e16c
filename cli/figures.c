/* figures.c
 * Purpose.     See figures.h: where the numbers come from.
 */
#include "figures.h"

#include "account.h"
#include "base/config.h"
#include "base/figures.h"
#include "segment/superslab.h"
#include "view.h"

struct taking {
    struct survey *survey;
    struct figures *figures;
};

static void add_thread(void *context, uintptr_t address, const struct hak_thread_view *thread) {
    struct taking *taking = context;
    (void)address;
    figures_add_thread(&taking->figures->known, thread, taking->survey->view.class_size);
}

static void add_run(void *context, const struct seen_superslab *unit, const struct seen_slab *run) {
    struct taking *taking = context;
    struct figures *figures = taking->figures;
    (void)unit;
    if (run->kind != RUN_SLAB) {
        figures->granules[run->kind == RUN_LARGE ? GRANULE_LARGE : GRANULE_SPARE] += run->granules;
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
    if (survey_is_direct(unit)) {
        figures->units[SPAN_DIRECT]++;
        if (unit->state == UNIT_KEPT)
            figures->granules[GRANULE_RETAINED] += unit->mapped_bytes / HAK_GRANULE_SIZE;
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
            taking->figures->known.heaps++;
    }
}

const char *figures_take(struct survey *survey, struct figures *figures) {
    struct taking taking = {.survey = survey, .figures = figures};
    *figures = (struct figures){0};
    figures_begin(&figures->known, &survey->view);
    const char *failure = view_threads(&survey->target, &survey->view, add_thread, &taking);
    if (failure != NULL)
        return failure;
    for (size_t i = 0; i < survey->unit_count; i++)
        add_unit(&taking, &survey->unit[i]);
    count_heaps(&taking);
    figures_finish(&figures->known);
    if (survey->target.core != NULL)
        return NULL;
    return account_resident(survey, &figures->resident_bytes);
}
