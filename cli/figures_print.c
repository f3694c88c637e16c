/* figures_print.c
 * Purpose.     The numbers of figures.h as text, JSON and OpenMetrics.
 * Design.      The table is made of the library's list and the command's own; base/figures_print.h walks it.
 */
#include "base/figures_print.h"
#include "base/compiler.h"
#include "figures.h"

enum { SET_NONE, SET_TIER, SET_SLAB, SET_GRANULE, SET_UNIT, SET_ENTRY, SET_CLASS, SET_COUNT };

#define KNOWN_ROW(field, kind, set, column, text)                                                                      \
    {#field, FIGURE_##kind, SET_##set, column, text, offsetof(struct figures, known.field)},
#define SEEN_ROW(field, kind, set, column, text)                                                                       \
    {#field, FIGURE_##kind, SET_##set, column, text, offsetof(struct figures, field)},
static const struct figure_row rows[] = {HAK_FIGURES(KNOWN_ROW) FIGURES_SEEN(SEEN_ROW)};
FIGURES_SEEN(FIGURE_NAME_FITS)

#define MEMBER_NAME(id, name) name,
#define SYMBOL_NAME(id, symbol, kind) symbol,
static const char tiers[][FIGURE_MEMBER_BYTES] = {HAK_TIERS(MEMBER_NAME)};
static const char slabs[][FIGURE_MEMBER_BYTES] = {FIGURE_SLABS(MEMBER_NAME)};
static const char granules[][FIGURE_MEMBER_BYTES] = {FIGURE_GRANULES(MEMBER_NAME)};
static const char units[][FIGURE_MEMBER_BYTES] = {FIGURE_UNITS(MEMBER_NAME)};
static const char symbols[][FIGURE_MEMBER_BYTES] = {HAK_ENTRIES(SYMBOL_NAME)};

static const struct figure_set sets[SET_COUNT] = {
    [SET_NONE] = {NULL, NULL, 0, 1, NULL},
    [SET_TIER] = {"tier", "tiers", 0, HAK_TIER_COUNT, tiers},
    [SET_SLAB] = {"state", "slabs", 0, SLAB_COUNT, slabs},
    [SET_GRANULE] = {"use", "granules", 0, GRANULE_COUNT, granules},
    [SET_UNIT] = {"use", "units", 0, UNIT_COUNT, units},
    [SET_ENTRY] = {"function", "calls", 0, HAK_ENTRY_COUNT, symbols},
    [SET_CLASS] = {"block_bytes", "classes", 1, HAK_CLASS_COUNT, NULL},
};

struct printing {
    struct figures_print print;
    FILE *out;
    char text[8192];
};

static void write_text(struct figures_print *print) {
    struct printing *printing = container_of(print, struct printing, print);
    fwrite(print->out.buffer, 1, print->out.length, printing->out);
    print->out.length = 0;
}

static struct printing print_to(FILE *out, const struct figures *figures, struct subject of) {
    return (struct printing){
        .print =
            {
                .row = rows,
                .row_count = sizeof rows / sizeof *rows - of.ended, // resident_bytes is last
                .set = sets,
                .set_count = SET_COUNT,
                .values = figures,
                .class_size = of.class_size,
                .pid = (uint32_t)of.pid,
                .flush = write_text,
            },
        .out = out,
    };
}

void figures_print_text(const struct figures *figures, const struct figures *before, double seconds, struct subject of,
                        FILE *out) {
    struct printing printing = print_to(out, figures, of);
    printing.print.out = format_into(printing.text, sizeof printing.text);
    printing.print.before = before;
    printing.print.before_ms = (uint64_t)(seconds * 1000);
    hak_figures_text(&printing.print);
}

void figures_print_json(const struct figures *figures, struct subject of, FILE *out) {
    struct printing printing = print_to(out, figures, of);
    printing.print.out = format_into(printing.text, sizeof printing.text);
    hak_figures_json(&printing.print);
}

void figures_print_openmetrics(const struct figures *figures, struct subject of, FILE *out) {
    struct printing printing = print_to(out, figures, of);
    printing.print.out = format_into(printing.text, sizeof printing.text);
    hak_figures_openmetrics(&printing.print);
}
