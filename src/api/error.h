/* api/error.h
 * Purpose.     What a bad free leads to: one line, then abort or go on (HAKMEM_ON_ERROR).
 */
#ifndef HAK_API_ERROR_H
#define HAK_API_ERROR_H

#include "hakmem.h"
#include "hakmem_stats.h"
#include "heap/large.h"

/* How the call named the block's size. */
#define ERROR_NO_SIZE ((size_t)-1)

/* `p` is no live block: `answer` (not LARGE_FOUND) and `info` say what it is instead. Returns if errors are only to be
 * reported. `site` may be NULL. */
SLOW void hak_error_bad_pointer(enum hak_entry entry, const void *p, size_t size, enum large_answer answer,
                                const struct large_info *info, hak_callsite_t site);

/* The block at `p` has `bytes`, which is not what a request of `size` gets. */
SLOW void hak_error_bad_size(enum hak_entry entry, const void *p, size_t size, size_t bytes);

/* `p` was given to free, and is no block of its slab or was free already: seen when the thread's cache gives its blocks
 * back. For hak_heap_on_bad_block. */
SLOW void hak_error_bad_block(const void *p);

#endif
