/* window.h
 * Purpose.     A part of a file that may hold anything, and the ELF headers and notes in it.
 * Design.      Every read stays inside or fails. Read, not mapped: the file may be larger than memory, and one that
 *              shrinks meanwhile must not be a signal.
 */
#ifndef HAK_CLI_WINDOW_H
#define HAK_CLI_WINDOW_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
    int file;
    uint64_t start, bytes;
};

/* All of a regular file, whose descriptor is then the caller's. NULL, or why not. */
const char *window_open(const char *path, struct window *window);

/* `size` bytes at `offset` of the window; false if not all of them are there. */
bool window_read(const struct window *window, uint64_t offset, void *into, size_t size);

/* True if [offset, offset + bytes) lies inside. */
bool window_holds(const struct window *window, uint64_t offset, uint64_t bytes);

/* What is in the first note of this owner and type among the notes in [offset, offset + bytes). */
bool window_note(const struct window *window, uint64_t offset, uint64_t bytes, const char *owner, uint32_t type,
                 struct window *content);

/* The number that the linker gave to the build of the ELF object that the window starts with. */
bool window_build_id(const struct window *window, struct window *id);

/* True if both hold the same bytes, not more than a build id has. */
bool window_equal(const struct window *one, const struct window *other);

#endif
