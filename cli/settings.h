/* settings.h
 * Purpose.     --set NAME=VALUE: checks it against the library's own table of options and hands it to the command.
 * Design.      The table is src/base/options.h, so a name or a range cannot differ from what the library takes. Values
 *              travel in HAKMEM_CONF; a HAKMEM_<NAME> of the same option, which would win there, is taken away.
 */
#ifndef HAK_CLI_SETTINGS_H
#define HAK_CLI_SETTINGS_H

#include <stdbool.h>
#include <stdio.h>

/* Puts one setting into the environment. False after a message if there is no such option or value. */
bool settings_set(const char *assignment);

/* The table, one option per line. */
void settings_print(FILE *out);

#endif
