/* base/figures_print.h
 * Purpose.     Numbers of a table as text, JSON and OpenMetrics: for the library, which prints what it knows, and for
 *              the command `hakmem`, which adds what it has seen.
 * Design.      Three walks over one table, into a buffer that its owner empties when it is nearly full.
 */
#ifndef HAK_BASE_FIGURES_PRINT_H
#define HAK_BASE_FIGURES_PRINT_H

#include <stdbool.h>

#include "base/format.h"

/* Longer than any line. */
#define FIGURES_LINE_BYTES 256u

/* Of numbers and of members' names; and of a number's own name, with a space behind it. */
#define FIGURES_COLUMN_WIDTH 16u
#define FIGURES_NAME_WIDTH (FIGURES_COLUMN_WIDTH - 2)

/* For each row of a list of figures. */
#define FIGURE_NAME_FITS(field, kind, set, column, text)                                                               \
    _Static_assert(sizeof(column) <= FIGURES_NAME_WIDTH, "a column's name ends before the next begins");

/* A LIMIT of 0 is none, and is printed as that: "unlimited", null, +Inf. */
enum figure_kind { FIGURE_GAUGE, FIGURE_COUNTER, FIGURE_LIMIT };

struct figure_row {
    const char *name;
    enum figure_kind kind;
    unsigned set; /* 0: one number */
    const char *column, *text;
    size_t offset; /* of a uint64_t, or an array of them */
};

/* What a member of a set is called, and all of them. Names are characters, not pointers: a process pays for relocations
 * whether it prints or not. */
#define FIGURE_MEMBER_BYTES 24
struct figure_set {
    const char *label, *list;
    unsigned first, end;
    const char (*name)[FIGURE_MEMBER_BYTES]; /* NULL: members are called by the size of their class */
};

struct figures_print {
    const struct figure_row *row;
    unsigned row_count;
    const struct figure_set *set;
    unsigned set_count;
    const void *values, *before; /* `before`, if not NULL, of ... */
    uint64_t before_ms;          /* ... so many ms ago: text then shows counters per second */
    const uint32_t *class_size;
    uint32_t pid;
    struct format out; /* its capacity is more than FIGURES_LINE_BYTES */
    void (*flush)(struct figures_print *print);
};

void hak_figures_text(struct figures_print *print);
void hak_figures_json(struct figures_print *print);
void hak_figures_openmetrics(struct figures_print *print);

#endif
