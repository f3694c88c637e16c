/* segment/direct.h
 * Purpose.     Huge blocks with a mapping of their own: very large or very aligned ones.
 * Design.      The kernel grows and moves such a block by its page tables instead of copying. At most its first
 *              16 GiB are registered, so the metadata of a block is bounded however big it is.
 * Concurrency. Everything here needs the arena lock, hak_direct_release apart.
 */
#ifndef HAK_SEGMENT_DIRECT_H
#define HAK_SEGMENT_DIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct superslab;

/* `bytes` (whole pages) of zero memory at a multiple of `alignment` (a power of two >= HAK_SUPERSLAB_SIZE), or NULL. */
struct superslab *hak_direct_map(size_t bytes, size_t alignment) NODISCARD;

/* A mapping that is no block any more, to be released without the lock: that can take long. */
struct direct_rest {
    void *address;
    size_t bytes;
};

struct direct_rest hak_direct_retire(struct superslab *unit) NODISCARD;
void hak_direct_release(struct direct_rest rest);

/* Grows or shrinks the mapping to `bytes`, moving it if need be: unit->base may change. False: nothing changed. */
bool hak_direct_resize(struct superslab *unit, size_t bytes) NODISCARD;

#endif
