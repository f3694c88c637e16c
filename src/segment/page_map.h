/* segment/page_map.h
 * Purpose.     What is at this address? Two answers: the entry that free's fast path reads, and the superslab.
 * Design.      The flat map has one 32-bit entry per granule of the whole address space, reserved without commit, so
 *              that any pointer can be looked up without a test; 0 where there is no slab. Where that much address
 *              space cannot be had (a limit on it), the flat map is a single 0 and the address mask is 0 too: every
 *              free then leaves the fast path and finds its slab through the superslab.
 *              Superslabs are found in a tree of two levels, in every mode.
 *              Free needs no more of an entry than the offset of the class's slot: it reads that half alone.
 *              Rejected: ifunc variants of free (the loader refuses them in a preloaded library).
 * Concurrency. Entries are atomic (relaxed): whoever looks up a valid block got its pointer from the thread that wrote
 *              the entry. Tree nodes are published with release order.
 */
#ifndef HAK_SEGMENT_PAGE_MAP_H
#define HAK_SEGMENT_PAGE_MAP_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/config.h"
#include "hakmem_stats.h"

struct superslab;

/* An entry: the heap's id above, below the class, which is the offset of its slot in a thread's record. */
#define ENTRY_HEAP_SHIFT 16
#define ENTRY_HEAP_MASK (~HAK_SLOT_MASK)
_Static_assert(HAK_SLOT_MASK == (1u << ENTRY_HEAP_SHIFT) - 1, "two halves");
_Static_assert(HAK_HEAPS_MAX <= ENTRY_HEAP_MASK >> ENTRY_HEAP_SHIFT, "room for an id");
_Static_assert((HAK_CLASS_COUNT - 1) * sizeof(struct hak_slot) <= HAK_SLOT_MASK, "a slot for each class");

static inline uint32_t entry_make(uint32_t heap_id, uint32_t slot_offset) {
    return heap_id << ENTRY_HEAP_SHIFT | slot_offset;
}

static inline uint32_t entry_heap_id(uint32_t entry) {
    return entry >> ENTRY_HEAP_SHIFT;
}

static inline unsigned entry_class(uint32_t entry) {
    return (entry & HAK_SLOT_MASK) / (unsigned)sizeof(struct hak_slot);
}

/* The lower half of the entry there: 0 if that is none. One instruction reads and extends it. */
typedef uint16_t __attribute__((may_alias)) entry_half_t;
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lower half comes first");
FAST size_t entry_slot_at(const uint32_t *entry) {
    return load_relaxed((const entry_half_t *)entry);
}

struct page_map {
    uint32_t *flat;
    uintptr_t address_mask; /* all bits of an address, or 0 without a flat map */
};

/* Const after hak_page_map_init, hak_page_map_drop apart. */
extern struct page_map hak_page_map;

/* Once, before anything else of this layer. */
void hak_page_map_init(void);

/* Gives the flat map up, for a process that has limited its own address space since. Nobody may be looking at it. */
bool hak_page_map_drop(void);

/* The entry of the slab at `p`, or 0. Any pointer value may be asked about; bits above an address are not looked at. */
static inline uint32_t page_map_flat_get(const void *p) {
    return load_relaxed(&hak_page_map.flat[((uintptr_t)p & hak_page_map.address_mask) >> HAK_GRANULE_SHIFT]);
}

/* Makes [address, address + bytes) writable in the flat map. False if memory for that cannot be had. */
bool hak_page_map_prepare(uintptr_t address, uintptr_t bytes) NODISCARD;

/* Sets the entries of `granules` granules from `address` on, which has been prepared. */
void hak_page_map_set(uintptr_t address, unsigned granules, uint32_t entry);

/* The superslab whose 4 MiB `p` lies in, or NULL. Any pointer value may be asked about. */
struct superslab *hak_superslab_of(const void *p);

/* Records `superslab` for the 4 MiB at `address`. False if memory is out. */
bool hak_superslab_register(uintptr_t address, struct superslab *superslab);

/* Removes what is recorded there, if anything is. */
void hak_superslab_unregister(uintptr_t address);

#endif
