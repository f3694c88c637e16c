/* shadow.c
 * Purpose.     The block patterns, the map of live addresses and the checks of shadow.h.
 * Design.      Small blocks are filled and compared whole; of larger ones the first bytes of every page and the last
 *              bytes of the block, so that a run of millions of operations spends its time in the allocator.
 *              The map is a root table over 64 MiB regions with a bitmap for each region that was ever used.
 * Concurrency. Bits are changed by atomic or/and: relaxed is enough, since a block reaches another thread only through
 *              the allocator or through a queue with a lock.
 */
#include "shadow.h"

#include "hakmem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    WHOLE_BYTES = 4096, /* blocks up to this size are compared completely */
    PAGE_BYTES = 4096,
    ZERO_WHOLE_BYTES = 1 << 20, /* calloc is looked at completely up to here */
    EDGE_BYTES = 64,
    GRAIN_SHIFT = 4, /* one bit of the map: 16 bytes */
    REGION_SHIFT = 26,
    ADDRESS_BITS = 48,
};

#define REGION_COUNT ((size_t)1 << (ADDRESS_BITS - REGION_SHIFT))
#define REGION_WORDS ((size_t)1 << (REGION_SHIFT - GRAIN_SHIFT - 6))

typedef _Atomic uint64_t map_word_t;

static _Atomic(map_word_t *) *map_root;

const struct allocator shadow_hakmem = {
    .malloc = hak_malloc,
    .calloc = hak_calloc,
    .realloc = hak_realloc,
    .aligned_alloc = hak_aligned_alloc,
    .usable_size = hak_usable_size,
    .exact_usable = true,
};

__attribute__((format(printf, 2, 0))) static void write_line(int fd, const char *format, va_list arguments) {
    char line[512];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    if (length < 0 || (size_t)length > sizeof line - 2) {
        length = (int)sizeof line - 2;
    }
    line[length] = '\n';
    ssize_t written = write(fd, line, (size_t)length + 1);
    (void)written;
}

_Noreturn void shadow_fail(enum shadow_fault fault, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(STDERR_FILENO, format, arguments);
    va_end(arguments);
    _exit((int)fault);
}

void shadow_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(STDOUT_FILENO, format, arguments);
    va_end(arguments);
}

void *shadow_map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        shadow_fail(FAULT_TEST, "no memory for the shadow: %zu bytes", bytes);
    }
    return memory;
}

uint64_t shadow_env(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    if (text == NULL || *text == '\0') {
        return otherwise;
    }
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value == 0 || *text == '-') {
        shadow_fail(FAULT_TEST, "%s=%s: not a positive number", name, text);
    }
    return value;
}

/* ---- the map of live addresses ---- */

__attribute__((constructor)) static void map_create(void) {
    map_root = shadow_map(REGION_COUNT * sizeof *map_root);
}

static map_word_t *region_of(uintptr_t address) {
    size_t index = address >> REGION_SHIFT;
    if (index >= REGION_COUNT) {
        shadow_fail(FAULT_TEST, "address %#zx has more than %d bits", (size_t)address, ADDRESS_BITS);
    }
    map_word_t *region = atomic_load_explicit(&map_root[index], memory_order_acquire);
    if (region == NULL) {
        void *memory = shadow_map(REGION_WORDS * sizeof(map_word_t));
        map_word_t *fresh = memory;
        if (atomic_compare_exchange_strong_explicit(&map_root[index], &region, fresh, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            region = fresh;
        } else {
            munmap(memory, REGION_WORDS * sizeof *fresh);
        }
    }
    return region;
}

/* Sets or clears the bits of [address, address + bytes). Returns the first address whose bit was not the opposite
 * before, or 0. */
static uintptr_t map_change(uintptr_t address, size_t bytes, bool set) {
    uintptr_t grain = address >> GRAIN_SHIFT;
    uintptr_t end = (address + bytes + ((1u << GRAIN_SHIFT) - 1)) >> GRAIN_SHIFT;
    while (grain < end) {
        uintptr_t word_end = (grain | 63) + 1;
        size_t count = (size_t)((word_end < end ? word_end : end) - grain);
        uint64_t mask = (count == 64 ? ~0ull : (1ull << count) - 1) << (grain & 63);
        map_word_t *word = &region_of(grain << GRAIN_SHIFT)[(grain >> 6) & (REGION_WORDS - 1)];
        uint64_t before = set ? atomic_fetch_or_explicit(word, mask, memory_order_relaxed)
                              : atomic_fetch_and_explicit(word, ~mask, memory_order_relaxed);
        uint64_t wrong = (set ? before : ~before) & mask;
        if (wrong != 0) {
            return ((grain & ~(uintptr_t)63) + (unsigned)__builtin_ctzll(wrong)) << GRAIN_SHIFT;
        }
        grain += count;
    }
    return 0;
}

static void mark(const struct block *block) {
    uintptr_t taken = map_change((uintptr_t)block->ptr, block->usable, true);
    if (taken != 0) {
        shadow_fail(FAULT_OVERLAP, "%p, %zu bytes (asked for %zu): %#zx belongs to another live block",
                    (void *)block->ptr, block->usable, block->size, (size_t)taken);
    }
}

static void unmark(const struct block *block) {
    uintptr_t missing = map_change((uintptr_t)block->ptr, block->usable, false);
    if (missing != 0) {
        shadow_fail(FAULT_OVERLAP, "%p, %zu bytes: %#zx was taken out of the block by another one", (void *)block->ptr,
                    block->usable, (size_t)missing);
    }
}

/* ---- patterns ---- */

static uint64_t pattern_word(uint64_t id, size_t index) {
    uint64_t x = (id + 1) * 0x9e3779b97f4a7c15u + index * 0xd1b54a32d192ed03u;
    return x ^ (x >> 29);
}

/* `from` is a multiple of 8. */
static void fill_range(unsigned char *ptr, uint64_t id, size_t from, size_t to) {
    size_t at = from;
    for (; at + 8 <= to; at += 8) {
        uint64_t word = pattern_word(id, at / 8);
        memcpy(ptr + at, &word, 8);
    }
    if (at < to) {
        uint64_t word = pattern_word(id, at / 8);
        memcpy(ptr + at, &word, to - at);
    }
}

/* The first offset in [from, to) that does not hold the pattern, or `to`. */
static size_t compare_range(const unsigned char *ptr, uint64_t id, size_t from, size_t to) {
    for (size_t at = from; at < to; at += 8) {
        size_t bytes = to - at < 8 ? to - at : 8;
        uint64_t expected = pattern_word(id, at / 8);
        if (memcmp(ptr + at, &expected, bytes) != 0) {
            const unsigned char *byte = (const unsigned char *)&expected;
            size_t good = 0;
            while (good < bytes && ptr[at + good] == byte[good]) {
                good++;
            }
            return at + good;
        }
    }
    return to;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The parts of a block that are written and compared: all of a small one; else the start of every page, and the end.
 * Steps `*from` to the next part and returns its end, or 0 when there is none left. */
static size_t next_part(size_t extent, size_t *from) {
    size_t last = (extent - EDGE_BYTES) & ~(size_t)7;
    if (extent <= WHOLE_BYTES) {
        return *from == SIZE_MAX ? (*from = 0, extent) : 0;
    }
    if (*from == SIZE_MAX) {
        *from = 0;
    } else if (*from >= last) {
        return 0;
    } else {
        *from += PAGE_BYTES;
    }
    if (*from >= last) {
        *from = last;
        return extent;
    }
    return smaller(*from + EDGE_BYTES, extent);
}

static void fill(const struct block *block) {
    size_t from = SIZE_MAX;
    for (size_t to; (to = next_part(block->usable, &from)) != 0;) {
        fill_range(block->ptr, block->id, from, to);
    }
}

/* Compares what was written to a block of `written` bytes, as far as it lies below `limit`. SIZE_MAX if all is well,
 * else the first wrong offset. */
static size_t first_wrong(const unsigned char *ptr, uint64_t id, size_t written, size_t limit) {
    size_t from = SIZE_MAX;
    for (size_t to; (to = next_part(written, &from)) != 0;) {
        size_t end = smaller(to, limit);
        if (from < end) {
            size_t at = compare_range(ptr, id, from, end);
            if (at != end) {
                return at;
            }
        }
    }
    return SIZE_MAX;
}

/* ---- blocks ---- */

static void check_place(const struct allocator *allocator, const struct block *block, const char *call) {
    if (block->ptr == NULL) {
        shadow_fail(FAULT_NULL, "%s of %zu bytes, aligned to %zu: NULL", call, block->size, block->alignment);
    }
    uintptr_t address = (uintptr_t)block->ptr;
    if ((address & 15) != 0 || (address & (block->alignment - 1)) != 0) {
        shadow_fail(FAULT_ALIGNMENT, "%s of %zu bytes: %p is not aligned to %zu", call, block->size, (void *)block->ptr,
                    block->alignment);
    }
    if (block->usable < block->size || block->usable == 0) {
        shadow_fail(FAULT_USABLE, "%s of %zu bytes: %p has %zu usable bytes", call, block->size, (void *)block->ptr,
                    block->usable);
    }
    if (allocator == &shadow_hakmem && !hak_owns(block->ptr)) {
        shadow_fail(FAULT_OWNS, "%s of %zu bytes: hak_owns(%p) is false", call, block->size, (void *)block->ptr);
    }
}

static struct block new_block(const struct allocator *allocator, void *ptr, size_t size, size_t alignment, uint64_t id,
                              const char *call) {
    struct block block = {
        .ptr = ptr,
        .size = size,
        .usable = ptr != NULL ? allocator->usable_size(ptr) : 0,
        .alignment = alignment,
        .id = id,
    };
    check_place(allocator, &block, call);
    mark(&block);
    return block;
}

static void check_good_size(const struct allocator *allocator, const struct block *block, const char *call) {
    if (allocator->exact_usable && block->usable != hak_good_size(block->size)) {
        shadow_fail(FAULT_USABLE, "%s of %zu bytes: %p has %zu usable bytes, hak_good_size says %zu", call, block->size,
                    (void *)block->ptr, block->usable, hak_good_size(block->size));
    }
}

struct block shadow_adopt(const struct allocator *allocator, void *ptr, size_t size, size_t alignment, uint64_t id) {
    struct block block = new_block(allocator, ptr, size, alignment, id, "allocation");
    fill(&block);
    return block;
}

struct block shadow_malloc(const struct allocator *allocator, size_t size, uint64_t id) {
    struct block block = new_block(allocator, allocator->malloc(size), size, 16, id, "malloc");
    check_good_size(allocator, &block, "malloc");
    fill(&block);
    return block;
}

struct block shadow_aligned(const struct allocator *allocator, size_t alignment, size_t size, uint64_t id) {
    void *ptr = allocator->aligned_alloc(alignment, size);
    struct block block = new_block(allocator, ptr, size, alignment, id, "aligned_alloc");
    block.origin = ORIGIN_ALIGNED;
    fill(&block);
    return block;
}

/* The first offset in [from, to) that is not zero, or `to`. */
static size_t first_nonzero(const unsigned char *ptr, size_t from, size_t to) {
    if (from < to && ptr[from] == 0 && memcmp(ptr + from, ptr + from + 1, to - from - 1) == 0) {
        return to;
    }
    while (from < to && ptr[from] == 0) {
        from++;
    }
    return from;
}

struct block shadow_calloc(const struct allocator *allocator, size_t count, size_t size, uint64_t id) {
    size_t bytes = count * size;
    struct block block = new_block(allocator, allocator->calloc(count, size), bytes, 16, id, "calloc");
    check_good_size(allocator, &block, "calloc");
    size_t whole = smaller(bytes, ZERO_WHOLE_BYTES);
    size_t at = first_nonzero(block.ptr, 0, whole);
    size_t end = whole;
    if (at == whole && whole < bytes) {
        /* Further on, the places that the pattern touches: there an earlier block would have left something. */
        size_t from = SIZE_MAX;
        while (at == end && (end = next_part(bytes, &from)) != 0) {
            at = first_nonzero(block.ptr, from, end);
        }
    }
    if (end != 0 && at < end) {
        shadow_fail(FAULT_NOT_ZERO, "calloc(%zu, %zu): %p holds %#x at offset %zu", count, size, (void *)block.ptr,
                    block.ptr[at], at);
    }
    fill(&block);
    return block;
}

void shadow_realloc(const struct allocator *allocator, struct block *block, size_t size, uint64_t id) {
    struct block old = *block;
    shadow_check(allocator, &old);
    /* Another thread may be given the old place before realloc returns. */
    unmark(&old);
    void *ptr = allocator->realloc(old.ptr, size);
    *block = new_block(allocator, ptr, size, 16, id, "realloc");
    size_t kept = smaller(old.size, size);
    size_t wrong = first_wrong(block->ptr, old.id, old.usable, kept);
    if (wrong != SIZE_MAX) {
        shadow_fail(FAULT_KEPT, "realloc(%p, %zu) of %zu bytes: %p differs at offset %zu", (void *)old.ptr, size,
                    old.size, (void *)block->ptr, wrong);
    }
    fill(block);
}

void shadow_check(const struct allocator *allocator, const struct block *block) {
    size_t wrong = first_wrong(block->ptr, block->id, block->usable, block->usable);
    if (wrong != SIZE_MAX) {
        shadow_fail(FAULT_CONTENTS, "%p, %zu bytes (asked for %zu): wrong byte %#x at offset %zu", (void *)block->ptr,
                    block->usable, block->size, block->ptr[wrong], wrong);
    }
    size_t usable = allocator->usable_size(block->ptr);
    if (usable != block->usable) {
        shadow_fail(FAULT_USABLE, "%p: usable size was %zu and is %zu", (void *)block->ptr, block->usable, usable);
    }
    if (allocator == &shadow_hakmem && !hak_owns(block->ptr)) {
        shadow_fail(FAULT_OWNS, "hak_owns(%p) is false for a live block of %zu bytes", (void *)block->ptr, block->size);
    }
}

void *shadow_release(const struct allocator *allocator, struct block *block) {
    shadow_check(allocator, block);
    unmark(block);
    void *ptr = block->ptr;
    block->ptr = NULL;
    return ptr;
}

void shadow_free(const struct allocator *allocator, struct block *block, uint64_t choice) {
    struct block dead = *block;
    void *ptr = shadow_release(allocator, block);
    if (allocator->free != NULL) {
        allocator->free(ptr);
        return;
    }
    switch (choice % 8) {
    case 0:
    case 1:
        if (dead.origin == ORIGIN_ALIGNED) {
            hak_free_aligned_sized(ptr, dead.alignment, dead.size);
        } else {
            hak_free_sized(ptr, dead.size);
        }
        break;
    case 2:
        hak_free_at(ptr, HAK_CALLSITE());
        break;
    case 3:
        (void)!hak_realloc(ptr, 0);
        break;
    default:
        hak_free(ptr);
    }
}

/* ---- sizes ---- */

size_t shadow_pick_size(uint64_t *state) {
    static const size_t edges[] = {
        16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576,
    };
    static const size_t rare_edges[] = {(size_t)2 << 20, (size_t)4 << 20, (size_t)8 << 20, (size_t)64 << 20};
    uint64_t random = shadow_random(state);
    uint64_t dice = random % 100000;
    random >>= 20;
    if (dice < 88000) { /* 0..1024, the smaller the likelier */
        return (random >> 12) % ((size_t)16 << (random % 7)) + (random >> 60) / 15;
    }
    if (dice < 95000) { /* up to 32 KiB and a little above */
        return (random >> 12) % ((size_t)1100 << (random % 6)) + 1;
    }
    if (dice < 99400) {
        /* Edges up to 32 KiB for the most part; one in sixteen further up. */
        size_t count = random % 16 == 0 ? sizeof edges / sizeof *edges : 11;
        return edges[(random >> 4) % count] + (random >> 40) % 3 - 1;
    }
    if (dice < 99990) { /* 32 KiB to 1 MiB */
        return ((size_t)32 << 10) + (random >> 12) % ((size_t)64 << (10 + random % 5));
    }
    if (dice < 99998) { /* 1 to 9 MiB */
        return ((size_t)1 << 20) + (random >> 12) % ((size_t)8 << 20);
    }
    return rare_edges[random % 4] + (random >> 40) % 3 - 1;
}
