/* home.h
 * Purpose.     Whether a block that was freed is back in its slab.
 */
#ifndef TEST_SUPPORT_HOME_H
#define TEST_SUPPORT_HOME_H

#include "expect.h"

#include <stdbool.h>

#include "heap/slab.h"

/* It waits in no list, outbox or transfer cache: free in its slab, or that slab is no more. */
static inline bool home_has(const void *block) {
    if (page_map_flat_get(block) == 0)
        return true;
    const struct slab *slab = hak_slab_of(block);
    size_t offset = (uintptr_t)block - slab->base, size = size_class_bytes(slab_class(slab)), index = offset / size;
    EXPECT(offset % size == 0);
    return (slab->free_blocks[index / 64] >> index % 64 & 1) != 0;
}

#endif
