/* segment/page_map.h
 * Purpose.     Whose address is this? Two answers: the entry that free's fast path compares, and the superslab.
 * Design.      The flat map has one 32-bit entry per granule of the whole address space, reserved without commit, so
 *              that any pointer can be looked up without a test; 0 where there is no slab. Where that much address
 *              space cannot be had (a limit on it), the flat map is a single 0 and the address mask is 0 too: every
 *              free then leaves the fast path and finds its slab through the superslab.
 *              Superslabs are found in a tree of two levels, in every mode.
 *              Whether a thread may put a block into its list is one OR and one comparison, although some slabs are
 *              for the threads of one heap and others for all (HAK_SHARED_MIN_BYTES): an entry has a pattern of
 *              equally many ones for each heap, and all ones for a slab that is everybody's; a thread adds the ones
 *              that its own heap's pattern has not. That makes all ones of either, and of no other heap's.
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

/* An entry: heap id in bits 29..24 and, its lower ones, 3..0; pattern in 23..11; in 10..4 the class, which is the
 * offset of its slot in a thread's record. What a thread makes of it is ENTRY_MATCH plus the offset, or less. */
#define ENTRY_SLOT_MASK HAK_SLOT_MASK
#define ENTRY_MATCH (0x3fffffffu & ~ENTRY_SLOT_MASK)
#define ENTRY_PATTERN_SHIFT 11
#define ENTRY_PATTERN_BITS 13
#define ENTRY_PATTERN_ONES 6
#define ENTRY_PATTERN_ALL (((1u << ENTRY_PATTERN_BITS) - 1) << ENTRY_PATTERN_SHIFT)
_Static_assert(HAK_HEAPS_MAX < 1024, "an id has 10 bits; and there are 1716 patterns");
_Static_assert((HAK_CLASS_COUNT - 1) * sizeof(struct hak_slot) <= ENTRY_SLOT_MASK, "a slot for each class");

/* The pattern of a heap, in its place in an entry. */
uint32_t hak_page_map_pattern(uint32_t heap_id);

static inline uint32_t entry_make(uint32_t heap_id, uint32_t pattern, uint32_t slot_offset) {
    return heap_id >> 4 << (ENTRY_PATTERN_SHIFT + ENTRY_PATTERN_BITS) | pattern | slot_offset | (heap_id & 15);
}

static inline uint32_t entry_heap_id(uint32_t entry) {
    return entry >> (ENTRY_PATTERN_SHIFT + ENTRY_PATTERN_BITS) << 4 | (entry & 15);
}

/* The id as it stands in an entry. */
static inline uint32_t entry_heap(uint32_t entry) {
    return entry & ~(ENTRY_PATTERN_ALL | ENTRY_SLOT_MASK);
}

static inline uint32_t entry_slot(uint32_t entry) {
    return entry & ENTRY_SLOT_MASK;
}

static inline unsigned entry_class(uint32_t entry) {
    return entry_slot(entry) / (unsigned)sizeof(struct hak_slot);
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
