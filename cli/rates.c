/* rates.c
 * Purpose.     See rates.h.
 */
#include "rates.h"

#include "basics.h"

#include <stdlib.h>
#include <string.h>

static double seconds_between(const struct look *before, const struct look *after) {
    return before != NULL ? after->at - before->at : 0;
}

/* Of a counter among the figures. */
#define RATE(field)                                                                                                    \
    (before != NULL ? figures_rate(before->figures.field, after->figures.field, seconds_between(before, after)) : 0)

struct rates rates_between(const struct look *before, const struct look *after) {
    struct rates rates = {.allocations = RATE(known.allocations),
                          .frees = RATE(known.frees),
                          .allocated_bytes = RATE(known.allocated_bytes),
                          .purged_bytes = RATE(known.purged_bytes)};
    if (before != NULL)
        rates.refills = figures_rate(before->refills, after->refills, seconds_between(before, after));
    return rates;
}

struct tier_row rates_of_tier(const struct look *before, const struct look *after, unsigned tier) {
    return (struct tier_row){
        .allocations = RATE(known.tier_allocations[tier]),
        .frees = RATE(known.tier_frees[tier]),
        .live_blocks = after->figures.known.tier_live_blocks[tier],
        .live_bytes = after->figures.known.tier_live_bytes[tier],
    };
}

/* ---- classes ---- */

static double key_of(const struct class_row *row, enum class_order order) {
    return order == ORDER_LIVE     ? (double)row->live_bytes
           : order == ORDER_CALLS  ? row->calls
           : order == ORDER_UNUSED ? (double)row->unused_bytes
                                   : row->block_bytes;
}

static struct class_row class_row(const struct look *before, const struct look *after, unsigned c) {
    const struct figures *figures = &after->figures;
    uint64_t live = figures->known.class_live_bytes[c], in_slabs = figures->class_slab_bytes[c];
    struct class_row row = {
        .block_bytes = after->class_size[c],
        .live_bytes = live,
        .live_blocks = figures->known.class_live_blocks[c],
        .slabs = figures->class_slabs[c],
        .calls = RATE(known.class_allocations[c]) + RATE(known.class_frees[c]),
        .unused_bytes = in_slabs > live ? in_slabs - live : 0,
    };
    row.unused_percent = percent(row.unused_bytes, in_slabs);
    return row;
}

size_t rates_of_classes(const struct look *before, const struct look *after, enum class_order order, bool ascending,
                        struct class_row row[HAK_CLASS_COUNT]) {
    size_t count = 0;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        if (after->figures.known.class_allocations[c] == 0 && after->figures.class_slabs[c] == 0)
            continue;
        struct class_row added = class_row(before, after, c);
        size_t at = count++;
        for (; at > 0; at--) {
            double one = key_of(&row[at - 1], order), other = key_of(&added, order);
            if (ascending ? one <= other : one >= other)
                break;
            row[at] = row[at - 1];
        }
        row[at] = added;
    }
    return count;
}

/* ---- threads ---- */

static int by_calls(const void *a, const void *b) {
    const struct thread_row *one = a, *other = b;
    double one_calls = one->allocations + one->frees, other_calls = other->allocations + other->frees;
    if (one_calls != other_calls)
        return one_calls > other_calls ? -1 : 1;
    return one->thread->tid < other->thread->tid ? -1 : 1;
}

struct thread_row *rates_of_threads(const struct look *before, const struct look *after) {
    struct thread_row *row = need(after->thread_count * sizeof *row);
    size_t old = 0;
    for (size_t i = 0; i < after->thread_count; i++) {
        const struct look_thread *thread = &after->thread[i];
        row[i].thread = thread;
        while (before != NULL && old < before->thread_count && before->thread[old].record < thread->record)
            old++;
        if (before == NULL || old == before->thread_count || before->thread[old].record != thread->record ||
            before->thread[old].tid != thread->tid)
            continue;
        double seconds = seconds_between(before, after);
        row[i].allocations = figures_rate(before->thread[old].allocations, thread->allocations, seconds);
        row[i].frees = figures_rate(before->thread[old].frees, thread->frees, seconds);
    }
    if (after->thread_count != 0)
        qsort(row, after->thread_count, sizeof *row, by_calls);
    return row;
}

/* ---- history ---- */

void history_add(struct history *history, const struct look *look) {
    if (history->count == HISTORY_MAX)
        memmove(history->sample, history->sample + 1, --history->count * sizeof *history->sample);
    history->sample[history->count++] = (struct sample){
        .at = look->at,
        .bytes = {[CURVE_RSS] = look->account.kernel_bytes, [CURVE_LIVE] = look->figures.known.live_bytes}};
}

uint64_t history_column(const struct history *history, enum curve curve, size_t i, size_t columns) {
    uint64_t most = 0;
    for (size_t k = i * history->count / columns; k < (i + 1) * history->count / columns; k++)
        most = history->sample[k].bytes[curve] > most ? history->sample[k].bytes[curve] : most;
    return most;
}
