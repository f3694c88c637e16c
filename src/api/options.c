/* api/options.c
 * Purpose.     See options.h.
 * Design.      One loop over one table. Nothing is read where the program runs with more rights than its user: what
 *              secure_getenv does, whose call would make 64 KiB of libc resident in every process.
 */
#include "api/options.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/format.h"
#include "base/options.h"

static const struct option {
    const char *field;
    const char *name;
    enum hak_option_kind kind;
    int64_t min;
    int64_t max;
    const char *text;
    int64_t *value;
} table[] = {
#define OPTION_ROW(field, name, kind, fallback, min, max, text)                                                        \
    {#field, #name, HAK_OPTION_##kind, min, max, text, &hak_options.field},
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

static bool parse_number(struct span value, int64_t *result) {
    int64_t number = 0;
    for (size_t i = 0; i < value.length; i++) {
        char c = value.text[i];
        if (c < '0' || c > '9' || number > (INT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (c - '0');
    }
    *result = number;
    return value.length > 0;
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

static void set_option(const struct option *option, struct span value) {
    int64_t parsed = 0;
    bool ok =
        option->kind == HAK_OPTION_CHOICE ? parse_choice(value, option->text, &parsed) : parse_number(value, &parsed);
    if (ok && parsed >= option->min && parsed <= option->max) {
        *option->value = parsed;
        return;
    }
    char line[256];
    struct format f = format_into(line, sizeof line);
    begin_complaint(&f, "bad value", span_of(option->field), value);
    if (option->kind == HAK_OPTION_CHOICE) {
        format_text(&f, ": one of ");
        format_span(&f, option->text, strcspn(option->text, ":"));
    } else {
        format_text(&f, ": a number from ");
        format_number(&f, option->min);
        format_text(&f, " to ");
        format_number(&f, option->max);
    }
    end_complaint(&f);
}

static const struct option *find_option(struct span name, bool upper) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (span_is(name, upper ? table[i].name : table[i].field))
            return &table[i];
    }
    return NULL;
}

static void read_conf(const char *conf) {
    while (*conf != 0) {
        size_t length = strcspn(conf, ",");
        size_t name_length = strcspn(conf, ":,");
        struct span name = {conf, name_length};
        const struct option *option = find_option(name, false);
        if (option == NULL)
            complain("unknown option in HAKMEM_CONF:", name);
        else if (name_length == length)
            complain("no value in HAKMEM_CONF for", name);
        else
            set_option(option, (struct span){conf + name_length + 1, length - name_length - 1});
        conf += length + (conf[length] == ',');
    }
}

/* Not strncmp: in most programs this is all that runs at start, and it would make pages of libc resident. */
static bool starts_with(const char *text, const char *prefix) {
    while (*prefix != 0 && *text == *prefix)
        text++, prefix++;
    return *prefix == 0;
}

void hak_options_read(void) {
    static const char prefix[] = "HAKMEM_";
    static const char conf[] = "HAKMEM_CONF=";
    if (getauxval(AT_SECURE) != 0)
        return;
    /* First, so that a variable of its own overrides what is listed there. */
    for (char **variable = environ; *variable != NULL; variable++) {
        if (starts_with(*variable, conf))
            read_conf(*variable + sizeof conf - 1);
    }
    for (char **variable = environ; *variable != NULL; variable++) {
        if (!starts_with(*variable, prefix))
            continue;
        const char *start = *variable + sizeof prefix - 1;
        struct span name = {start, strcspn(start, "=")};
        const struct option *option = find_option(name, true);
        if (option != NULL)
            set_option(option, span_of(start + name.length + (start[name.length] == '=')));
        else if (!span_is(name, "CONF"))
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
        if (table[i].kind == HAK_OPTION_CHOICE) {
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
