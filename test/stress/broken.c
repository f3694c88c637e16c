/* broken.c
 * Purpose.     The faulty wrappers of broken.h.
 * Design.      A fault waits for PATIENCE calls, so that it happens in the middle of a run with many live blocks, and
 *              comes back until it is found: its victim may be a block that the model has freed in the meantime.
 *              Wrappers that touch a victim free nothing, so that a dead victim harms nobody.
 * Concurrency. `calls`, `victim` and `cells_used` are atomic; which thread meets the fault is left to chance.
 */
#include "broken.h"

#include "hakmem.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { PATIENCE = 300, LARGE_BYTES = 65536, CELL_BYTES = 64, CELL_COUNT = 4096 };

static atomic_uint calls;
static atomic_uint cells_used;
static _Atomic(unsigned char *) victim;
static unsigned char cells[CELL_COUNT][CELL_BYTES] __attribute__((aligned(64)));

static bool due(void) {
    return atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) >= PATIENCE;
}

static unsigned char *victim_get(void) {
    return atomic_load_explicit(&victim, memory_order_relaxed);
}

static void victim_set(unsigned char *ptr) {
    atomic_store_explicit(&victim, ptr, memory_order_relaxed);
}

static void free_nothing(void *ptr) {
    (void)ptr;
}

static bool in_cells(const void *ptr) {
    return (uintptr_t)ptr - (uintptr_t)cells < sizeof cells;
}

static size_t usable_in_cells(const void *ptr) {
    if (in_cells(ptr)) {
        return (uintptr_t)ptr % CELL_BYTES == 0 ? CELL_BYTES : 16;
    }
    return hak_usable_size(ptr);
}

static void *realloc_that_moves(void *old, size_t size) {
    void *ptr = hak_malloc(size);
    size_t usable = usable_in_cells(old);
    if (ptr != NULL && old != NULL) {
        memcpy(ptr, old, usable < size ? usable : size);
    }
    return ptr;
}

static void *same_block_twice(size_t size) {
    unsigned char *live = victim_get();
    if (due() && live != NULL && hak_usable_size(live) >= size) {
        return live;
    }
    unsigned char *ptr = hak_malloc(size);
    victim_set(ptr);
    return ptr;
}

/* Half of a block of 64 bytes is handed out as a block of its own. */
static void *block_inside_another(size_t size) {
    unsigned char *live = victim_get();
    if (size <= 16 && live != NULL && due()) {
        return live + CELL_BYTES / 2;
    }
    if (size > 16 && size <= CELL_BYTES) {
        unsigned cell = atomic_fetch_add_explicit(&cells_used, 1, memory_order_relaxed);
        if (cell < CELL_COUNT) {
            victim_set(cells[cell]);
            return cells[cell];
        }
    }
    return hak_malloc(size);
}

static void *byte_changes(size_t size) {
    unsigned char *live = victim_get();
    if (due() && live != NULL) {
        live[7] ^= 0x40;
    }
    unsigned char *ptr = hak_malloc(size);
    victim_set(size >= 16 ? ptr : NULL);
    return ptr;
}

static void *byte_of_large_block_changes(size_t size) {
    unsigned char *live = victim_get();
    if (live != NULL) {
        live[4096] ^= 1;
    }
    unsigned char *ptr = hak_malloc(size);
    victim_set(size >= LARGE_BYTES ? ptr : NULL);
    return ptr;
}

static void *address_ends_in_8(size_t size) {
    if (!due()) {
        return hak_malloc(size);
    }
    unsigned char *ptr = hak_malloc(size + 8);
    return ptr != NULL ? ptr + 8 : NULL;
}

static void *alignment_forgotten(size_t alignment, size_t size) {
    if (alignment > 16 && due()) {
        unsigned char *ptr = hak_aligned_alloc(alignment, size + 16);
        return ptr != NULL ? ptr + 16 : NULL;
    }
    return hak_aligned_alloc(alignment, size);
}

static void *calloc_not_zero(size_t count, size_t size) {
    unsigned char *ptr = hak_calloc(count, size);
    size_t bytes = count * size;
    if (due() && ptr != NULL && bytes != 0) {
        ptr[bytes - 1] = 1;
    }
    return ptr;
}

static void *realloc_loses_the_end(void *old, size_t size) {
    size_t kept = hak_usable_size(old);
    unsigned char *ptr = hak_realloc(old, size);
    if (due() && ptr != NULL && size <= kept) {
        ptr[size - 1] ^= 0x80;
    }
    return ptr;
}

static size_t usable_shrinks(const void *ptr) {
    return hak_usable_size(ptr) - (due() ? 16 : 0);
}

static size_t usable_too_small(const void *ptr) {
    return due() ? 1 : hak_usable_size(ptr);
}

static void *out_of_memory(size_t size) {
    if (due()) {
        errno = ENOMEM;
        return NULL;
    }
    return hak_malloc(size);
}

#define PLAIN_MALLOC .malloc = hak_malloc
#define PLAIN_CALLOC .calloc = hak_calloc
#define PLAIN_REALLOC .realloc = hak_realloc
#define PLAIN_ALIGNED .aligned_alloc = hak_aligned_alloc
#define PLAIN_USABLE .usable_size = hak_usable_size
#define SAFE_FROM_VICTIMS .realloc = realloc_that_moves, .free = free_nothing, PLAIN_CALLOC, PLAIN_ALIGNED

const struct broken_allocator broken_allocators[] = {
    {"a live block is handed out again",
     1,
     FAULT_OVERLAP,
     {.malloc = same_block_twice, PLAIN_USABLE, SAFE_FROM_VICTIMS}},
    {"a live block is handed out to another thread",
     4,
     FAULT_OVERLAP,
     {.malloc = same_block_twice, PLAIN_USABLE, SAFE_FROM_VICTIMS}},
    {"a block lies inside another",
     1,
     FAULT_OVERLAP,
     {.malloc = block_inside_another, .usable_size = usable_in_cells, SAFE_FROM_VICTIMS}},
    {"a byte of a live block changes", 1, FAULT_CONTENTS, {.malloc = byte_changes, PLAIN_USABLE, SAFE_FROM_VICTIMS}},
    {"a byte far inside a large block changes",
     1,
     FAULT_CONTENTS,
     {.malloc = byte_of_large_block_changes, PLAIN_USABLE, SAFE_FROM_VICTIMS}},
    {"malloc returns an address that ends in 8",
     1,
     FAULT_ALIGNMENT,
     {.malloc = address_ends_in_8, PLAIN_CALLOC, PLAIN_REALLOC, PLAIN_ALIGNED, PLAIN_USABLE}},
    {"aligned_alloc aligns to 16 only",
     1,
     FAULT_ALIGNMENT,
     {PLAIN_MALLOC, PLAIN_CALLOC, PLAIN_REALLOC, .aligned_alloc = alignment_forgotten, PLAIN_USABLE}},
    {"the last byte of a calloc is not zero",
     1,
     FAULT_NOT_ZERO,
     {PLAIN_MALLOC, .calloc = calloc_not_zero, PLAIN_REALLOC, PLAIN_ALIGNED, PLAIN_USABLE}},
    {"realloc loses the last byte",
     1,
     FAULT_KEPT,
     {PLAIN_MALLOC, PLAIN_CALLOC, .realloc = realloc_loses_the_end, PLAIN_ALIGNED, PLAIN_USABLE}},
    {"the usable size shrinks",
     1,
     FAULT_USABLE,
     {PLAIN_MALLOC, PLAIN_CALLOC, PLAIN_REALLOC, PLAIN_ALIGNED, .usable_size = usable_shrinks}},
    {"the usable size is less than the request",
     1,
     FAULT_USABLE,
     {PLAIN_MALLOC, PLAIN_CALLOC, PLAIN_REALLOC, PLAIN_ALIGNED, .usable_size = usable_too_small}},
    {"malloc returns NULL",
     1,
     FAULT_NULL,
     {.malloc = out_of_memory, PLAIN_CALLOC, PLAIN_REALLOC, PLAIN_ALIGNED, PLAIN_USABLE}},
};

const unsigned broken_allocator_count = sizeof broken_allocators / sizeof *broken_allocators;
