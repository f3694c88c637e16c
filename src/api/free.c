/* api/free.c
 * Purpose.     Everything that takes blocks back, and what a pointer is. The fast path is in fast.h.
 */
#include <string.h>

#include "api/control.h"
#include "api/entry.h"
#include "api/error.h"
#include "api/fast.h"
#include "api/init.h"
#include "api/request.h"
#include "segment/superslab.h"

uint32_t hak_entry_by_superslab(const void *p) {
    struct superslab *superslab = hak_superslab_of(p);
    struct slab *slabs = superslab == NULL ? NULL : load_acquire(&superslab->slabs);
    if (slabs == NULL || load_relaxed(&superslab->state) != UNIT_GRANULES)
        return 0;
    return hak_is_in_slab(slabs, p) ? load_relaxed(&hak_slab_in(slabs, p)->entry) : 0;
}

__attribute__((noinline)) static void free_in_slab(void *p, uint32_t entry) {
    struct thread *thread = hak_api_thread();
    if (unlikely(thread == NULL))
        hak_thread_put_direct(entry, p);
    else
        hak_thread_keep(thread, entry_class(entry), p);
    hak_control_tick();
}

FAST void tally_freed(enum hak_entry entry) {
    if (entry != HAK_ENTRY_FREE)
        hak_tally_add(&hak_thread_tally()->served[entry], 1);
    if (entry == HAK_ENTRY_REALLOC || entry == HAK_ENTRY_REALLOCARRAY)
        hak_tally_add(&hak_thread_tally()->resize_frees, 1);
}

/* `expected` is the block's usable size as the caller knows it, 0 if unknown; `size` is how the caller put it. */
static void free_large(void *p, size_t expected, size_t size, enum hak_entry entry, hak_callsite_t site) {
    struct large_info info = {.base = NULL};
    (void)hak_api_thread();
    enum large_answer answer = hak_large_free(p, expected, &info);
    if (unlikely(answer != LARGE_FOUND)) {
        hak_error_bad_pointer(entry, p, size, answer, &info, site);
        return;
    }
    if (unlikely(expected != 0 && expected != info.bytes)) {
        hak_error_bad_size(entry, p, size, info.bytes);
        return;
    }
    hak_tally_add(&hak_thread_tally()->large_frees, 1);
    hak_tally_add(&hak_thread_tally()->large_freed_bytes, info.bytes);
    tally_freed(entry);
    hak_control_tick();
}

/* No block of a slab. */
__attribute__((noinline)) static void free_unmapped(void *p, enum hak_entry entry, hak_callsite_t site) {
    if (p == NULL)
        hak_tally_add(&hak_thread_tally()->null_frees, 1);
    else
        free_large(p, 0, ERROR_NO_SIZE, entry, site);
}

/* A thread without a record has a map without entries. */
void hak_free_slow(void *p, enum hak_entry entry, hak_callsite_t site) {
    uint32_t owner = entry_of(p);
    if (likely(owner == 0)) {
        free_unmapped(p, entry, site);
    } else {
        tally_freed(entry);
        free_in_slab(p, owner);
    }
}

HOT void hak_free_full(void *p, enum hak_entry entry, hak_callsite_t site, struct thread *thread, size_t offset) {
    if (likely(!hak_control_is_due())) {
        count_served(thread, entry);
        hak_thread_keep_full(thread, (unsigned)(offset / SLOT_BYTES), p);
    } else {
        owner_store(SLOT_FIELD(&thread->view, offset, frees_left), 0);
        hak_free_slow(p, entry, site);
    }
}

void hak_free_sized_slow(void *p, size_t alignment, size_t size, enum hak_entry entry) {
    if (p == NULL) {
        hak_tally_add(&hak_thread_tally()->null_frees, 1);
        return;
    }
    unsigned size_class = alignment <= HAK_ALIGNMENT ? request_class(size) : request_class_aligned(alignment, size);
    uint32_t owner = entry_of(p);
    if (owner == 0) {
        size_t expected = size_class != 0 ? size_class_bytes(size_class) : hak_large_good_size(size);
        free_large(p, expected, size, entry, NULL);
        return;
    }
    if (unlikely(entry_class(owner) != size_class) &&
        (alignment > HAK_ALIGNMENT || !block_fits(size_class_bytes(entry_class(owner)), size))) {
        hak_error_bad_size(entry, p, size, size_class_bytes(entry_class(owner)));
        return;
    }
    free_in_slab(p, owner);
    tally_freed(entry);
}

HOT_AT(256) void hak_free(void *p) {
    free_at(p, HAK_ENTRY_FREE, NULL);
}

HOT void hak_free_at(void *p, hak_callsite_t site) {
    free_at(p, HAK_ENTRY_FREE, site);
}

void hak_entry_cfree(void *p) {
    hak_free_entry(p, HAK_ENTRY_CFREE);
}

HOT void hak_free_sized(void *p, size_t size) {
    hak_free_sized_entry(p, size, HAK_ENTRY_FREE_SIZED);
}

void hak_free_aligned_sized(void *p, size_t alignment, size_t size) {
    hak_free_aligned_sized_entry(p, alignment, size, HAK_ENTRY_FREE_ALIGNED_SIZED);
}

size_t hak_usable_size(const void *p) {
    uint32_t owner = entry_of(p);
    if (owner != 0)
        return size_class_bytes(entry_class(owner));
    struct large_info info;
    return hak_large_find(p, &info) == LARGE_FOUND ? info.bytes : 0;
}

bool hak_owns(const void *p) {
    struct superslab *superslab = hak_superslab_of(p);
    if (superslab == NULL)
        return false;
    struct large_info info;
    unsigned state = load_relaxed(&superslab->state);
    return (state != UNIT_DIRECT && state != UNIT_KEPT) || hak_large_find(p, &info) != LARGE_FOREIGN;
}
