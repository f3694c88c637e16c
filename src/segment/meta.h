/* segment/meta.h
 * Purpose.     Memory for hakmem's own structures.
 * Design.      Handed out front to back from chunks that stand between inaccessible pages, far from user data, and
 *              never returned to the kernel: whoever retires a structure keeps it for its next use, but for those that
 *              grow, which wait for the next one that wants their size, a power of two.
 * Concurrency. Any thread, any time; takes only the metadata lock, the last in the order.
 */
#ifndef HAK_SEGMENT_META_H
#define HAK_SEGMENT_META_H

#include <stddef.h>

#include "base/compiler.h"
#include "os/lock.h"

/* Zeroed memory on a cache-line boundary, or NULL. */
void *hak_meta_alloc(size_t bytes) NODISCARD;

/* Zeroed memory for passing use, in a mapping of its own: for what is too large for a stack, without a lock. NULL if
 * there is none. */
void *hak_meta_borrow(size_t bytes) NODISCARD;
void hak_meta_give_back(void *memory, size_t bytes);

/* 2^shift bytes on a cache-line boundary, for what is given back. Not zeroed. NULL if there are none. Neighbours of one
 * size do not start at the same sets of the processor's cache. */
#define HAK_META_SHIFT_MAX 20
void *hak_meta_take(unsigned shift) NODISCARD;
void hak_meta_give(void *memory, unsigned shift);

struct lock *hak_meta_lock(void);

#endif
