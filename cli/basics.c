/* basics.c
 * Purpose.     See basics.h.
 */
#include "basics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files of the kernel are read by the page. */
#define READ_BYTES 4096u

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

char *need_vformat(const char *format, va_list arguments) {
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        out_of_memory();
    return text;
}

char *need_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = need_vformat(format, arguments);
    va_end(arguments);
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

char *file_text(const char *path, size_t *length) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    char *text = NULL;
    size_t room = 0;
    *length = 0;
    for (;;) {
        while (room - *length < READ_BYTES + 1)
            text = need_room(text, room, &room, 1);
        ssize_t got = read(file, text + *length, room - *length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = errno;
            free(text);
            close(file);
            errno = error;
            return NULL;
        }
        *length += (size_t)got;
        if (got == 0)
            break;
    }
    close(file);
    text[*length] = 0;
    return text;
}

const char *text_field(const char *text, const char *key) {
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0)
            return line + length + strspn(line + length, " \t");
    }
    return NULL;
}

void make_printable(char *text) {
    for (; *text != 0; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

uint64_t kib(uint64_t bytes) {
    return (bytes + 512) / 1024;
}

double percent(uint64_t part, uint64_t of) {
    return of != 0 ? 100.0 * (double)part / (double)of : 0;
}

const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}
