/* figures.h
 * Purpose.     The numbers that `hakmem stat` shows, and where they come from.
 * Design.      What hakmem knows itself is HAK_FIGURES (hakmem_stats.h), worked out as the library does it
 *              (base/figures.h) and printed as the library does it (base/figures_print.h); FIGURES_SEEN is added.
 * Concurrency. The process may be running: sums over threads are then off by the calls in flight.
 * Not here.    What each resident page is used for (account.h).
 */
#ifndef HAK_CLI_FIGURES_H
#define HAK_CLI_FIGURES_H

#include "survey.h"

#include <stdio.h>

/* What a look from outside adds to HAK_FIGURES, in the same columns. The last one is not told of a core. */
#define FIGURES_SEEN(X)                                                                                                \
    X(slabs, GAUGE, SLAB, "slabs", "slabs by state")                                                                   \
    X(granules, GAUGE, GRANULE, "granules", "accessible 64 KiB granules by use")                                       \
    X(units, GAUGE, UNIT, "units", "4 MiB units of arenas, and direct mappings, by use")                               \
    X(class_slabs, GAUGE, CLASS, "slabs", "slabs by size class")                                                       \
    X(class_slab_bytes, GAUGE, CLASS, "slab bytes", "in slabs, by size class")                                         \
    X(resident_bytes, GAUGE, NONE, "resident", "of hakmem's memory, metadata included, that is in RAM")

/* Members of the sets, X(id, name); the others are in hakmem_stats.h. */
#define FIGURE_SLABS(X) X(FULL, "full") X(PART_USED, "part-used")
#define FIGURE_GRANULES(X)                                                                                             \
    X(SLAB, "slab") X(LARGE, "large") X(SPARE, "spare") X(HUGE, "huge") X(RETAINED, "retained") X(CLEAN, "clean")
#define FIGURE_UNITS(X)                                                                                                \
    X(GRANULES, "slabs-and-large") X(HUGE, "huge") X(DIRECT, "direct") X(FREE, "free") X(RESERVED, "reserved")

#define FIGURE_MEMBER(prefix, id) prefix##_##id
#define FIGURE_SLAB_ID(id, name) FIGURE_MEMBER(SLAB, id),
#define FIGURE_GRANULE_ID(id, name) FIGURE_MEMBER(GRANULE, id),
#define FIGURE_UNIT_ID(id, name) FIGURE_MEMBER(SPAN, id),
enum { FIGURE_SLABS(FIGURE_SLAB_ID) SLAB_COUNT };
enum { FIGURE_GRANULES(FIGURE_GRANULE_ID) GRANULE_COUNT };
enum { FIGURE_UNITS(FIGURE_UNIT_ID) UNIT_COUNT };

#define HAK_FIGURE_SLAB [SLAB_COUNT]
#define HAK_FIGURE_GRANULE [GRANULE_COUNT]
#define HAK_FIGURE_UNIT [UNIT_COUNT]

struct figures {
    hak_stats_t known;
#define FIGURE_FIELD(field, kind, set, column, text) uint64_t field HAK_FIGURE_##set;
    FIGURES_SEEN(FIGURE_FIELD)
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
