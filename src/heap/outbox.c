/* heap/outbox.c
 * Purpose.     See outbox.h.
 */
#include "heap/outbox.h"

#include "heap/slab.h"
#include "heap/transfer.h"

/* They are in the outbox no more from the start: a fork at any moment must not send them twice. Who adopts what it has
 * left sends all away. */
size_t hak_outbox_send(struct outbox *outbox, struct heap *const *heaps, bool wanted) {
    void **block = outbox->block;
    unsigned count = outbox->count, left = 0;
    size_t bytes = outbox->bytes;
    outbox->bytes = 0;
    fork_fence();
    outbox->count = 0;
    fork_fence();
    for (unsigned first = 0, end; first < count && wanted; first = end) {
        uint32_t entry = hak_slab_entry_of(block[first]);
        end = hak_heap_gather(block, first, count, entry, HAK_SLOT_MASK);
        /* What is no block any more has no entry: it is left, and reported. */
        unsigned put = entry == 0 ? 0 : hak_transfer_put(entry_class(entry), block + first, end - first);
        COUNT_ADD(TRANSFERRED, put);
        for (unsigned i = first + put; i < end; i++)
            block[left++] = block[i];
    }
    hak_heap_return_any(heaps, block, wanted ? left : count);
    fork_fence();
    return bytes;
}
