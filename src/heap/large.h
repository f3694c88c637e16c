/* heap/large.h
 * Purpose.     Blocks without a size class: Large ones are runs of granules, Huge ones whole superslabs or mappings of
 *              their own.
 * Design.      Usable bytes are the request rounded up to the page, however long the run is: the rest of it is never
 *              touched. Nothing of such a block is in the page map: free finds it through its superslab.
 *              Huge blocks of up to HAK_DIRECT_MIN come from the arena, which keeps and coalesces them; larger or more
 *              aligned ones are direct mappings, which grow and move by their page tables.
 * Concurrency. Functions take the arena lock by themselves. Those that find a Large block at its start do not need it,
 *              nor does who makes and frees blocks of spare runs.
 * Not here.    errno and messages (api/).
 */
#ifndef HAK_HEAP_LARGE_H
#define HAK_HEAP_LARGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* What a pointer turns out to be that is no block of a slab. */
enum large_answer {
    LARGE_FOREIGN,  /* not hakmem's */
    LARGE_IS_FREE,  /* hakmem's memory, but in no block */
    LARGE_INTERIOR, /* inside a block, not at its start */
    LARGE_FOUND,
};

struct large_info {
    void *base;   /* of the block; for FOUND and INTERIOR */
    size_t bytes; /* usable */
};

/* Usable bytes of a request above HAK_MID_MAX. */
size_t hak_large_good_size(size_t bytes);

/* `bytes` from 1 to PTRDIFF_MAX at a multiple of `alignment`, a power of two. All zero if `zeroed`. NULL: no memory. */
void *hak_large_alloc(size_t bytes, size_t alignment, bool zeroed) NODISCARD;

/* Describes `p` (any pointer value) without changing anything. */
enum large_answer hak_large_find(const void *p, struct large_info *info);

/* Frees the block that starts at `p`, if the answer is LARGE_FOUND and its usable bytes are `expected` (0: any). */
enum large_answer hak_large_free(void *p, size_t expected, struct large_info *info);

/* True if `p` is a block that a resize to `bytes` (above HAK_MID_MAX, PTRDIFF_MAX at most) would leave as it is: text
 * that grows by pieces stays within a page most of the time. Takes no lock: what it reads of a live block only its
 * owner changes. */
bool hak_large_fits(const void *p, size_t bytes);

/* Gives the block at `p`, which is valid, room for `bytes` (above HAK_MID_MAX) without copying: in place, or by moving
 * its pages. NULL: not possible, nothing changed. */
void *hak_large_resize(void *p, size_t bytes) NODISCARD;

#endif
