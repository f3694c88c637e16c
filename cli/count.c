/* count.c
 * Purpose.     See count.h.
 * Design.      `served` of malloc and free in a record is not read: it repeats what the sums hold.
 */
#include "count.h"

#include "base/figures.h"

#include <stddef.h>

#define ENTRY_ROW(id, symbol, kind) {symbol, ENTRY_##kind},
static const struct {
    const char *name;
    enum entry_kind kind;
} entries[HAK_ENTRY_COUNT] = {HAK_ENTRIES(ENTRY_ROW)};

const char *entry_name(unsigned entry) {
    return entries[entry].name;
}

enum entry_kind entry_kind(unsigned entry) {
    return entries[entry].kind;
}

static void add_tally(struct counts *counts, const struct hak_tally *tally) {
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++)
        if (i != HAK_ENTRY_MALLOC && i != HAK_ENTRY_FREE)
            counts->served[i] += tally->served[i];
    counts->allocations += tally->cached_mallocs + tally->large_allocs;
    counts->frees += tally->cached_frees + tally->large_frees;
    counts->resize_allocations += tally->resize_allocs;
    counts->resize_frees += tally->resize_frees;
    counts->null_frees += tally->null_frees;
    counts->large_allocations += tally->large_allocs;
    counts->large_frees += tally->large_frees;
}

void counts_begin(struct counts *counts, const struct hak_view *view) {
    *counts = (struct counts){.foreign_frees = view->foreign_frees, .errors = view->errors};
    add_tally(counts, &view->recordless);
}

void counts_add_thread(struct counts *counts, const struct hak_thread_view *thread) {
    counts->threads += thread->thread_id != 0;
    add_tally(counts, &thread->tally);
    for (unsigned i = 1; i < HAK_CLASS_COUNT; i++) {
        struct hak_class_sum sum = figures_class_sum(thread, i);
        counts->allocations += sum.mallocs;
        counts->frees += sum.frees;
        counts->passed_frees += thread->flow[i].passed_frees;
        counts->taken += thread->flow[i].taken;
        counts->returned += thread->flow[i].returned;
    }
}

void counts_add_counters(struct counts *counts, const uint64_t *counters) {
    for (unsigned i = 0; i < HAK_COUNTER_COUNT; i++)
        counts->counter[i] += counters[i];
}

void counts_finish(struct counts *counts) {
    uint64_t by_others[3] = {0};
    counts->served[HAK_ENTRY_MALLOC] = counts->served[HAK_ENTRY_FREE] = 0;
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++)
        by_others[entries[i].kind] += counts->served[i];
    counts->served[HAK_ENTRY_MALLOC] = counts->allocations - by_others[ENTRY_ALLOC] - counts->resize_allocations;
    counts->served[HAK_ENTRY_FREE] = counts->frees - by_others[ENTRY_FREE] - counts->resize_frees + counts->null_frees;
}

/* Everything but `threads` is a sum. */
#define SUMS (offsetof(struct counts, threads) / sizeof(uint64_t))
_Static_assert(sizeof(struct counts) == (SUMS + 1) * sizeof(uint64_t), "struct counts is words");

/* Counters of a fork child go on from its parent's, so `before` is never the larger one unless a record was read
 * while its thread was changing it. */
void counts_subtract(struct counts *counts, const struct counts *before) {
    uint64_t *number = (uint64_t *)counts;
    for (unsigned i = 0; i < SUMS; i++) {
        uint64_t less = ((const uint64_t *)before)[i];
        number[i] = number[i] > less ? number[i] - less : 0;
    }
}

void counts_add(struct counts *counts, const struct counts *other) {
    for (unsigned i = 0; i < SUMS; i++)
        ((uint64_t *)counts)[i] += ((const uint64_t *)other)[i];
    counts->threads += other->threads;
}
