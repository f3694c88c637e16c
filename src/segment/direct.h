/* segment/direct.h
 * Purpose.     Huge blocks with a mapping of their own: very large or very aligned ones.
 * Design.      The kernel grows and moves such a block by its page tables instead of copying. At most its first
 *              16 GiB are registered, so the metadata of a block is bounded however big it is.
 *              To map, clear and unmap takes longer than most uses of such a block. So a few that were freed are kept,
 *              pages and all, for the purge delay, and serve blocks of half to twice their size; they count as retained
 *              (doc/decisions/020).
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

/* Keeps a mapping that is no block any more. False if there are enough, or if it is one for its alignment only. */
bool hak_direct_keep(struct superslab *unit) NODISCARD;

/* A kept mapping with anything in it, resized to `bytes` or not much longer (and to no more where there is a limit), at
 * a multiple of `alignment`; NULL if none will do. */
struct superslab *hak_direct_reuse(size_t bytes, size_t alignment) NODISCARD;

/* The newest kept mapping, or NULL. */
struct superslab *hak_direct_kept(void);

/* As hak_direct_retire, of a kept one. */
struct direct_rest hak_direct_drop(struct superslab *unit) NODISCARD;

void hak_direct_release(struct direct_rest rest);

/* Grows or shrinks the mapping to `bytes`, moving it if need be: unit->base may change. False: nothing changed. */
bool hak_direct_resize(struct superslab *unit, size_t bytes) NODISCARD;

#endif
