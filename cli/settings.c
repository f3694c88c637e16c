/* settings.c
 * Purpose.     See settings.h.
 */
#include "settings.h"

#include "base/options.h"
#include "basics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_ROW(field, name, kind, fallback, min, max, when, text)                                                  \
    {#field, "HAKMEM_" #name, HAK_OPTION_##kind, HAK_OPTION_##when, fallback, min, max, text},
static const struct option {
    const char *field, *variable;
    enum hak_option_kind kind;
    enum hak_option_when when;
    int64_t fallback, min, max;
    const char *text;
} table[] = {HAK_OPTIONS(OPTION_ROW)};

#define OPTION_COUNT (sizeof table / sizeof *table)

/* The choices of a CHOICE, as they stand in its text: "never|adaptive|always". */
static int choices_length(const struct option *option) {
    return (int)strcspn(option->text, ":");
}

/* The place of the word among the choices, -1 if it is none of them. */
static int64_t choice_of(const struct option *option, const char *word, size_t word_length) {
    const char *at = option->text;
    for (int64_t place = 0;; place++) {
        size_t length = strcspn(at, "|:");
        if (word_length == length && memcmp(at, word, length) == 0)
            return place;
        if (at[length] != '|')
            return -1;
        at += length + 1;
    }
}

static bool is_number(const struct option *option, const char *value, int64_t *number) {
    return option_number(option->kind, value, strlen(value), number) && *number >= option->min &&
           *number <= option->max;
}

static const struct option *find_option(const char *name, size_t length) {
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(table[i].field) == length && memcmp(table[i].field, name, length) == 0)
            return &table[i];
    say("there is no option %.*s; 'hakmem run --help' lists them", (int)length, name);
    return NULL;
}

static bool parse_value(const struct option *option, const char *value, int64_t *number) {
    if (option->kind == HAK_OPTION_CHOICE || option->kind == HAK_OPTION_REPORT) {
        /* What follows the colon of a REPORT is the library's to judge. */
        *number = choice_of(option, value, option->kind == HAK_OPTION_REPORT ? strcspn(value, ":") : strlen(value));
        if (*number >= 0)
            return true;
        say("bad value %s=%s: one of %.*s", option->field, value, choices_length(option), option->text);
        return false;
    }
    if (is_number(option, value, number))
        return true;
    say("bad value %s=%s: %s from %lld to %lld", option->field, value,
        option->kind == HAK_OPTION_SIZE ? "bytes, or K, M or G of them," : "a number", (long long)option->min,
        (long long)option->max);
    return false;
}

/* NULL after a message. */
static const struct option *parse_assignment(const char *taker, const char *assignment, int64_t *number) {
    const char *equals = strchr(assignment, '=');
    if (equals == NULL) {
        say("%s takes NAME=VALUE, not %s", taker, assignment);
        return NULL;
    }
    const struct option *option = find_option(assignment, (size_t)(equals - assignment));
    return option != NULL && parse_value(option, equals + 1, number) ? option : NULL;
}

bool settings_parse(const char *assignment, struct setting *setting) {
    const struct option *option = parse_assignment("set", assignment, &setting->value);
    if (option == NULL)
        return false;
    setting->name = option->field;
    if (option->when == HAK_OPTION_ANYTIME)
        return true;
    say("%s is only read when a program starts: 'hakmem run --set %s -- COMMAND'", option->field, assignment);
    return false;
}

const char *settings_text(const struct setting *setting, char buffer[SETTING_BYTES]) {
    const struct option *option = find_option(setting->name, strlen(setting->name));
    if (option == NULL || option->kind != HAK_OPTION_CHOICE) {
        snprintf(buffer, SETTING_BYTES, "%lld", (long long)setting->value);
        return buffer;
    }
    const char *word = option->text;
    for (int64_t skip = setting->value; skip > 0; skip--)
        word += strcspn(word, "|:") + 1;
    snprintf(buffer, SETTING_BYTES, "%.*s", (int)strcspn(word, "|:"), word);
    return buffer;
}

bool settings_set(const char *assignment) {
    int64_t number;
    const struct option *option = parse_assignment("--set", assignment, &number);
    if (option == NULL)
        return false;
    const char *value = strchr(assignment, '=') + 1;
    const char *before = getenv("HAKMEM_CONF");
    bool first = before == NULL || *before == 0;
    char *conf = need_format("%s%s%s:%s", first ? "" : before, first ? "" : ",", option->field, value);
    bool done = setenv("HAKMEM_CONF", conf, 1) == 0 && unsetenv(option->variable) == 0;
    free(conf);
    if (!done)
        say("cannot change the environment: %s", strerror(errno));
    return done;
}

void settings_print(FILE *out) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &table[i];
        if (option->kind == HAK_OPTION_CHOICE || option->kind == HAK_OPTION_REPORT)
            fprintf(out, "  %-20s %s\n", option->field, option->text);
        else
            fprintf(out, "  %-20s %lld..%lld (%lld): %s\n", option->field, (long long)option->min,
                    (long long)option->max, (long long)option->fallback, option->text);
    }
}
