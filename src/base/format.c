/* base/format.c
 * Purpose.     Text without stdio. See format.h.
 */
#include "base/format.h"

#include <errno.h>
#include <unistd.h>

struct format format_into(char *buffer, size_t capacity) {
    buffer[0] = 0;
    return (struct format){.buffer = buffer, .capacity = capacity, .length = 0};
}

static void append_char(struct format *f, char c) {
    if (f->length + 1 < f->capacity) {
        f->buffer[f->length++] = c;
        f->buffer[f->length] = 0;
    }
}

void format_text(struct format *f, const char *text) {
    while (*text != 0)
        append_char(f, *text++);
}

void format_span(struct format *f, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        append_char(f, text[i]);
}

static void append_unsigned(struct format *f, uint64_t value, unsigned base) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0)
        append_char(f, digits[--count]);
}

void format_number(struct format *f, int64_t value) {
    if (value < 0)
        append_char(f, '-');
    append_unsigned(f, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

void format_pointer(struct format *f, const void *pointer) {
    format_text(f, "0x");
    append_unsigned(f, (uintptr_t)pointer, 16);
}

void format_write(const struct format *f, int fd) {
    int saved = errno;
    size_t done = 0;
    while (done < f->length) {
        ssize_t n = write(fd, f->buffer + done, f->length - done);
        if (n <= 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    errno = saved;
}
