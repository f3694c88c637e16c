/* heap/outbox.c
 * Purpose.     See outbox.h.
 */
#include "heap/outbox.h"

static void exchange(struct outbox *outbox, uint32_t i, uint32_t j) {
    struct block *block = outbox->block[i];
    uint32_t heap = outbox->heap[i];
    outbox->block[i] = outbox->block[j];
    outbox->heap[i] = outbox->heap[j];
    outbox->block[j] = block;
    outbox->heap[j] = heap;
}

void hak_outbox_flush(struct outbox *outbox, struct heap *const *heaps) {
    uint32_t count = outbox->count;
    outbox->count = 0;
    outbox->bytes = 0;
    /* What is on its way is in the outbox no more: a fork at any moment must not send it twice. */
    fork_fence();
    for (uint32_t first = 0, end; first < count; first = end) {
        uint32_t heap = outbox->heap[first];
        end = first + 1;
        while (end < count && outbox->heap[end] == heap)
            end++;
        for (uint32_t i = end + 1; i < count; i++)
            if (outbox->heap[i] == heap)
                exchange(outbox, i, end++);
        hak_heap_return_remote(heaps[entry_heap_id(heap)], &outbox->block[first], end - first);
    }
}
