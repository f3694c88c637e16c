/* segment/page_map.c
 * Purpose.     See page_map.h.
 * Design.      The flat map is made readable as a whole (no commit charge, zero page) and writable a piece at a time,
 *              as memory is taken into use: one piece of page size covers at least 64 MiB of addresses.
 */
#include "segment/page_map.h"

#include "base/bits.h"
#include "os/os.h"
#include "segment/meta.h"
#include "segment/view.h"

#define FLAT_ENTRIES ((uintptr_t)1 << (HAK_ADDRESS_BITS - HAK_GRANULE_SHIFT))
#define FLAT_BYTES (FLAT_ENTRIES * sizeof(uint32_t))

/* Writable at a time: this many bytes of map, for 1 GiB of addresses. */
#define FLAT_PIECE ((uintptr_t)65536)
#define FLAT_PIECES (FLAT_BYTES / FLAT_PIECE)

#define TREE_LEAF_BITS 12
#define TREE_ROOT_BITS (HAK_ADDRESS_BITS - HAK_SUPERSLAB_SHIFT - TREE_LEAF_BITS)

struct tree_leaf {
    struct superslab *of[1u << TREE_LEAF_BITS];
};

static uint32_t no_entry;
struct page_map hak_page_map = {.flat = &no_entry, .address_mask = 0};

/* All of this belongs to the arena's lock, readers apart. */
static struct tree_leaf *tree_root[1u << TREE_ROOT_BITS];
static uint64_t flat_writable[FLAT_PIECES / 64];

void hak_page_map_init(void) {
    hak_view.regions.tree = tree_root;
    hak_view.regions.tree_roots = 1u << TREE_ROOT_BITS;
    hak_view.regions.tree_leaves = 1u << TREE_LEAF_BITS;
    /* Where addresses are limited, the map must not be what uses them up. */
    if (hak_os_address_space_limit() / 8 < FLAT_BYTES)
        return;
    void *flat = hak_os_reserve(FLAT_BYTES);
    if (flat == NULL)
        return;
    if (hak_os_make_readable(flat, FLAT_BYTES) != 0) {
        (void)!hak_os_release(flat, FLAT_BYTES);
        return;
    }
    (void)hak_os_advise_no_dump(flat, FLAT_BYTES);
    hak_page_map.flat = flat;
    hak_page_map.address_mask = ((uintptr_t)1 << HAK_ADDRESS_BITS) - 1;
    hak_view.regions.page_map = flat;
    hak_view.regions.page_map_bytes = FLAT_BYTES;
    hak_view.page_map_flat = 1;
}

bool hak_page_map_drop(void) {
    if (hak_page_map.address_mask == 0 || hak_os_address_space_limit() == SIZE_MAX)
        return false;
    void *flat = hak_page_map.flat;
    hak_page_map.flat = &no_entry;
    hak_page_map.address_mask = 0;
    hak_view.page_map_flat = 0;
    (void)!hak_os_release(flat, FLAT_BYTES);
    return true;
}

bool hak_page_map_prepare(uintptr_t address, uintptr_t bytes) {
    if (hak_page_map.address_mask == 0)
        return true;
    uintptr_t first = (address >> HAK_GRANULE_SHIFT) * sizeof(uint32_t) / FLAT_PIECE;
    uintptr_t last = ((address + bytes - 1) >> HAK_GRANULE_SHIFT) * sizeof(uint32_t) / FLAT_PIECE;
    for (uintptr_t piece = first; piece <= last; piece++) {
        uint64_t bit = (uint64_t)1 << (piece % 64);
        if (flat_writable[piece / 64] & bit)
            continue;
        if (hak_os_commit((char *)hak_page_map.flat + piece * FLAT_PIECE, FLAT_PIECE) != 0)
            return false;
        flat_writable[piece / 64] |= bit;
    }
    return true;
}

void hak_page_map_set(uintptr_t address, unsigned granules, uint32_t entry) {
    if (hak_page_map.address_mask == 0)
        return;
    for (unsigned i = 0; i < granules; i++)
        store_relaxed(&hak_page_map.flat[(address >> HAK_GRANULE_SHIFT) + i], entry);
}

struct superslab *hak_superslab_of(const void *p) {
    uintptr_t unit = (uintptr_t)p >> HAK_SUPERSLAB_SHIFT;
    if (unit >> (TREE_ROOT_BITS + TREE_LEAF_BITS) != 0)
        return NULL;
    struct tree_leaf *leaf = load_acquire(&tree_root[unit >> TREE_LEAF_BITS]);
    return leaf == NULL ? NULL : load_acquire(&leaf->of[unit & ((1u << TREE_LEAF_BITS) - 1)]);
}

void hak_superslab_unregister(uintptr_t address) {
    uintptr_t unit = address >> HAK_SUPERSLAB_SHIFT;
    struct tree_leaf *leaf = load_relaxed(&tree_root[unit >> TREE_LEAF_BITS]);
    if (leaf != NULL)
        store_release(&leaf->of[unit & ((1u << TREE_LEAF_BITS) - 1)], NULL);
}

bool hak_superslab_register(uintptr_t address, struct superslab *superslab) {
    uintptr_t unit = address >> HAK_SUPERSLAB_SHIFT;
    struct tree_leaf **slot = &tree_root[unit >> TREE_LEAF_BITS];
    if (load_relaxed(slot) == NULL) {
        struct tree_leaf *leaf = hak_meta_alloc(sizeof *leaf);
        if (leaf == NULL)
            return false;
        store_release(slot, leaf);
    }
    store_release(&load_relaxed(slot)->of[unit & ((1u << TREE_LEAF_BITS) - 1)], superslab);
    return true;
}
