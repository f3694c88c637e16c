/* api/options.c
 * Purpose.     See options.h.
 * Design.      One loop over one table. Nothing is read where the program runs with more rights than its user: what
 *              secure_getenv does, whose call would make 64 KiB of libc resident in every process.
 */
#include "api/options.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "api/report.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/format.h"
#include "base/options.h"
#include "hakmem.h"

static const struct option {
    const char *field;
    const char *name;
    enum hak_option_kind kind;
    enum hak_option_when when;
    int64_t min;
    int64_t max;
    const char *text;
    int64_t *value;
} table[] = {
#define OPTION_ROW(field, name, kind, fallback, min, max, when, text)                                                  \
    {#field, #name, HAK_OPTION_##kind, HAK_OPTION_##when, min, max, text, &hak_options.field},
    HAK_OPTIONS(OPTION_ROW)
#undef OPTION_ROW
};

#define OPTION_COUNT (sizeof table / sizeof table[0])

/* A stretch of text, not terminated. */
struct span {
    const char *text;
    size_t length;
};

static struct span span_of(const char *text) {
    return (struct span){text, strlen(text)};
}

static bool span_is(struct span span, const char *text) {
    return strlen(text) == span.length && memcmp(span.text, text, span.length) == 0;
}

/* Of a name or a value, in a message. */
#define SPAN_SHOWN 63

/* "hakmem: what name=value"; end_complaint ends the line. */
static void begin_complaint(struct format *f, const char *what, struct span name, struct span value) {
    format_text(f, "hakmem: ");
    format_text(f, what);
    format_text(f, " ");
    format_span(f, name.text, name.length < SPAN_SHOWN ? name.length : SPAN_SHOWN);
    if (value.text != NULL) {
        format_text(f, "=");
        format_span(f, value.text, value.length < SPAN_SHOWN ? value.length : SPAN_SHOWN);
    }
}

static void end_complaint(struct format *f) {
    format_text(f, "; ignored\n");
    format_write(f, STDERR_FILENO);
}

static void complain(const char *what, struct span name) {
    char line[256];
    struct format f = format_into(line, sizeof line);
    begin_complaint(&f, what, name, (struct span){NULL, 0});
    end_complaint(&f);
}

/* The index of the word among those of `text`, which are separated by | and end with a colon. */
static bool parse_choice(struct span value, const char *text, int64_t *result) {
    for (int64_t index = 0;; index++) {
        size_t length = strcspn(text, "|:");
        if (length == value.length && memcmp(text, value.text, length) == 0) {
            *result = index;
            return true;
        }
        if (text[length] == ':')
            return false;
        text += length + 1;
    }
}

static bool parse(const struct option *option, struct span value, int64_t *result) {
    switch (option->kind) {
    case HAK_OPTION_CHOICE:
        return parse_choice(value, option->text, result);
    case HAK_OPTION_REPORT:
        return hak_report_parse(value.text, value.length, result);
    default:
        return option_number(option->kind, value.text, value.length, result) && *result >= option->min &&
               *result <= option->max;
    }
}

SLOW static void complain_of_value(const struct option *option, struct span value) {
    char line[208];
    struct format f = format_into(line, sizeof line);
    begin_complaint(&f, "bad value", span_of(option->field), value);
    if (option->kind == HAK_OPTION_CHOICE) {
        format_text(&f, ": one of ");
        format_span(&f, option->text, strcspn(option->text, ":"));
    } else if (option->kind == HAK_OPTION_REPORT) {
        format_text(&f, ": off, exit, exit:FILE or every:TIME:FILE, TIME like 10s or 500ms");
    } else {
        format_text(&f, option->kind == HAK_OPTION_SIZE ? ": bytes, or K, M or G of them, from " : ": a number from ");
        format_number(&f, option->min);
        format_text(&f, " to ");
        format_number(&f, option->max);
    }
    end_complaint(&f);
}

static void set_option(const struct option *option, struct span value) {
    int64_t parsed;
    if (parse(option, value, &parsed))
        *option->value = parsed;
    else
        complain_of_value(option, value);
}

/* Not strncmp: in most programs this is all that runs at start, and it would make pages of libc resident. */
static bool starts_with(const char *text, const char *prefix) {
    while (*prefix != 0 && *text == *prefix)
        text++, prefix++;
    return *prefix == 0;
}

/* The option whose name is `prefix` and `name`. */
static const struct option *find_option(const char *prefix, struct span name, bool upper) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *full = upper ? table[i].name : table[i].field;
        if (starts_with(full, prefix) && span_is(name, full + strlen(prefix)))
            return &table[i];
    }
    return NULL;
}

/* The variables that hold several options, name:value,name:value; the later one counts. */
static const struct option_list {
    const char *variable;
    const char *prefix; /* of the names in it */
    const char *unknown;
    const char *no_value;
} option_lists[] = {
    {"HAKMEM_LIMIT=", "limit_", "unknown limit in HAKMEM_LIMIT:", "no size in HAKMEM_LIMIT for"},
    {"HAKMEM_CONF=", "", "unknown option in HAKMEM_CONF:", "no value in HAKMEM_CONF for"},
};

static void read_list(const struct option_list *source, const char *text) {
    while (*text != 0) {
        size_t length = strcspn(text, ",");
        size_t name_length = strcspn(text, ":,");
        struct span name = {text, name_length};
        const struct option *option = find_option(source->prefix, name, false);
        if (option == NULL)
            complain(source->unknown, name);
        else if (name_length == length)
            complain(source->no_value, name);
        else
            set_option(option, (struct span){text + name_length + 1, length - name_length - 1});
        text += length + (text[length] == ',');
    }
}

const char *hak_options_cgroup_root = "";

SLOW void hak_options_read(void) {
    static const char prefix[] = "HAKMEM_";
    if (getauxval(AT_SECURE) != 0)
        return;
    /* First, so that a variable of its own overrides what is listed there. */
    for (size_t i = 0; i < sizeof option_lists / sizeof option_lists[0]; i++) {
        for (char **variable = environ; *variable != NULL; variable++) {
            if (starts_with(*variable, option_lists[i].variable))
                read_list(&option_lists[i], *variable + strlen(option_lists[i].variable));
        }
    }
    for (char **variable = environ; *variable != NULL; variable++) {
        if (!starts_with(*variable, prefix))
            continue;
        const char *start = *variable + sizeof prefix - 1;
        struct span name = {start, strcspn(start, "=")};
        const char *value = start + name.length + (start[name.length] == '=');
        const struct option *option = find_option("", name, true);
        if (option != NULL)
            set_option(option, span_of(value));
        else if (span_is(name, "CGROUP_ROOT"))
            hak_options_cgroup_root = value;
        else if (!span_is(name, "CONF") && !span_is(name, "LIMIT"))
            complain("unknown option", (struct span){*variable, sizeof prefix - 1 + name.length});
    }
}

void hak_options_print(void) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char line[128];
        struct format f = format_into(line, sizeof line);
        format_text(&f, "hakmem: ");
        format_text(&f, table[i].field);
        format_text(&f, "=");
        if (table[i].kind == HAK_OPTION_CHOICE || table[i].kind == HAK_OPTION_REPORT) {
            const char *word = table[i].text;
            for (int64_t skip = *table[i].value; skip > 0; skip--)
                word += strcspn(word, "|") + 1;
            format_span(&f, word, strcspn(word, "|:"));
        } else {
            format_number(&f, *table[i].value);
        }
        format_text(&f, "\n");
        format_write(&f, STDERR_FILENO);
    }
}

int hak_options_change(uint64_t index, int64_t *value) {
    if (index >= OPTION_COUNT)
        return ENOENT;
    const struct option *option = &table[index];
    if (option->when != HAK_OPTION_ANYTIME)
        return EPERM;
    if (*value < option->min || *value > option->max)
        return EINVAL;
    int64_t was = load_relaxed(option->value);
    store_relaxed(option->value, *value);
    *value = was;
    return 0;
}

int hak_ctl(const char *name, int64_t *was, const int64_t *value) {
    const struct option *option = name == NULL ? NULL : find_option("", span_of(name), false);
    int error = name == NULL ? EINVAL : option == NULL ? ENOENT : 0;
    if (error == 0) {
        int64_t changed = value != NULL ? *value : load_relaxed(option->value);
        if (value != NULL)
            error = hak_options_change((uint64_t)(option - table), &changed);
        if (error == 0 && was != NULL)
            *was = changed;
    }
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
