/* base/size_class.h
 * Purpose.     Size <-> size class, and the slab that serves each class.
 * Design.      Tiny: class c holds 16*c bytes, so a request's slot in the thread cache is its size rounded up to 16,
 *              without a table. Mid: eight classes per doubling, by bit arithmetic; finer steps than four per doubling
 *              are what sqlite-like programs pay their memory for (doc/DESIGN.md).
 * Invariants.  size(class - 1) < n <= size(class) for every n of the class; all sizes are multiples of 16.
 * Not here.    Large and Huge blocks, which have no class.
 */
#ifndef HAK_BASE_SIZE_CLASS_H
#define HAK_BASE_SIZE_CLASS_H

#include "base/bits.h"
#include "base/config.h"

/* Shape of a class's slabs. */
struct size_class {
    uint32_t size;     /* bytes of a block */
    uint16_t granules; /* of a slab */
    uint16_t capacity; /* blocks of a slab */
};

extern const struct size_class hak_size_class[HAK_CLASS_COUNT];

/* Class of a request of 0 .. HAK_MID_MAX bytes. 0 bytes are served as 1. */
FAST unsigned size_class_of(size_t size) {
    if (size <= HAK_TINY_MAX)
        return size == 0 ? 1 : (unsigned)((size + HAK_ALIGNMENT - 1) / HAK_ALIGNMENT);
    unsigned log = bits_log2(size - 1);
    return HAK_TINY_CLASSES + 1 + ((log - 10) << 3) + (unsigned)(((size - 1) >> (log - 3)) & 7);
}

FAST size_t size_class_bytes(unsigned size_class) {
    return hak_size_class[size_class].size;
}

/* The smallest class whose blocks have `size` bytes and are all aligned to `alignment` (a power of two); 0 if none. */
unsigned hak_size_class_aligned(size_t size, size_t alignment);

#endif
