/* heap/slab.h
 * Purpose.     One slab: equal blocks in a run of granules.
 * Design.      Returned blocks are linked through their first word; the rest is carved in address order when first
 *              needed, so that memory nobody asked for stays untouched. The descriptor (struct slab) is out of line.
 *              Rejected: bitmap per slab and per-slab atomic list (doc/DESIGN.md).
 * Invariants.  used + free_count == carved <= capacity                                         [hak_slab_is_valid]
 *              `used` counts blocks in thread caches and outboxes too.
 * Concurrency. Every function needs the owning heap's lock.
 * Not here.    Which slab is next (heap.c). Where slabs come from (segment/superslab.h).
 */
#ifndef HAK_HEAP_SLAB_H
#define HAK_HEAP_SLAB_H

#include <stdbool.h>

#include "base/size_class.h"
#include "segment/page_map.h"
#include "segment/superslab.h"

struct block;

static inline unsigned slab_class(const struct slab *slab) {
    return (slab->entry & ENTRY_SLOT_MASK) / (unsigned)sizeof(struct hak_slot);
}

static inline uint32_t slab_entry(uint32_t heap_id, unsigned size_class) {
    return heap_id << ENTRY_HEAP_SHIFT | (uint32_t)(size_class * sizeof(struct hak_slot));
}

static inline bool slab_has_room(const struct slab *slab) {
    return slab->free_count != 0 || slab->carved != slab->capacity;
}

bool hak_slab_is_valid(const struct slab *slab);

/* Makes a fresh run a slab without blocks out. */
void hak_slab_init(struct slab *slab);

/* Takes 1..want blocks, all from the free list or all carved, and puts them in front of *chain. The slab has room. */
unsigned hak_slab_take(struct slab *slab, unsigned want, struct block **chain);

/* Takes one block back. */
void hak_slab_put(struct slab *slab, struct block *block);

/* Granules from the first that may hold data. */
unsigned hak_slab_touched(const struct slab *slab);

#endif
