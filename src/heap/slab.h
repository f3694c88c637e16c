/* heap/slab.h
 * Purpose.     One slab: equal blocks in a run of granules.
 * Design.      Which blocks are free is a bit set beside the descriptor, away from user data. So giving a block back
 *              touches nothing but bits, whoever holds its cache line; and blocks are handed out in address order, the
 *              lowest first, whatever order they came back in: what is made together lies together, and the top of a
 *              slab stays untouched as long as there is room below.
 *              Rejected: a list through the free blocks (doc/decisions/008).
 * Invariants.  free_count == bits set in free_blocks; all of [reached, capacity) are set          [hak_slab_is_valid]
 *              Blocks in thread caches and outboxes are not free.
 * Concurrency. Every function needs the owning heap's lock.
 * Not here.    Which slab is next (heap.c). Where slabs come from (segment/superslab.h).
 */
#ifndef HAK_HEAP_SLAB_H
#define HAK_HEAP_SLAB_H

#include <stdbool.h>

#include "base/size_class.h"
#include "segment/page_map.h"
#include "segment/superslab.h"

/* Division by multiplication: for offsets in a slab the quotient is exact, and the fraction is below the reciprocal iff
 * nothing is left over. (D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation", 2019.) */
#define SLAB_RECIPROCAL_SHIFT 44

struct block;

/* The slab of a block. */
static inline struct slab *hak_slab_of(const void *block) {
    return hak_slab_in(hak_slabs_of(block), block);
}

/* The page-map entry of a block: of the map, if there is one, whose lines change less often than a descriptor's. With a
 * map, 0 for what is no block. */
static inline uint32_t hak_slab_entry_of(const void *block) {
    return likely(hak_page_map.address_mask != 0) ? page_map_flat_get(block) : hak_slab_of(block)->entry;
}

static inline unsigned slab_class(const struct slab *slab) {
    return entry_class(slab->entry);
}

static inline bool slab_has_room(const struct slab *slab) {
    return slab->free_count != 0;
}

static inline bool slab_is_empty(const struct slab *slab) {
    return slab->free_count == slab->capacity;
}

bool hak_slab_is_valid(const struct slab *slab);

/* Makes a fresh run a slab without blocks out. */
void hak_slab_init(struct slab *slab);

/* Takes 1..want blocks, the lowest ones, into the cells before `end`, the lowest last; how many. The slab has room. No
 * block is touched. */
unsigned hak_slab_take(struct slab *slab, unsigned want, void **end);

/* What the slabs of a class have in common. */
struct slab_shape {
    uint64_t reciprocal; /* of the block size: 2^SLAB_RECIPROCAL_SHIFT / size, rounded up */
    uint64_t capacity;
};

FAST struct slab_shape slab_shape_of(unsigned size_class) {
    const struct size_class *c = &hak_size_class[size_class];
    return (struct slab_shape){(((uint64_t)1 << SLAB_RECIPROCAL_SHIFT) + c->size - 1) / c->size, c->capacity};
}

/* Takes back the block that starts at that address. False, with nothing changed, if none does or it is free. */
FAST bool slab_put(struct slab *slab, const struct slab_shape *shape, const void *block) {
    uint64_t quotient = ((uintptr_t)block - slab->base) * shape->reciprocal, index = quotient >> SLAB_RECIPROCAL_SHIFT;
    if (unlikely(index >= shape->capacity) ||
        unlikely(quotient % ((uint64_t)1 << SLAB_RECIPROCAL_SHIFT) >= shape->reciprocal) ||
        unlikely(!bits_set(&slab->free_blocks[index / 64], index % 64)))
        return false;
    slab->free_count++;
    if (unlikely(index / 64 < slab->lowest_word))
        slab->lowest_word = (uint8_t)(index / 64);
    hak_assert_slow(hak_slab_is_valid(slab));
    return true;
}

/* Granules from the first that may hold data. */
unsigned hak_slab_touched(const struct slab *slab);

#endif
