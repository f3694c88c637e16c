/* segment/direct.h
 * Purpose.     Huge blocks with a mapping of their own: very large or very aligned ones.
 * Design.      The kernel grows and moves such a block by its page tables instead of copying. At most its first
 *              16 GiB are registered, so the metadata of a block is bounded however big it is.
 *              To map, clear and unmap takes longer than most uses of such a block. So a few that were freed are kept,
 *              pages and all, for the purge delay, and serve blocks of half to twice their size; they count as retained
 *              (doc/decisions/020).
 * Concurrency. Everything here needs the arena lock, unless it says otherwise.
 */
#ifndef HAK_SEGMENT_DIRECT_H
#define HAK_SEGMENT_DIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct superslab;

/* `bytes` (whole pages) of zero memory at a multiple of `alignment` (a power of two >= HAK_SUPERSLAB_SIZE), or NULL. */
struct superslab *hak_direct_map(size_t bytes, size_t alignment) NODISCARD;

/* A mapping that is no block any more, or the end of one, to be released without the lock: that can take long. */
struct direct_rest {
    void *address;
    size_t bytes;
};

struct direct_rest hak_direct_retire(struct superslab *unit) NODISCARD;
void hak_direct_release(struct direct_rest rest); /* without the lock */

/* Grows or shrinks the mapping to `bytes`, moving it if need be: unit->base may change. False: nothing changed. */
bool hak_direct_resize(struct superslab *unit, size_t bytes) NODISCARD;

/* Keeps a mapping that is no block any more, unless its owner has given a part of it attributes that cannot be taken
 * back. What is not kept, or not any longer, is returned. */
struct direct_rest hak_direct_keep(struct superslab *unit) NODISCARD;

/* A kept mapping of about `bytes`, resized to it, at a multiple of `alignment`; its first `*again` bytes may hold data,
 * and *tail is what it had beyond, if anything. NULL if none will do. */
struct superslab *hak_direct_reuse(size_t bytes, size_t alignment, size_t *again, struct direct_rest *tail) NODISCARD;

/* Of the kept mapping that is oldest: since when it is kept, in milliseconds, UINT64_MAX if there is none; and the end
 * of it, `most` bytes if there is more. */
uint64_t hak_direct_kept_since(void);
struct direct_rest hak_direct_drop(size_t most) NODISCARD;

/* Of all that are kept. No lock needed. */
uint64_t hak_direct_kept_bytes(void);

#endif
