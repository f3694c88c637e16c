/* counts.h
 * Purpose.     The counts that a tool gets out of hak_view, by the equations of hakmem_stats.h.
 * Design.      All records are summed, and the calls without one, so a difference of two sums is what happened in
 *              between, whoever did it and whether he still lives. Exact while no other thread allocates.
 */
#ifndef TEST_SUPPORT_COUNTS_H
#define TEST_SUPPORT_COUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "hakmem_stats.h"

struct counts {
    struct hak_class_sum of_class[HAK_CLASS_COUNT];
    struct hak_tally tally; /* cached_mallocs and cached_frees are those without a record */
    uint64_t threads;       /* records in use */
};

/* What the program called, as far as blocks changed hands. */
struct calls {
    uint64_t entry[HAK_ENTRY_COUNT];
    uint64_t blocks_out;
    uint64_t blocks_back;
};

static inline void counts_add_tally(struct hak_tally *to, const struct hak_tally *from) {
    for (size_t i = 0; i < sizeof *to / sizeof(uint64_t); i++) {
        ((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
    }
}

static inline struct hak_class_sum counts_of_slot(const struct hak_thread_view *thread, unsigned c) {
    const struct hak_slot *slot = &thread->slot[c];
    const struct hak_flow *flow = &thread->flow[c];
    int64_t length = slot->room == 0 ? 0 : slot->top - flow->base;
    uint64_t frees = flow->frees_end - (uint64_t)(int64_t)slot->frees_left;
    uint64_t mallocs = flow->taken - flow->returned + frees - (uint64_t)length;
    return (struct hak_class_sum){mallocs, frees + flow->passed_frees};
}

static inline struct counts counts_now(const struct hak_view *view) {
    struct counts counts = {.threads = 0};
    for (const struct hak_thread_view *thread = view->threads; thread != NULL; thread = thread->next) {
        counts.threads += thread->thread_id != 0;
        counts_add_tally(&counts.tally, &thread->tally);
        for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
            struct hak_class_sum sum = counts_of_slot(thread, c);
            counts.of_class[c].mallocs += sum.mallocs;
            counts.of_class[c].frees += sum.frees;
        }
    }
    counts_add_tally(&counts.tally, &view->recordless);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        counts.of_class[c].mallocs += view->recordless_class[c].mallocs;
        counts.of_class[c].frees += view->recordless_class[c].frees;
    }
    return counts;
}

/* The calls of each entry: those of malloc and free are what is left of all. */
static inline struct calls counts_to_calls(const struct counts *counts) {
#define COUNTS_KIND_ALLOC 0
#define COUNTS_KIND_RESIZE 1
#define COUNTS_KIND_FREE 2
#define COUNTS_KIND(id, symbol, kind) COUNTS_KIND_##kind,
    static const int kinds[] = {HAK_ENTRIES(COUNTS_KIND)};
    struct calls calls = {.blocks_out = counts->tally.large_allocs, .blocks_back = counts->tally.large_frees};
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        calls.blocks_out += counts->of_class[c].mallocs;
        calls.blocks_back += counts->of_class[c].frees;
    }
    uint64_t mallocs = calls.blocks_out - counts->tally.resize_allocs;
    uint64_t frees = calls.blocks_back - counts->tally.resize_frees;
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++) {
        calls.entry[i] = counts->tally.served[i];
        mallocs -= kinds[i] == COUNTS_KIND_ALLOC ? calls.entry[i] : 0;
        frees -= kinds[i] == COUNTS_KIND_FREE ? calls.entry[i] : 0;
    }
    calls.entry[HAK_ENTRY_MALLOC] = mallocs;
    calls.entry[HAK_ENTRY_FREE] = frees;
    return calls;
}

static inline struct calls counts_calls_now(const struct hak_view *view) {
    struct counts counts = counts_now(view);
    return counts_to_calls(&counts);
}

#endif
