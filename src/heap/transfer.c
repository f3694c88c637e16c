/* heap/transfer.c
 * Purpose.     See transfer.h.
 */
#include "heap/transfer.h"

#include <string.h>

#include "base/bits.h"
#include "base/options.h"
#include "heap/slab.h"
#include "segment/limit.h"
#include "segment/meta.h"

struct transfer hak_transfers[HAK_CLASS_COUNT];
uint8_t hak_transfer_any;

FAST bool transfer_begin(struct transfer *transfer) {
    uint32_t nobody = 0;
    if (load_relaxed(&transfer->busy) != 0)
        return false;
    COUNT(ATOMIC_OTHER);
    return cas_acquire(&transfer->busy, &nobody, hak_lock_self());
}

FAST void transfer_end(struct transfer *transfer) {
    store_release(&transfer->busy, 0u);
}

/* Where free memory is to go to the kernel at once, nothing waits. */
bool hak_transfer_has_room(const struct transfer *transfer) {
    uint32_t room = load_relaxed(&transfer->room);
    return (load_relaxed(&transfer->count) < room || room == 0) && load_relaxed(&hak_options.purge_delay) != 0;
}

/* Room for the blocks of a class, where some are put for the first time. False without memory for it. */
SLOW static bool open_transfer(struct transfer *transfer, unsigned size_class) {
    size_t room = HAK_TRANSFER_BYTES / size_class_bytes(size_class);
    room = room < HAK_TRANSFER_BLOCKS ? room : HAK_TRANSFER_BLOCKS;
    /* A free is no reason to tell the program that a limit is reached. */
    if (limit_room() < room * sizeof *transfer->block)
        return false;
    transfer->block = hak_meta_alloc(room * sizeof *transfer->block);
    if (transfer->block == NULL)
        return false;
    fork_fence();
    store_relaxed(&transfer->room, (uint32_t)room);
    return true;
}

/* Begins and sees to it that there is room. */
FAST bool begin_to_put(struct transfer *transfer, unsigned size_class) {
    if (!transfer_begin(transfer))
        return false;
    if (likely(transfer->room != 0) || open_transfer(transfer, size_class))
        return true;
    transfer_end(transfer);
    return false;
}

/* In this order with what is done to the array before and after. */
FAST void set_count(struct transfer *transfer, uint32_t count) {
    fork_fence();
    store_relaxed(&transfer->count, count);
    fork_fence();
}

/* Makes what was put count. */
FAST void grown_to(struct transfer *transfer, uint32_t count) {
    set_count(transfer, count);
    if (unlikely(load_relaxed(&hak_transfer_any) == HAK_TRANSFER_NONE))
        store_relaxed(&hak_transfer_any, HAK_TRANSFER_SOME);
}

unsigned hak_transfer_take(struct transfer *transfer, unsigned want, struct block **chain) {
    if (load_relaxed(&transfer->count) == 0 || !transfer_begin(transfer))
        return 0;
    unsigned got = transfer->count < want ? transfer->count : want;
    set_count(transfer, transfer->count - got);
    if (transfer->least > transfer->count)
        transfer->least = transfer->count;
    struct block *const *block = &transfer->block[transfer->count], *first = *chain;
    for (unsigned i = 0; i < got; i++) {
        block[i]->next = first;
        first = block[i];
    }
    transfer_end(transfer);
    *chain = first;
    return got;
}

/* A block that was freed twice makes a ring of its chain. One that is back at its head is seen at once, another one if
 * it is short: a block is remembered, each time for twice as long. (R. P. Brent, "An improved Monte Carlo factorization
 * algorithm", 1980.) */
struct block *hak_transfer_put_chain(struct heap *heap, unsigned size_class, struct block *chain, unsigned *count) {
    struct transfer *transfer = transfer_of(heap, size_class);
    if (!hak_transfer_has_room(transfer) || !begin_to_put(transfer, size_class))
        return chain;
    /* Of a block that is everybody's it does not matter whose heap it came from. */
    uint32_t compared = class_is_shared(size_class) ? ENTRY_PATTERN_ALL | ENTRY_SLOT_MASK : UINT32_MAX;
    uint32_t expected = hak_heap_entry(heap, size_class) & compared;
    uint32_t at = transfer->count, remember_at = at + 1;
    const struct block *head = chain, *remembered = head, *bad = NULL;
    for (; *count > 0 && chain != NULL && at < transfer->room; --*count) {
        struct block *block = chain;
        if (unlikely((hak_slab_entry_of(block) & compared) != expected) ||
            unlikely(block == remembered && at != transfer->count) ||
            unlikely(block == head && at != transfer->count)) {
            bad = block;
            break;
        }
        if (unlikely(at == remember_at)) {
            remembered = block;
            remember_at += at - transfer->count;
        }
        chain = block->next;
        transfer->block[at++] = block;
    }
    if (likely(bad == NULL))
        grown_to(transfer, at);
    transfer_end(transfer);
    if (unlikely(bad != NULL)) {
        *count = 0;
        chain = NULL;
        hak_heap_on_bad_block(bad);
    }
    return chain;
}

struct block **hak_transfer_begin_put(struct transfer *transfer, unsigned size_class, struct block ***end, bool *full) {
    *end = NULL;
    if (!hak_transfer_has_room(transfer)) {
        *full = true;
        return NULL;
    }
    if (!begin_to_put(transfer, size_class))
        return NULL;
    *end = transfer->block + transfer->room;
    return transfer->block + transfer->count;
}

void hak_transfer_end_put(struct transfer *transfer, unsigned put) {
    COUNT_ADD(TRANSFERRED, put);
    grown_to(transfer, transfer->count + put);
    transfer_end(transfer);
}

/* ---- the way home ---- */

enum { AT_ONCE = 16 };

/* Takes the blocks that came first, up to AT_ONCE: of all, or as many as were not wanted. */
SLOW static unsigned take_oldest(struct transfer *transfer, bool all, struct block **block) {
    if (load_relaxed(&transfer->count) == 0 || !transfer_begin(transfer))
        return 0;
    /* What a fork has left of it may be more than count. */
    uint32_t count = transfer->count, got = all || transfer->least > count ? count : transfer->least;
    got = got < AT_ONCE ? got : AT_ONCE;
    if (got != 0) {
        memcpy(block, transfer->block, got * sizeof(struct block *));
        /* None is here while the others move: a fork must not find one twice. */
        set_count(transfer, 0);
        memmove(transfer->block, transfer->block + got, (count - got) * sizeof(struct block *));
        set_count(transfer, count - got);
        transfer->least = (uint32_t)least(count - got, transfer->least - least(transfer->least, got));
    }
    transfer_end(transfer);
    return got;
}

SLOW static void send_blocks_home(struct heap *const *heaps, struct block **block, unsigned count) {
    COUNT_ADD(DRAINED, count);
    while (count > 0) {
        uint32_t entry = hak_slab_entry_of(block[0]);
        struct block *same[AT_ONCE] = {block[0]};
        unsigned taken = 1, left = 0;
        for (unsigned i = 1; i < count; i++) {
            if (entry_heap(hak_slab_entry_of(block[i])) == entry_heap(entry))
                same[taken++] = block[i];
            else
                block[left++] = block[i];
        }
        if (likely(entry != 0))
            hak_heap_return_remote(heaps[entry_heap_id(entry)], same, taken);
        else
            hak_heap_on_bad_block(same[0]);
        count = left;
    }
}

SLOW unsigned hak_transfer_cool(struct transfer *transfer, struct heap *const *heaps, unsigned most) {
    struct block *block[AT_ONCE];
    unsigned sent = 0, got;
    for (; sent < most && (got = take_oldest(transfer, false, block)) != 0; sent += got)
        send_blocks_home(heaps, block, got);
    if (sent < most && load_relaxed(&transfer->count) != 0 && transfer_begin(transfer)) {
        transfer->least = transfer->count;
        transfer_end(transfer);
    }
    return sent;
}

void hak_transfer_empty(struct transfer *transfer, struct heap *const *heaps) {
    struct block *block[AT_ONCE];
    for (unsigned got; (got = take_oldest(transfer, true, block)) != 0;)
        send_blocks_home(heaps, block, got);
}

void hak_transfer_forked(struct transfer *transfer, uint32_t forked) {
    uint32_t owner = load_relaxed(&transfer->busy);
    if (owner != 0)
        store_relaxed(&transfer->busy, owner == forked ? hak_lock_self() : 0u);
}
