/* api/realloc.c
 * Purpose.     realloc and reallocarray.
 * Design.      A block stays where it is as long as it is neither too small nor much too large (block_fits), and one
 *              that grows by a little gets room to do so again: text that is put together piece by piece would be
 *              copied for each piece otherwise. Large and Huge blocks grow and shrink in place or move by their pages
 *              where they can. A block that cannot shrink for want of memory stays: programs do not expect that to
 *              fail.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/error.h"
#include "api/fast.h"
#include "api/init.h"
#include "api/limit.h"
#include "api/request.h"

static void *resize_failed(void) {
    errno = ENOMEM;
    return NULL;
}

FAST void count(uint64_t *counter) {
    hak_tally_add(counter, 1);
}

/* A new block with the first `keep` bytes of the old one, which is freed. */
static void *move_block(void *p, size_t keep, size_t size) {
    void *block = hak_malloc(size);
    if (unlikely(block == NULL))
        return keep == size ? p : NULL;
    memcpy(block, p, keep);
    hak_free(p);
    count(&hak_thread_tally()->resize_allocs);
    count(&hak_thread_tally()->resize_frees);
    return block;
}

static void tally_resized(size_t from, size_t to) {
    struct hak_tally *tally = hak_thread_tally();
    if (to > from)
        hak_tally_add(&tally->large_allocated_bytes, to - from);
    else
        hak_tally_add(&tally->large_freed_bytes, from - to);
}

static void *resize_large(void *p, size_t size, enum hak_entry entry) {
    struct large_info info = {.base = NULL};
    enum large_answer answer = hak_large_find(p, &info);
    if (unlikely(answer != LARGE_FOUND)) {
        hak_error_bad_pointer(entry, p, size, answer, &info, NULL);
        return resize_failed();
    }
    if (size > HAK_MID_MAX) {
        void *block = hak_large_resize(p, size);
        if (block != NULL) {
            tally_resized(info.bytes, hak_large_good_size(size));
            limit_tell();
            return block;
        }
    }
    return move_block(p, info.bytes < size ? info.bytes : size, size);
}

static void *resize(void *p, size_t size, enum hak_entry entry) {
    if (unlikely(size > PTRDIFF_MAX))
        return resize_failed();
    uint32_t owner = entry_of(p);
    if (owner == 0)
        return resize_large(p, size, entry);
    unsigned have = entry_class(owner);
    size_t bytes = size_class_bytes(have);
    if (block_fits(bytes, size) || request_class(size) == have)
        return p;
    if (size <= bytes)
        return move_block(p, size, size);
    void *block = move_block(p, bytes, roomy_size(bytes, size));
    return likely(block != NULL) ? block : move_block(p, bytes, size);
}

__attribute__((noinline)) static void *realloc_any(void *p, size_t size, enum hak_entry entry) {
    void *result;
    if (p == NULL) {
        result = hak_malloc(size);
        if (result != NULL)
            count(&hak_thread_tally()->resize_allocs);
    } else if (size == 0) {
        hak_free_slow(p, entry, NULL);
        return NULL;
    } else {
        result = resize(p, size, entry);
    }
    if (likely(result != NULL))
        count(&hak_thread_tally()->served[entry]);
    return result;
}

/* A large text that grows piece by piece stays, but for one piece in a hundred. */
__attribute__((noinline)) static void *realloc_slow(void *p, size_t size, enum hak_entry entry) {
    if (size <= HAK_MID_MAX || size > PTRDIFF_MAX || !hak_large_fits(p, size))
        return realloc_any(p, size, entry);
    count(&hak_thread_tally()->served[entry]);
    return p;
}

/* From one list of the thread to another. The block's own list may be another one once there is a new block. */
HOT __attribute__((noinline)) static void *realloc_tiny(void *p, size_t size, size_t bytes, enum hak_entry entry) {
    void *block = hak_alloc_entry(size < bytes ? size : roomy_size(bytes, size), HAK_ENTRY_MALLOC);
    if (unlikely(block == NULL))
        block = size < bytes ? p : hak_malloc(size);
    if (unlikely(block == NULL))
        return NULL;
    struct hak_tally *tally = &hak_thread_self->view.tally;
    if (likely(block != p)) {
        memcpy(block, p, least(size, bytes));
        hak_free_entry(p, HAK_ENTRY_FREE);
        owner_add(&tally->resize_allocs, 1);
        owner_add(&tally->resize_frees, 1);
    }
    owner_add(&tally->served[entry], 1);
    return block;
}

/* Stays within few instructions where the block stays: one of a slab that fits. */
FAST void *realloc_entry(void *p, size_t size, enum hak_entry entry) {
    struct thread *thread = hak_thread_self;
    size_t offset = cache_slot(&thread->view, p);
    if (unlikely(offset == 0))
        return realloc_slow(p, size, entry);
    size_t bytes = size_class_bytes((unsigned)offset / SLOT_BYTES);
    if (unlikely(!block_fits(bytes, size)))
        return size - 1 < HAK_TINY_MAX && likely(hak_options.wrap_tiny) ? realloc_tiny(p, size, bytes, entry)
                                                                        : realloc_slow(p, size, entry);
    owner_add(&thread->view.tally.served[entry], 1);
    return p;
}

HOT void *hak_realloc(void *p, size_t size) {
    return realloc_entry(p, size, HAK_ENTRY_REALLOC);
}

void *hak_reallocarray(void *p, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return resize_failed();
    return realloc_entry(p, bytes, HAK_ENTRY_REALLOCARRAY);
}
