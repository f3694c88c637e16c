/* heap/outbox.c
 * Purpose.     See outbox.h.
 */
#include "heap/outbox.h"

static void exchange(struct outbox *outbox, uint32_t i, uint32_t j) {
    struct block *block = outbox->block[i];
    uint16_t heap_id = outbox->heap_id[i];
    outbox->block[i] = outbox->block[j];
    outbox->heap_id[i] = outbox->heap_id[j];
    outbox->block[j] = block;
    outbox->heap_id[j] = heap_id;
}

void hak_outbox_flush(struct outbox *outbox, struct heap *const *heaps) {
    uint32_t count = outbox->count;
    outbox->count = 0;
    outbox->bytes = 0;
    /* What is on its way is in the outbox no more: a fork at any moment must not send it twice. */
    fork_fence();
    for (uint32_t first = 0, end; first < count; first = end) {
        uint16_t heap_id = outbox->heap_id[first];
        end = first + 1;
        while (end < count && outbox->heap_id[end] == heap_id)
            end++;
        for (uint32_t i = end + 1; i < count; i++)
            if (outbox->heap_id[i] == heap_id)
                exchange(outbox, i, end++);
        hak_heap_return_remote(heaps[heap_id], &outbox->block[first], end - first);
    }
}
