/* settings.h
 * Purpose.     NAME=VALUE: checks it against the library's own table of options, and hands it to a command that is
 *              started (--set), or says what it is to one that runs (`hakmem set`).
 * Design.      The table is src/base/options.h, so a name or a range cannot differ from what the library takes. Values
 *              travel in HAKMEM_CONF; a HAKMEM_<NAME> of the same option, which would win there, is taken away.
 */
#ifndef HAK_CLI_SETTINGS_H
#define HAK_CLI_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct setting {
    const char *name;
    int64_t value;
};

/* What NAME=VALUE means to a program that runs. False after a message if there is no such option or value, or it cannot
 * be set any more. */
bool settings_parse(const char *assignment, struct setting *setting);

/* The value of a setting as it is written, in `buffer` if that needs it. */
#define SETTING_BYTES 32
const char *settings_text(const struct setting *setting, char buffer[SETTING_BYTES]);

/* Puts one setting into the environment. False after a message if there is no such option or value. */
bool settings_set(const char *assignment);

/* The table, one option per line. */
void settings_print(FILE *out);

#endif
