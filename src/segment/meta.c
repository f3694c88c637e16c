/* segment/meta.c
 * Purpose.     See meta.h.
 */
#include "segment/meta.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "os/os.h"
#include "segment/limit.h"
#include "segment/view.h"

#define META_CHUNK_BYTES ((size_t)4 << 20)

/* At the start of each chunk, for tools. */
struct chunk {
    const void *previous;
    size_t bytes;
};

static struct {
    struct lock lock;
    char *next; /* next <= end; [next, end) is committed and zero */
    char *end;
    void *given[HAK_META_SHIFT_MAX + 1]; /* by shift, linked through their first word */
} meta = {.lock = {.rank = LOCK_RANK_META}};

struct lock *hak_meta_lock(void) {
    return &meta.lock;
}

static bool add_chunk(size_t bytes) {
    size_t guard = hak_os_page_size();
    if (bytes > SIZE_MAX / 2)
        return false;
    bytes += HAK_CACHE_LINE;
    bytes = round_up(bytes > META_CHUNK_BYTES ? bytes : META_CHUNK_BYTES, guard);
    char *chunk = hak_os_reserve(bytes + 2 * guard);
    if (chunk == NULL)
        return false;
    if (hak_os_commit(chunk + guard, bytes) != 0) {
        (void)!hak_os_release(chunk, bytes + 2 * guard);
        return false;
    }
    struct chunk *header = (struct chunk *)(void *)(chunk + guard);
    *header = (struct chunk){.previous = hak_view.regions.chunks, .bytes = bytes};
    VIEW_PUBLISH(chunk, HAK_CHUNK_FIELDS);
    hak_view.regions.chunks = header;
    meta.next = chunk + guard + HAK_CACHE_LINE;
    meta.end = chunk + guard + bytes;
    return true;
}

/* The lock is held. */
static void *alloc(size_t bytes) {
    void *result = NULL;
    bool admitted = limit_admits(bytes);
    if (admitted && ((size_t)(meta.end - meta.next) >= bytes || add_chunk(bytes))) {
        result = meta.next;
        meta.next += bytes;
        owner_add(&hak_view.metadata_bytes, bytes);
    }
    return result;
}

SLOW void *hak_meta_alloc(size_t bytes) {
    lock_acquire(&meta.lock);
    void *result = alloc(round_up(bytes, HAK_CACHE_LINE));
    lock_release(&meta.lock);
    return result;
}

void *hak_meta_take(unsigned shift) {
    hak_assert(shift <= HAK_META_SHIFT_MAX);
    lock_acquire(&meta.lock);
    void **result = meta.given[shift];
    if (result != NULL)
        meta.given[shift] = *result;
    else /* a line more, so that what is used of many of them is spread over the sets of the processor's cache */
        result = alloc(round_up((size_t)1 << shift, HAK_CACHE_LINE) + HAK_CACHE_LINE);
    lock_release(&meta.lock);
    return result;
}

void hak_meta_give(void *memory, unsigned shift) {
    void **link = memory;
    lock_acquire(&meta.lock);
    *link = meta.given[shift];
    meta.given[shift] = memory;
    lock_release(&meta.lock);
}

void *hak_meta_borrow(size_t bytes) {
    bytes = round_up(bytes, hak_os_page_size());
    void *memory = hak_os_reserve(bytes);
    if (memory != NULL && hak_os_commit(memory, bytes) != 0) {
        (void)!hak_os_release(memory, bytes);
        return NULL;
    }
    return memory;
}

void hak_meta_give_back(void *memory, size_t bytes) {
    (void)!hak_os_release(memory, round_up(bytes, hak_os_page_size()));
}
