/* settings.c
 * Purpose.     See settings.h.
 */
#include "settings.h"

#include "base/options.h"
#include "basics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_ROW(field, name, kind, fallback, min, max, text)                                                        \
    {#field, "HAKMEM_" #name, HAK_OPTION_##kind, fallback, min, max, text},
static const struct option {
    const char *field, *variable;
    enum hak_option_kind kind;
    int64_t fallback, min, max;
    const char *text;
} table[] = {HAK_OPTIONS(OPTION_ROW)};

#define OPTION_COUNT (sizeof table / sizeof *table)

/* The choices of a CHOICE, as they stand in its text: "never|adaptive|always". */
static int choices_length(const struct option *option) {
    return (int)strcspn(option->text, ":");
}

static bool is_choice(const struct option *option, const char *value) {
    const char *at = option->text;
    for (;;) {
        size_t length = strcspn(at, "|:");
        if (strlen(value) == length && memcmp(at, value, length) == 0)
            return true;
        if (at[length] != '|')
            return false;
        at += length + 1;
    }
}

static bool is_number(const struct option *option, const char *value) {
    int64_t number;
    return option_number(option->kind, value, strlen(value), &number) && number >= option->min && number <= option->max;
}

static const struct option *find_option(const char *name, size_t length) {
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(table[i].field) == length && memcmp(table[i].field, name, length) == 0)
            return &table[i];
    say("there is no option %.*s; 'hakmem run --help' lists them", (int)length, name);
    return NULL;
}

static bool check_value(const struct option *option, const char *value) {
    if (option->kind == HAK_OPTION_CHOICE) {
        if (is_choice(option, value))
            return true;
        say("bad value %s=%s: one of %.*s", option->field, value, choices_length(option), option->text);
        return false;
    }
    if (is_number(option, value))
        return true;
    say("bad value %s=%s: %s from %lld to %lld", option->field, value,
        option->kind == HAK_OPTION_SIZE ? "bytes, or K, M or G of them," : "a number", (long long)option->min,
        (long long)option->max);
    return false;
}

bool settings_set(const char *assignment) {
    const char *equals = strchr(assignment, '=');
    if (equals == NULL) {
        say("--set takes NAME=VALUE, not %s", assignment);
        return false;
    }
    const struct option *option = find_option(assignment, (size_t)(equals - assignment));
    if (option == NULL || !check_value(option, equals + 1))
        return false;
    const char *before = getenv("HAKMEM_CONF");
    bool first = before == NULL || *before == 0;
    char *conf = need_format("%s%s%s:%s", first ? "" : before, first ? "" : ",", option->field, equals + 1);
    bool done = setenv("HAKMEM_CONF", conf, 1) == 0 && unsetenv(option->variable) == 0;
    free(conf);
    if (!done)
        say("cannot change the environment: %s", strerror(errno));
    return done;
}

void settings_print(FILE *out) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &table[i];
        if (option->kind == HAK_OPTION_CHOICE)
            fprintf(out, "  %-20s %s\n", option->field, option->text);
        else
            fprintf(out, "  %-20s %lld..%lld (%lld): %s\n", option->field, (long long)option->min,
                    (long long)option->max, (long long)option->fallback, option->text);
    }
}
