/* basics.c
 * Purpose.     See basics.h.
 */
#include "basics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("hakmem: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

_Noreturn static void out_of_memory(void) {
    say("out of memory");
    exit(EXIT_USAGE);
}

void *need(size_t bytes) {
    void *block = calloc(1, bytes != 0 ? bytes : 1);
    if (block == NULL)
        out_of_memory();
    return block;
}

char *need_copy(const char *text) {
    char *copy = strdup(text);
    if (copy == NULL)
        out_of_memory();
    return copy;
}

char *need_format(const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory();
    return text;
}

void *need_room(void *items, size_t count, size_t *room, size_t item_bytes) {
    if (count < *room)
        return items;
    size_t wanted = *room != 0 ? *room * 2 : 16;
    void *moved = reallocarray(items, wanted, item_bytes);
    if (moved == NULL)
        out_of_memory();
    *room = wanted;
    return moved;
}

void strings_add(struct strings *list, char *text) {
    list->item = need_room(list->item, list->count, &list->room, sizeof *list->item);
    list->item[list->count++] = text;
}

bool strings_hold(const struct strings *list, const char *text) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->item[i], text) == 0)
            return true;
    return false;
}

void strings_free(struct strings *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->item[i]);
    free(list->item);
    *list = (struct strings){0};
}

const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}
