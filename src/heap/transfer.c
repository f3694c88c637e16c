/* heap/transfer.c
 * Purpose.     See transfer.h.
 */
#include "heap/transfer.h"

#include <string.h>

#include "base/bits.h"
#include "base/options.h"
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
FAST bool has_room(const struct transfer *transfer) {
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

unsigned hak_transfer_take(unsigned size_class, unsigned want, void **blocks, bool *by_another) {
    struct transfer *transfer = &hak_transfers[size_class];
    *by_another = false;
    if (load_relaxed(&transfer->count) == 0 || !transfer_begin(transfer))
        return 0;
    unsigned got = transfer->count < want ? transfer->count : want;
    set_count(transfer, transfer->count - got);
    if (transfer->least > transfer->count)
        transfer->least = transfer->count;
    memcpy(blocks, &transfer->block[transfer->count], got * sizeof *blocks);
    *by_another = got != 0 && load_relaxed(&transfer->giver) != hak_lock_self();
    COUNT_ADD(TAKEN_OVER, *by_another ? got : 0);
    transfer_end(transfer);
    return got;
}

FAST bool any_twice(void *const *blocks, unsigned count) {
    for (unsigned i = 1; i < count; i++)
        if (unlikely(blocks[i] == blocks[i - 1]))
            return true;
    return false;
}

/* Copies all but those that are as the one before; the last of these. */
SLOW static const void *copy_once(void **to, uint32_t *at, void *const *blocks, unsigned count) {
    const void *bad = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (i != 0 && blocks[i] == blocks[i - 1])
            bad = blocks[i];
        else
            to[(*at)++] = blocks[i];
    }
    return bad;
}

unsigned hak_transfer_put(unsigned size_class, void *const *blocks, unsigned count) {
    struct transfer *transfer = &hak_transfers[size_class];
    if (!has_room(transfer) || !begin_to_put(transfer, size_class))
        return 0;
    uint32_t at = transfer->count, room = transfer->room - at, put = count < room ? count : room;
    const void *bad = NULL;
    if (likely(!any_twice(blocks, put))) {
        memcpy(&transfer->block[at], blocks, put * sizeof *blocks);
        at += put;
    } else {
        bad = copy_once(transfer->block, &at, blocks, put);
    }
    if (likely(put != 0))
        store_relaxed(&transfer->giver, hak_lock_self());
    grown_to(transfer, at);
    transfer_end(transfer);
    if (unlikely(bad != NULL))
        hak_heap_on_bad_block(bad);
    return put;
}

/* ---- the way home ---- */

enum { AT_ONCE = 10 };

/* Takes the blocks that came first, up to AT_ONCE: of all, or as many as were not wanted. */
SLOW static unsigned take_oldest(struct transfer *transfer, bool all, void **block) {
    if (load_relaxed(&transfer->count) == 0 || !transfer_begin(transfer))
        return 0;
    /* What a fork has left of it may be more than count. */
    uint32_t count = transfer->count, got = all || transfer->least > count ? count : transfer->least;
    got = got < AT_ONCE ? got : AT_ONCE;
    if (got != 0) {
        memcpy(block, transfer->block, got * sizeof(void *));
        /* None is here while the others move: a fork must not find one twice. */
        set_count(transfer, 0);
        memmove(transfer->block, transfer->block + got, (count - got) * sizeof(void *));
        set_count(transfer, count - got);
        transfer->least = (uint32_t)least(count - got, transfer->least - least(transfer->least, got));
    }
    transfer_end(transfer);
    return got;
}

/* Sends up to AT_ONCE of them home; how many. */
SLOW static unsigned send_oldest(struct transfer *transfer, bool all, struct heap *const *heaps) {
    void *block[AT_ONCE];
    unsigned got = take_oldest(transfer, all, block);
    COUNT_ADD(DRAINED, got);
    hak_heap_return_any(heaps, block, got);
    return got;
}

SLOW unsigned hak_transfer_cool(struct transfer *transfer, struct heap *const *heaps, unsigned most) {
    unsigned sent = 0, got;
    do
        sent += got = send_oldest(transfer, false, heaps);
    while (sent < most && got != 0);
    if (sent < most && load_relaxed(&transfer->count) != 0 && transfer_begin(transfer)) {
        transfer->least = transfer->count;
        transfer_end(transfer);
    }
    return sent;
}

void hak_transfer_empty(struct transfer *transfer, struct heap *const *heaps) {
    while (send_oldest(transfer, true, heaps) != 0) {
    }
}

void hak_transfer_forked(struct transfer *transfer, uint32_t forked) {
    uint32_t owner = load_relaxed(&transfer->busy);
    if (owner != 0)
        store_relaxed(&transfer->busy, owner == forked ? hak_lock_self() : 0u);
    if (load_relaxed(&transfer->giver) == forked)
        store_relaxed(&transfer->giver, hak_lock_self());
}
