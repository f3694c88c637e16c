/* basics.h
 * Purpose.     What every part of the command needs: messages, memory that is there or ends the command, growing lists.
 * Design.      The command is short-lived and cannot do half a proof, so running out of memory ends it (exit status 2).
 *              Nothing here is shared with the library: the command never runs inside the process that it looks at.
 */
#ifndef HAK_CLI_BASICS_H
#define HAK_CLI_BASICS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses of every verb. */
enum { EXIT_PROVED = 0, EXIT_NOT_PROVED = 1, EXIT_USAGE = 2 };

/* One line on stderr, "hakmem: " in front. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `bytes` of zeroed memory; never NULL. */
void *need(size_t bytes);

/* A new string; never NULL. */
char *need_copy(const char *text);
char *need_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *need_vformat(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* `items` with room for at least one more than `count`, moved if it has to be; `room` is kept up to date. */
void *need_room(void *items, size_t count, size_t *room, size_t item_bytes);

/* A growing list of strings that it owns. All zero is the empty list. */
struct strings {
    char **item;
    size_t count;
    size_t room;
};

void strings_add(struct strings *list, char *text);
bool strings_hold(const struct strings *list, const char *text);
void strings_free(struct strings *list);

/* What the file holds, with its length, zero-terminated; NULL with errno set if it cannot be read. */
char *file_text(const char *path, size_t *length);

/* What stands behind `key` in the line that starts with it, blanks skipped; NULL if there is no such line. */
const char *text_field(const char *text, const char *key);

/* Puts '?' for each byte that is not printable ASCII, so that it takes a column of a terminal and does nothing else. */
void make_printable(char *text);

/* What memory is shown as, rounded. */
uint64_t kib(uint64_t bytes);

double percent(uint64_t part, uint64_t of);

/* The part of a path behind its last slash. */
const char *base_name(const char *path);

#endif
