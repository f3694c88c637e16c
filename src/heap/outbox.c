/* heap/outbox.c
 * Purpose.     See outbox.h.
 */
#include "heap/outbox.h"

#include "heap/slab.h"
#include "heap/transfer.h"

/* They are in the batch no more from the start, and none is added: a fork at any moment must not send them twice, nor a
 * signal handler that frees. Of a fork's child that begins with a batch without a heap they are lost. */
__attribute__((noinline)) unsigned hak_outbox_send(struct batch *batch, unsigned size_class, struct heap *const *heaps,
                                                   bool wanted) {
    struct heap *heap = heaps[batch->heap];
    batch->heap = 0;
    fork_fence();
    unsigned count = batch->count;
    batch->count = 0;
    fork_fence();
    if (count == 0 || unlikely(heap == NULL))
        return 0;
    unsigned put = wanted ? hak_transfer_put(heap, size_class, batch->block, count) : 0;
    COUNT_ADD(TRANSFERRED, put);
    if (put != count)
        hak_heap_return_remote(heap, batch->block + put, count - put);
    fork_fence();
    return count;
}

size_t hak_outbox_send_others(struct outbox *outbox, struct heap *const *heaps, bool wanted) {
    void **other = outbox->other;
    unsigned count = outbox->other_count, left = 0;
    size_t bytes = outbox->other_bytes;
    outbox->other_count = 0;
    outbox->other_bytes = 0;
    fork_fence();
    for (unsigned first = 0, end; first < count && wanted; first = end) {
        uint32_t entry = hak_slab_entry_of(other[first]);
        /* Small blocks go to the threads of their heap. */
        uint32_t compared = class_is_shared(entry_class(entry)) ? ENTRY_SLOT_MASK : UINT32_MAX;
        end = hak_heap_gather(other, first, count, entry, compared);
        /* What is no block any more has no entry: it is left, and reported. */
        unsigned put =
            entry == 0 ? 0
                       : hak_transfer_put(heaps[entry_heap_id(entry)], entry_class(entry), other + first, end - first);
        COUNT_ADD(TRANSFERRED, put);
        for (unsigned i = first + put; i < end; i++)
            other[left++] = other[i];
    }
    hak_heap_return_any(heaps, other, wanted ? left : count);
    fork_fence();
    return bytes;
}

size_t hak_outbox_send_batches(struct outbox *outbox, struct heap *const *heaps, bool wanted) {
    size_t bytes = 0;
    for (unsigned c = 1; c < HAK_HOME_CLASSES; c++)
        for (unsigned i = 0; i < HAK_OUTBOX_HEAPS; i++)
            bytes += hak_outbox_send(&outbox->batch[c - 1][i], c, heaps, wanted) * size_class_bytes(c);
    return bytes;
}
