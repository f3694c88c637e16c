/* base/figures_print.c
 * Purpose.     See figures_print.h.
 */
#include "base/figures_print.h"

#include <string.h>

#include "base/compiler.h"

#define NUMBER_BYTES 24u

static void finish_line(struct figures_print *print) {
    format_text(&print->out, "\n");
    if (print->out.capacity - print->out.length < FIGURES_LINE_BYTES)
        print->flush(print);
}

static uint64_t value_in(const void *values, const struct figure_row *row, unsigned i) {
    uint64_t value;
    memcpy(&value, (const char *)values + row->offset + i * sizeof value, sizeof value);
    return value;
}

/* `unlimited`: how no limit is written. */
static void add_count(struct format *out, const struct figures_print *print, const struct figure_row *row, unsigned i,
                      const char *unlimited) {
    uint64_t value = value_in(print->values, row, i);
    if (row->kind == FIGURE_LIMIT && value == 0)
        format_text(out, unlimited);
    else
        format_number(out, (int64_t)value);
}

static void add_member(struct figures_print *print, unsigned set, unsigned i) {
    if (print->set[set].name != NULL)
        format_text(&print->out, print->set[set].name[i]);
    else
        format_number(&print->out, print->class_size[i]);
}

/* True if the member has any number of the set that is not 0. */
static bool is_used(const struct figures_print *print, unsigned set, unsigned i) {
    bool used = false;
    for (unsigned r = 0; r < print->row_count; r++)
        used |= print->row[r].set == set && value_in(print->values, &print->row[r], i) != 0;
    return used;
}

/* ---- text ---- */

static void add_spaces(struct figures_print *print, size_t from, size_t to) {
    for (; from < to; from++)
        format_text(&print->out, " ");
}

static void add_right(struct figures_print *print, const char *text) {
    add_spaces(print, strlen(text), FIGURES_COLUMN_WIDTH);
    format_text(&print->out, text);
}

static void add_value(struct figures_print *print, const struct figure_row *row, unsigned i) {
    char text[NUMBER_BYTES];
    struct format number = format_into(text, sizeof text);
    if (print->before == NULL || row->kind != FIGURE_COUNTER) {
        add_count(&number, print, row, i, "unlimited");
    } else {
        /* A record that was read while its thread changed it may seem to have run backwards. */
        int64_t more = (int64_t)(value_in(print->values, row, i) - value_in(print->before, row, i));
        format_number(&number, more > 0 && print->before_ms != 0 ? more * 1000 / (int64_t)print->before_ms : 0);
        format_text(&number, "/s");
    }
    add_right(print, text);
}

static bool is_of_bytes(const char *name) {
    static const char end[] = "_bytes";
    size_t length = strlen(name);
    return length >= sizeof end && memcmp(name + length - (sizeof end - 1), end, sizeof end - 1) == 0;
}

static void add_scalars(struct figures_print *print) {
    for (unsigned r = 0; r < print->row_count; r++) {
        const struct figure_row *row = &print->row[r];
        if (row->set != 0)
            continue;
        add_value(print, row, 0);
        format_text(&print->out, "  ");
        format_text(&print->out, row->column);
        add_spaces(print, strlen(row->column), FIGURES_NAME_WIDTH);
        format_text(&print->out, is_of_bytes(row->name) ? "bytes " : "");
        format_text(&print->out, row->text);
        finish_line(print);
    }
}

static void add_table(struct figures_print *print, unsigned set) {
    finish_line(print);
    for (unsigned r = 0; r < print->row_count; r++)
        if (print->row[r].set == set)
            add_right(print, print->row[r].column);
    format_text(&print->out, "  ");
    format_text(&print->out, print->set[set].name != NULL ? print->set[set].label : "block bytes");
    finish_line(print);
    for (unsigned i = print->set[set].first; i < print->set[set].end; i++) {
        if (!is_used(print, set, i))
            continue;
        for (unsigned r = 0; r < print->row_count; r++)
            if (print->row[r].set == set)
                add_value(print, &print->row[r], i);
        format_text(&print->out, "  ");
        add_member(print, set, i);
        finish_line(print);
    }
}

SLOW void hak_figures_text(struct figures_print *print) {
    add_scalars(print);
    for (unsigned set = 1; set < print->set_count; set++)
        add_table(print, set);
    print->flush(print);
}

/* ---- JSON ---- */

/* The next line of `depth` brackets; `first`: nothing stands before it in them. */
static void begin_value(struct figures_print *print, unsigned depth, bool first, const char *key) {
    format_text(&print->out, first ? "" : ",");
    finish_line(print);
    add_spaces(print, 0, depth * 2);
    if (key != NULL) {
        format_text(&print->out, "\"");
        format_text(&print->out, key);
        format_text(&print->out, "\": ");
    }
}

/* "class_live_bytes" is "live_bytes" in a list of classes. */
static const char *name_in_set(const char *name) {
    static const char *const prefix[] = {"tier_", "class_"};
    for (unsigned i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        size_t length = strlen(prefix[i]);
        if (strlen(name) > length && memcmp(name, prefix[i], length) == 0)
            return name + length;
    }
    return name;
}

static void add_object(struct figures_print *print, unsigned set, unsigned i) {
    const char *quote = print->set[set].name != NULL ? "\"" : "";
    format_text(&print->out, "{");
    begin_value(print, 3, true, print->set[set].label);
    format_text(&print->out, quote);
    add_member(print, set, i);
    format_text(&print->out, quote);
    for (unsigned r = 0; r < print->row_count; r++) {
        if (print->row[r].set != set)
            continue;
        begin_value(print, 3, false, name_in_set(print->row[r].name));
        add_count(&print->out, print, &print->row[r], i, "null");
    }
    finish_line(print);
    format_text(&print->out, "    }");
}

static void add_list(struct figures_print *print, unsigned set) {
    bool first = true;
    begin_value(print, 1, false, print->set[set].list);
    format_text(&print->out, "[");
    for (unsigned i = print->set[set].first; i < print->set[set].end; i++) {
        if (!is_used(print, set, i))
            continue;
        begin_value(print, 2, first, NULL);
        add_object(print, set, i);
        first = false;
    }
    if (!first) {
        finish_line(print);
        format_text(&print->out, "  ");
    }
    format_text(&print->out, "]");
}

SLOW void hak_figures_json(struct figures_print *print) {
    format_text(&print->out, "{");
    begin_value(print, 1, true, "pid");
    format_number(&print->out, print->pid);
    for (unsigned r = 0; r < print->row_count; r++) {
        if (print->row[r].set != 0)
            continue;
        begin_value(print, 1, false, print->row[r].name);
        add_count(&print->out, print, &print->row[r], 0, "null");
    }
    for (unsigned set = 1; set < print->set_count; set++)
        add_list(print, set);
    finish_line(print);
    format_text(&print->out, "}\n");
    print->flush(print);
}

/* ---- OpenMetrics ---- */

/* "# HELP hakmem_name" and the like; counters have an ending. */
static void add_name(struct figures_print *print, const char *before, const struct figure_row *row) {
    format_text(&print->out, before);
    format_text(&print->out, "hakmem_");
    format_text(&print->out, row->name);
    format_text(&print->out, row->kind == FIGURE_COUNTER ? "_total" : "");
}

static void add_sample(struct figures_print *print, const struct figure_row *row, unsigned i) {
    add_name(print, "", row);
    format_text(&print->out, "{pid=\"");
    format_number(&print->out, print->pid);
    if (row->set != 0) {
        format_text(&print->out, "\",");
        format_text(&print->out, print->set[row->set].label);
        format_text(&print->out, "=\"");
        add_member(print, row->set, i);
    }
    format_text(&print->out, "\"} ");
    add_count(&print->out, print, row, i, "+Inf");
    finish_line(print);
}

/* What Prometheus' older text format and OpenMetrics have in common, in which the name of a counter's family is that of
 * its samples; the last line is a comment to the one and the end of the other. */
void hak_figures_openmetrics(struct figures_print *print) {
    for (unsigned r = 0; r < print->row_count; r++) {
        const struct figure_row *row = &print->row[r];
        add_name(print, "# HELP ", row);
        format_text(&print->out, " ");
        format_text(&print->out, row->text);
        finish_line(print);
        add_name(print, "# TYPE ", row);
        format_text(&print->out, row->kind == FIGURE_COUNTER ? " counter" : " gauge");
        finish_line(print);
        for (unsigned i = print->set[row->set].first; i < print->set[row->set].end; i++)
            add_sample(print, row, i);
    }
    format_text(&print->out, "# EOF\n");
    print->flush(print);
}
