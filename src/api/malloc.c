/* api/malloc.c
 * Purpose.     Everything that hands out new blocks. The fast path is in fast.h.
 * Design.      errno is set here and nowhere below.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/control.h"
#include "api/entry.h"
#include "api/fast.h"
#include "api/init.h"
#include "api/limit.h"
#include "api/request.h"
#include "os/os.h"
#include "segment/purge.h"

static void *no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

/* After a refusal. Whoever is told of it may free something; what this thread's caches hold may be all that keeps a
 * slab in use; and addresses may be what is missing. */
SLOW static void make_room(void) {
    limit_tell();
    hak_thread_flush();
    (void)hak_purge_mappings();
    (void)hak_thread_drop_page_map();
}

/* The second refusal of one call, whose caller has been told of the first. */
SLOW static void *refused(void) {
    limit_forget_refusal();
    return no_memory();
}

static void tally_served(enum hak_entry entry) {
    if (entry != HAK_ENTRY_MALLOC)
        hak_tally_add(&hak_thread_tally()->served[entry], 1);
}

static void *take_class(unsigned size_class) {
    struct thread *thread = hak_api_thread();
    return thread != NULL ? hak_thread_take(thread, size_class) : hak_thread_take_direct(size_class);
}

/* A block of the class; NULL if there is no memory. */
static void *alloc_class(unsigned size_class, enum hak_entry entry) {
    void *block = take_class(size_class);
    if (unlikely(block == NULL)) {
        make_room();
        block = take_class(size_class);
    }
    if (unlikely(block == NULL))
        return refused();
    limit_tell();
    tally_served(entry);
    hak_control_tick();
    return block;
}

static void *alloc_large(size_t size, size_t alignment, bool zeroed, enum hak_entry entry) {
    if (size > PTRDIFF_MAX || alignment > (size_t)1 << (HAK_ADDRESS_BITS - 1))
        return no_memory();
    (void)hak_api_thread();
    size += size == 0;
    void *block = hak_large_alloc(size, alignment, zeroed);
    if (unlikely(block == NULL)) {
        make_room();
        block = hak_large_alloc(size, alignment, zeroed);
    }
    if (unlikely(block == NULL))
        return refused();
    limit_tell();
    hak_tally_add(&hak_thread_tally()->large_allocs, 1);
    hak_tally_add(&hak_thread_tally()->large_allocated_bytes, hak_large_good_size(size));
    tally_served(entry);
    hak_control_tick();
    return block;
}

/* Mid blocks come here with full caches as a rule, so they get a fast path of their own. */
HOT void *hak_alloc_slow(size_t size, enum hak_entry entry, hak_callsite_t site) {
    (void)site;
    unsigned size_class = request_class(size);
    if (size_class == 0)
        return alloc_large(size, HAK_ALIGNMENT, false, entry);
    struct thread *thread = hak_thread_self;
    if (size > HAK_TINY_MAX) {
        void *block = cache_pop(&thread->view.slot[size_class]);
        if (likely(block != NULL)) {
            count_served(thread, entry);
            return block;
        }
    }
    return alloc_class(size_class, entry);
}

void *hak_aligned_slow(size_t alignment, size_t size, enum hak_entry entry) {
    unsigned size_class = request_class_aligned(alignment, size);
    if (size_class == 0)
        return alloc_large(size, alignment, false, entry);
    struct thread *thread = hak_thread_self;
    void *block = cache_pop(&thread->view.slot[size_class]);
    if (likely(block != NULL)) {
        count_served(thread, entry);
        return block;
    }
    return alloc_class(size_class, entry);
}

HOT_AT(512) void *hak_malloc(size_t size) {
    return alloc_at(size, HAK_ENTRY_MALLOC, NULL);
}

HOT void *hak_alloc_at(size_t size, hak_callsite_t site) {
    return alloc_at(size, HAK_ENTRY_MALLOC, site);
}

/* Overlapping stores where a call would cost more than the work: of whole units, since blocks are. */
FAST void *clear_tiny(void *block, size_t bytes) {
    typedef long long unit __attribute__((vector_size(HAK_ALIGNMENT), may_alias));
    if (bytes > 8 * sizeof(unit))
        return memset(block, 0, bytes);
    unit *first = block;
    unit *last = first + (bytes - 1) / sizeof(unit);
    *first = *last = (unit){0};
    if (bytes > 2 * sizeof(unit))
        first[1] = last[-1] = (unit){0};
    if (bytes > 4 * sizeof(unit))
        first[2] = first[3] = last[-3] = last[-2] = (unit){0};
    return block;
}

__attribute__((noinline)) static void *calloc_slow(size_t bytes) {
    if (bytes > HAK_MID_MAX)
        return alloc_large(bytes, HAK_ALIGNMENT, true, HAK_ENTRY_CALLOC);
    void *block = hak_alloc_slow(bytes, HAK_ENTRY_CALLOC, NULL);
    return likely(block != NULL) ? memset(block, 0, bytes) : NULL;
}

HOT void *hak_calloc(size_t count, size_t size) {
    size_t bytes;
    if (unlikely(__builtin_mul_overflow(count, size, &bytes)))
        return no_memory();
    void *block = try_alloc(bytes, HAK_ENTRY_CALLOC);
    if (unlikely(block == NULL))
        return calloc_slow(bytes);
    hak_assert(bytes != 0); /* slot 0 is empty */
    return clear_tiny(block, bytes);
}

void *hak_aligned_alloc(size_t alignment, size_t size) {
    if (unlikely(!is_power_of_two(alignment))) {
        errno = EINVAL;
        return NULL;
    }
    return hak_aligned_entry(alignment, size, HAK_ENTRY_ALIGNED_ALLOC);
}

void *hak_entry_memalign(size_t alignment, size_t size) {
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    if (!is_power_of_two(alignment))
        alignment = alignment == 0 ? 1 : (size_t)2 << bits_log2(alignment);
    return hak_aligned_entry(alignment, size, HAK_ENTRY_MEMALIGN);
}

int hak_entry_posix_memalign(void **block, size_t alignment, size_t size) {
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    int saved = errno;
    void *result = hak_aligned_entry(alignment, size, HAK_ENTRY_POSIX_MEMALIGN);
    errno = saved;
    if (result == NULL)
        return ENOMEM;
    *block = result;
    return 0;
}

void *hak_entry_valloc(size_t size) {
    return hak_aligned_entry(hak_os_page_size(), size, HAK_ENTRY_VALLOC);
}

void *hak_entry_pvalloc(size_t size) {
    size_t page = hak_os_page_size();
    if (size > PTRDIFF_MAX - page)
        return no_memory();
    return hak_aligned_entry(page, round_up(size, page), HAK_ENTRY_PVALLOC);
}

size_t hak_good_size(size_t size) {
    unsigned size_class = request_class(size);
    return size_class != 0 ? size_class_bytes(size_class) : hak_large_good_size(size);
}
