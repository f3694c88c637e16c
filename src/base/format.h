/* base/format.h
 * Purpose.     Text into a buffer of fixed size, without stdio, locale or allocation.
 * Design.      Appends until the buffer is full, then drops the rest; the result is always terminated.
 */
#ifndef HAK_BASE_FORMAT_H
#define HAK_BASE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

struct format {
    char *buffer;
    size_t capacity; /* bytes of buffer, the terminator included */
    size_t length;   /* length < capacity */
};

/* capacity must be at least 1. */
struct format format_into(char *buffer, size_t capacity);
void format_text(struct format *f, const char *text);
void format_span(struct format *f, const char *text, size_t length);
void format_number(struct format *f, int64_t value);
void format_pointer(struct format *f, const void *pointer); /* 0x and lower-case digits */

/* Writes the text to a file descriptor, as far as it takes it. Keeps errno. */
void format_write(const struct format *f, int fd);

#endif
