/* json.c
 * Purpose.     See json.h.
 */
#include "json.h"

#include "hakmem.h"

#include <inttypes.h>
#include <stddef.h>

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

/* Length of the UTF-8 sequence at `at`, 0 if it is not one. Overlong forms and surrogates are not told apart from the
 * good ones by most readers, so they are not let through. */
static size_t sequence(const unsigned char *at) {
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

static void write_string(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
        size_t length = sequence(at);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(out, "\\u%04x", *at);
        else
            fwrite(at, 1, length, out);
        at += length != 0 ? length : 1;
    }
    fputc('"', out);
}

static void begin_value(struct json *json, const char *key) {
    if (json->more)
        fputc(',', json->out);
    if (json->depth != 0)
        fprintf(json->out, "\n%*s", (int)json->depth * 2, "");
    json->more = true;
    if (key != NULL) {
        write_string(json->out, key);
        fputs(": ", json->out);
    }
}

void json_open(struct json *json, const char *key, char bracket) {
    begin_value(json, key);
    fputc(bracket, json->out);
    json->depth++;
    json->more = false;
}

void json_begin(struct json *json) {
    json_open(json, NULL, '{');
    json_text(json, "hakmem", VERSION_TEXT(HAK_VERSION_MAJOR, HAK_VERSION_MINOR, HAK_VERSION_PATCH));
}

void json_close(struct json *json, char bracket) {
    json->depth--;
    if (json->more)
        fprintf(json->out, "\n%*s", (int)json->depth * 2, "");
    fputc(bracket == '{' ? '}' : ']', json->out);
    json->more = true;
    if (json->depth == 0)
        fputc('\n', json->out);
}

void json_text(struct json *json, const char *key, const char *text) {
    begin_value(json, key);
    if (text != NULL)
        write_string(json->out, text);
    else
        fputs("null", json->out);
}

void json_number(struct json *json, const char *key, int64_t number) {
    begin_value(json, key);
    fprintf(json->out, "%" PRId64, number);
}

void json_count(struct json *json, const char *key, uint64_t number) {
    begin_value(json, key);
    fprintf(json->out, "%" PRIu64, number);
}

void json_bool(struct json *json, const char *key, bool value) {
    begin_value(json, key);
    fputs(value ? "true" : "false", json->out);
}
