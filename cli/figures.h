/* figures.h
 * Purpose.     The numbers that `hakmem stat` shows, in one list, and where they come from.
 * Design.      FIGURES is the only place that names a number: the struct, the text, the JSON and the OpenMetrics output
 *              come from it. A number is one of its kind, or one for each member of a set: a size class, a tier.
 *              doc/STATS.md tells more of each.
 * Concurrency. The process may be running: sums over threads are then off by the calls in flight.
 * Not here.    What each resident page is used for (account.h).
 */
#ifndef HAK_CLI_FIGURES_H
#define HAK_CLI_FIGURES_H

#include "survey.h"

#include <stdio.h>

/* X(field, COUNTER or GAUGE, set, column, text); `column` is its short name where the set is known. */
#define FIGURES(X)                                                                                                     \
    X(live_bytes, GAUGE, NONE, "live", "in blocks that the program holds")                                             \
    X(active_bytes, GAUGE, NONE, "active", "in slabs and in Large and Huge blocks")                                    \
    X(resident_bytes, GAUGE, NONE, "resident", "of hakmem's memory, metadata included, that is in RAM")                \
    X(retained_bytes, GAUGE, NONE, "retained", "free, not given back to the kernel yet")                               \
    X(mapped_bytes, GAUGE, NONE, "mapped", "of address space taken for blocks")                                        \
    X(metadata_bytes, GAUGE, NONE, "metadata", "in hakmem's own records")                                              \
    X(committed_bytes, GAUGE, NONE, "committed", "of what is mapped, made accessible")                                 \
    X(purged_bytes, COUNTER, NONE, "purged", "given back to the kernel so far")                                        \
    X(allocations, COUNTER, NONE, "allocations", "blocks handed out")                                                  \
    X(frees, COUNTER, NONE, "frees", "blocks taken back")                                                              \
    X(null_frees, COUNTER, NONE, "null frees", "frees of NULL")                                                        \
    X(foreign_frees, COUNTER, NONE, "foreign frees", "frees of pointers that are not hakmem's")                        \
    X(errors, COUNTER, NONE, "errors", "misuse seen, foreign frees included")                                          \
    X(threads, GAUGE, NONE, "threads", "with caches of their own")                                                     \
    X(heaps, GAUGE, NONE, "heaps", "made so far")                                                                      \
    X(tier_allocations, COUNTER, TIER, "allocations", "blocks handed out, by tier")                                    \
    X(tier_frees, COUNTER, TIER, "frees", "blocks taken back, by tier")                                                \
    X(tier_live_blocks, GAUGE, TIER, "live blocks", "blocks that the program holds, by tier")                          \
    X(tier_live_bytes, GAUGE, TIER, "live bytes", "in blocks that the program holds, by tier")                         \
    X(slabs, GAUGE, SLAB, "slabs", "slabs by state")                                                                   \
    X(granules, GAUGE, GRANULE, "granules", "accessible 64 KiB granules by use")                                       \
    X(units, GAUGE, UNIT, "units", "4 MiB units of arenas, and direct mappings, by use")                               \
    X(calls, COUNTER, ENTRY, "calls", "calls served, by function")                                                     \
    X(class_allocations, COUNTER, CLASS, "allocations", "blocks handed out, by size class")                            \
    X(class_frees, COUNTER, CLASS, "frees", "blocks taken back, by size class")                                        \
    X(class_live_blocks, GAUGE, CLASS, "live blocks", "blocks that the program holds, by size class")                  \
    X(class_live_bytes, GAUGE, CLASS, "live bytes", "in blocks that the program holds, by size class")                 \
    X(class_slabs, GAUGE, CLASS, "slabs", "slabs by size class")                                                       \
    X(class_slab_bytes, GAUGE, CLASS, "slab bytes", "in slabs, by size class")

/* Members of the sets, X(id, name); classes and functions have lists of their own. */
#define FIGURE_TIERS(X) X(TINY, "tiny") X(MID, "mid") X(LARGE, "large") X(HUGE, "huge")
#define FIGURE_SLABS(X) X(FULL, "full") X(PART_USED, "part-used")
#define FIGURE_GRANULES(X) X(SLAB, "slab") X(LARGE, "large") X(HUGE, "huge") X(RETAINED, "retained") X(CLEAN, "clean")
#define FIGURE_UNITS(X)                                                                                                \
    X(GRANULES, "slabs-and-large") X(HUGE, "huge") X(DIRECT, "direct") X(FREE, "free") X(RESERVED, "reserved")

#define FIGURE_MEMBER(prefix, id) prefix##_##id
#define FIGURE_TIER_ID(id, name) FIGURE_MEMBER(TIER, id),
#define FIGURE_SLAB_ID(id, name) FIGURE_MEMBER(SLAB, id),
#define FIGURE_GRANULE_ID(id, name) FIGURE_MEMBER(GRANULE, id),
#define FIGURE_UNIT_ID(id, name) FIGURE_MEMBER(SPAN, id),
enum { FIGURE_TIERS(FIGURE_TIER_ID) TIER_COUNT };
enum { FIGURE_SLABS(FIGURE_SLAB_ID) SLAB_COUNT };
enum { FIGURE_GRANULES(FIGURE_GRANULE_ID) GRANULE_COUNT };
enum { FIGURE_UNITS(FIGURE_UNIT_ID) UNIT_COUNT };

enum figure_set { SET_NONE, SET_TIER, SET_SLAB, SET_GRANULE, SET_UNIT, SET_ENTRY, SET_CLASS, SET_COUNT };
enum {
    FIGURES_NONE = 1,
    FIGURES_TIER = TIER_COUNT,
    FIGURES_SLAB = SLAB_COUNT,
    FIGURES_GRANULE = GRANULE_COUNT,
    FIGURES_UNIT = UNIT_COUNT,
    FIGURES_ENTRY = HAK_ENTRY_COUNT,
    FIGURES_CLASS = HAK_CLASS_COUNT,
};

struct figures {
#define FIGURE_FIELD(field, kind, set, column, text) uint64_t field[FIGURES_##set];
    FIGURES(FIGURE_FIELD)
#undef FIGURE_FIELD
};

/* NULL, or why it cannot be done. */
const char *figures_take(struct survey *survey, struct figures *figures);

/* A counter's growth per second. A record that was read while its thread changed it may seem to have run backwards. */
static inline double figures_rate(uint64_t before, uint64_t after, double seconds) {
    int64_t more = (int64_t)(after - before);
    return more > 0 && seconds > 0 ? (double)more / seconds : 0;
}

/* With `before`, of `seconds` ago, counters are shown per second. */
void figures_print_text(const struct figures *figures, const struct figures *before, double seconds, struct subject of,
                        FILE *out);
void figures_print_json(const struct figures *figures, struct subject of, FILE *out);
void figures_print_openmetrics(const struct figures *figures, struct subject of, FILE *out);

#endif
