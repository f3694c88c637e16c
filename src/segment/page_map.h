/* segment/page_map.h
 * Purpose.     Whose address is this? Two answers: the entry that free's fast path compares, and the superslab.
 * Design.      The flat map has one 32-bit entry per granule of the whole address space, reserved without commit, so
 *              that any pointer can be looked up without a test: heap id << 16 | class * 16, the latter being the
 *              offset of the class's slot in a thread's record; 0 where there is no slab. Where that much address
 *              space cannot be had (a limit on it), the flat map is a single 0 and the address mask is 0 too: every
 *              free then leaves the fast path and finds its slab through the superslab.
 *              Superslabs are found in a tree of two levels, in every mode.
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

struct superslab;

/* The heap's half and the class's half of an entry. */
#define ENTRY_HEAP_SHIFT 16
#define ENTRY_SLOT_MASK 0xffffu

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

/* Records `superslab` for the 4 MiB at `address`; NULL removes it, which cannot fail. */
bool hak_superslab_register(uintptr_t address, struct superslab *superslab);

#endif
