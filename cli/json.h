/* json.h
 * Purpose.     Writes JSON, one value per line.
 * Design.      The caller opens and closes; commas, indentation and escapes are done here. Bytes that are no UTF-8
 *              (file names may hold any) become U+FFFD, so that the output is always valid.
 */
#ifndef HAK_CLI_JSON_H
#define HAK_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    unsigned depth;
    bool more; // something stands before in the same brackets
};

/* `key` is NULL inside an array and for the outermost value. `bracket` is '{' or '['. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

/* Opens the object that every report of the command is; its first member tells the command's version. */
void json_begin(struct json *json);

/* `text` NULL is null. */
void json_text(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, int64_t number);
void json_count(struct json *json, const char *key, uint64_t number);
void json_bool(struct json *json, const char *key, bool value);

#endif
