/* heap/outbox.c
 * Purpose.     See outbox.h.
 */
#include "heap/outbox.h"

void hak_outbox_flush(struct outbox *outbox, struct heap *const *heaps) {
    for (uint32_t i = 0; i < outbox->count; i++) {
        struct block *last = outbox->block[i];
        if (last == NULL)
            continue;
        /* What is on its way is in the outbox no more: a fork at any moment must not send it twice. */
        outbox->block[i] = NULL;
        uint16_t heap_id = outbox->heap_id[i];
        struct block *chain = last;
        last->next = NULL;
        for (uint32_t j = i + 1; j < outbox->count; j++) {
            struct block *block = outbox->block[j];
            if (outbox->heap_id[j] != heap_id || block == NULL)
                continue;
            outbox->block[j] = NULL;
            block->next = chain;
            chain = block;
        }
        hak_heap_return_remote(heaps[heap_id], chain, last);
    }
    outbox->count = 0;
    outbox->bytes = 0;
}
