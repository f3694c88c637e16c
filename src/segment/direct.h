/* segment/direct.h
 * Purpose.     Huge blocks with a mapping of their own: very large or very aligned ones.
 * Design.      The kernel grows and moves such a block by its page tables instead of copying. Only the first 4 MiB of
 *              it are registered, so the metadata of a block is O(1) however big it is.
 * Concurrency. Everything here needs the arena lock.
 */
#ifndef HAK_SEGMENT_DIRECT_H
#define HAK_SEGMENT_DIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct superslab;

/* `bytes` (whole pages) of zero memory at a multiple of `alignment` (a power of two >= HAK_SUPERSLAB_SIZE), or NULL. */
struct superslab *hak_direct_map(size_t bytes, size_t alignment) NODISCARD;
void hak_direct_unmap(struct superslab *unit);

/* Grows or shrinks the mapping to `bytes`, moving it if need be: unit->base may change. False: nothing changed. */
bool hak_direct_resize(struct superslab *unit, size_t bytes) NODISCARD;

/* A direct mapping of `bytes` that starts with the pages of [from, from + moved_bytes), which are zero afterwards.
 * NULL: nothing changed. */
struct superslab *hak_direct_adopt(void *from, size_t moved_bytes, size_t bytes) NODISCARD;

#endif
