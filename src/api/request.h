/* api/request.h
 * Purpose.     What a request becomes: its class, or none for Large and Huge. One place for malloc, realloc, the checks
 *              of sized free, and good_size.
 */
#ifndef HAK_API_REQUEST_H
#define HAK_API_REQUEST_H

#include "base/options.h"
#include "base/size_class.h"
#include "heap/large.h"
#include "heap/slab.h"
#include "heap/thread.h"

/* The class of a request, with the Tiny tier switched off by HAKMEM_WRAP_TINY=0 if so; 0 above the classes. */
FAST unsigned request_class(size_t size) {
    if (unlikely(size > HAK_MID_MAX))
        return 0;
    return size_class_of(size <= HAK_TINY_MAX && unlikely(!hak_options.wrap_tiny) ? HAK_TINY_MAX + 1 : size);
}

/* The same for a request with an alignment above HAK_ALIGNMENT, a power of two. */
static inline unsigned request_class_aligned(size_t alignment, size_t size) {
    return hak_size_class_aligned(size <= HAK_TINY_MAX && !hak_options.wrap_tiny ? HAK_TINY_MAX + 1 : size, alignment);
}

/* True if a block of a class, of `bytes`, may hold `size`: what realloc leaves in place, and sized frees accept. The
 * slack is less than any class, so sizes of 0 and those that wrap do not fit; and not less than any class rounds by. */
FAST bool block_fits(size_t bytes, size_t size) {
    return bytes - size <= bytes / 8 * 3 + 9;
}

/* What to ask for when a block of `bytes` grows to `size`: a quarter more if it grows by a quarter or less. The block
 * that this gives fits `size`, since a class is at most an eighth, or 15 bytes, larger than what it is asked for. */
static inline size_t roomy_size(size_t bytes, size_t size) {
    size_t roomy = size + size / 4;
    return size - bytes <= bytes / 4 && roomy <= HAK_MID_MAX ? roomy : size;
}

/* Without a flat map the entry is found in the slab's descriptor. */
SLOW uint32_t hak_entry_by_superslab(const void *p);

/* The entry of the slab block at `p`, or 0; any pointer value. */
FAST uint32_t entry_of(const void *p) {
    return likely(hak_page_map.address_mask != 0) ? page_map_flat_get(p) : hak_entry_by_superslab(p);
}

#endif
