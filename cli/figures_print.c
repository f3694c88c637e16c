/* figures_print.c
 * Purpose.     The numbers of figures.h as text, JSON and OpenMetrics.
 * Design.      Three walks over one table, which FIGURES makes.
 */
#include "figures.h"

#include "count.h"
#include "json.h"

#include <inttypes.h>
#include <string.h>

enum kind { GAUGE, COUNTER };

#define FIGURE_ROW(field, kind, set, column, text)                                                                     \
    {#field, kind, SET_##set, column, text, offsetof(struct figures, field)},
static const struct row {
    const char *name;
    enum kind kind;
    enum figure_set set;
    const char *column, *text;
    size_t offset;
} rows[] = {FIGURES(FIGURE_ROW)};
#define ROW_COUNT (sizeof rows / sizeof *rows)

#define MEMBER_NAME(id, name) name,
static const char *const tiers[] = {FIGURE_TIERS(MEMBER_NAME)}, *const slabs[] = {FIGURE_SLABS(MEMBER_NAME)},
                         *const granules[] = {FIGURE_GRANULES(MEMBER_NAME)},
                         *const units[] = {FIGURE_UNITS(MEMBER_NAME)};

/* What one member is called, and all of them. The members of the last two have no list of names. */
static const struct {
    const char *label, *list;
    unsigned count;
    const char *const *name;
} sets[SET_COUNT] = {
    [SET_NONE] = {NULL, NULL, 1, NULL},
    [SET_TIER] = {"tier", "tiers", TIER_COUNT, tiers},
    [SET_SLAB] = {"state", "slabs", SLAB_COUNT, slabs},
    [SET_GRANULE] = {"use", "granules", GRANULE_COUNT, granules},
    [SET_UNIT] = {"use", "units", UNIT_COUNT, units},
    [SET_ENTRY] = {"function", "calls", HAK_ENTRY_COUNT, NULL},
    [SET_CLASS] = {"block_bytes", "classes", HAK_CLASS_COUNT, NULL},
};

#define NAME_BYTES 48
static const char *member_name(enum figure_set set, unsigned i, struct subject of, char buffer[NAME_BYTES]) {
    if (set == SET_ENTRY)
        return entry_name(i);
    if (set != SET_CLASS)
        return sets[set].name[i];
    snprintf(buffer, NAME_BYTES, "%" PRIu32, of.class_size[i]);
    return buffer;
}

static uint64_t value_of(const struct figures *figures, const struct row *row, unsigned i) {
    uint64_t value;
    memcpy(&value, (const char *)figures + row->offset + i * sizeof value, sizeof value);
    return value;
}

/* True if the member has any number of the set that is not 0. */
static bool is_used(const struct figures *figures, enum figure_set set, unsigned i) {
    bool used = false;
    for (size_t r = 0; r < ROW_COUNT; r++)
        used |= rows[r].set == set && value_of(figures, &rows[r], i) != 0;
    return used;
}

/* ---- text ---- */

struct text {
    const struct figures *figures, *before;
    double seconds;
    struct subject of;
    FILE *out;
};

static void print_value(const struct text *text, const struct row *row, unsigned i) {
    uint64_t value = value_of(text->figures, row, i);
    if (text->before == NULL || row->kind == GAUGE) {
        fprintf(text->out, "%16" PRIu64, value);
        return;
    }
    fprintf(text->out, "%14.0f/s", figures_rate(value_of(text->before, row, i), value, text->seconds));
}

static void print_scalars(const struct text *text) {
    for (size_t r = 0; r < ROW_COUNT; r++) {
        if (rows[r].set != SET_NONE)
            continue;
        print_value(text, &rows[r], 0);
        bool bytes = strstr(rows[r].name, "_bytes") != NULL;
        fprintf(text->out, "  %-14s%s%s\n", rows[r].column, bytes ? "bytes " : "", rows[r].text);
    }
}

static void print_table(const struct text *text, enum figure_set set) {
    char buffer[NAME_BYTES];
    fputc('\n', text->out);
    for (size_t r = 0; r < ROW_COUNT; r++)
        if (rows[r].set == set)
            fprintf(text->out, "%16s", rows[r].column);
    fprintf(text->out, "  %s\n", set == SET_CLASS ? "block bytes" : sets[set].label);
    for (unsigned i = 0; i < sets[set].count; i++) {
        if (!is_used(text->figures, set, i))
            continue;
        for (size_t r = 0; r < ROW_COUNT; r++)
            if (rows[r].set == set)
                print_value(text, &rows[r], i);
        fprintf(text->out, "  %s\n", member_name(set, i, text->of, buffer));
    }
}

void figures_print_text(const struct figures *figures, const struct figures *before, double seconds, struct subject of,
                        FILE *out) {
    struct text text = {figures, before, seconds, of, out};
    print_scalars(&text);
    for (enum figure_set set = SET_NONE + 1; set < SET_COUNT; set++)
        print_table(&text, set);
}

/* ---- JSON ---- */

/* "class_live_bytes" is "live_bytes" in a list of classes. */
static const char *name_in_set(const struct row *row) {
    static const char *const prefix[] = {"tier_", "class_"};
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
        if (strncmp(row->name, prefix[i], strlen(prefix[i])) == 0)
            return row->name + strlen(prefix[i]);
    return row->name;
}

static void print_list(const struct figures *figures, enum figure_set set, struct subject of, struct json *json) {
    char buffer[NAME_BYTES];
    json_open(json, sets[set].list, '[');
    for (unsigned i = 0; i < sets[set].count; i++) {
        if (!is_used(figures, set, i))
            continue;
        json_open(json, NULL, '{');
        if (set == SET_CLASS)
            json_count(json, sets[set].label, of.class_size[i]);
        else
            json_text(json, sets[set].label, member_name(set, i, of, buffer));
        for (size_t r = 0; r < ROW_COUNT; r++)
            if (rows[r].set == set)
                json_count(json, name_in_set(&rows[r]), value_of(figures, &rows[r], i));
        json_close(json, '{');
    }
    json_close(json, '[');
}

void figures_print_json(const struct figures *figures, struct subject of, FILE *out) {
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    json_number(&json, "pid", of.pid);
    for (size_t r = 0; r < ROW_COUNT; r++)
        if (rows[r].set == SET_NONE)
            json_count(&json, rows[r].name, value_of(figures, &rows[r], 0));
    for (enum figure_set set = SET_NONE + 1; set < SET_COUNT; set++)
        print_list(figures, set, of, &json);
    json_close(&json, '{');
}

/* ---- OpenMetrics ---- */

/* What Prometheus' older text format and OpenMetrics have in common, in which the name of a counter's family is that of
 * its samples; the last line is a comment to the one and the end of the other. */
void figures_print_openmetrics(const struct figures *figures, struct subject of, FILE *out) {
    char buffer[NAME_BYTES];
    for (size_t r = 0; r < ROW_COUNT; r++) {
        const struct row *row = &rows[r];
        const char *end = row->kind == COUNTER ? "_total" : "";
        fprintf(out, "# HELP hakmem_%s%s %s\n", row->name, end, row->text);
        fprintf(out, "# TYPE hakmem_%s%s %s\n", row->name, end, row->kind == COUNTER ? "counter" : "gauge");
        for (unsigned i = row->set == SET_CLASS; i < sets[row->set].count; i++) {
            fprintf(out, "hakmem_%s%s{pid=\"%d\"", row->name, end, (int)of.pid);
            if (row->set != SET_NONE)
                fprintf(out, ",%s=\"%s\"", sets[row->set].label, member_name(row->set, i, of, buffer));
            fprintf(out, "} %" PRIu64 "\n", value_of(figures, row, i));
        }
    }
    fprintf(out, "# EOF\n");
}
