/* heap/huge.h
 * Purpose.     Huge blocks. See large.h, which is how the rest of hakmem reaches them.
 * Concurrency. hak_huge_alloc takes the arena lock; the other functions need it.
 */
#ifndef HAK_HEAP_HUGE_H
#define HAK_HEAP_HUGE_H

#include "heap/large.h"
#include "segment/direct.h"

struct superslab;

/* `bytes` is whole pages. */
void *hak_huge_alloc(size_t bytes, size_t alignment, bool zeroed) NODISCARD;

/* What `p` is in a unit that holds no granules. */
enum large_answer hak_huge_find(struct superslab *unit, const void *p, struct large_info *info);

/* Frees the block that starts with this unit. What has `bytes` is left to be released without the lock. */
struct direct_rest hak_huge_free(struct superslab *first) NODISCARD;

/* As hak_large_resize. */
void *hak_huge_resize(struct superslab *first, size_t bytes) NODISCARD;

#endif
