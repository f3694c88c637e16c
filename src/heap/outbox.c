/* heap/outbox.c
 * Purpose.     See outbox.h.
 */
#include "heap/outbox.h"

#include <string.h>

#include "heap/transfer.h"

static void exchange(struct outbox *outbox, uint32_t i, uint32_t j) {
    struct block *block = outbox->block[i];
    uint32_t entry = outbox->entry[i];
    outbox->block[i] = outbox->block[j];
    outbox->entry[i] = outbox->entry[j];
    outbox->block[j] = block;
    outbox->entry[j] = entry;
}

/* How many there were. What is on its way is in the outbox no more: a fork at any moment must not send it twice. */
static uint32_t unload(struct outbox *outbox) {
    uint32_t count = outbox->count;
    outbox->count = 0;
    outbox->bytes = 0;
    fork_fence();
    return count;
}

/* Lists by class, in the order of the blocks. */
static void sort_by_class(struct outbox *outbox, uint32_t count) {
    memset(outbox->first, 0xff, sizeof outbox->first);
    for (uint32_t i = count; i-- > 0;) {
        uint16_t *first = &outbox->first[entry_slot(outbox->entry[i]) / sizeof(struct hak_slot)];
        outbox->next[i] = *first;
        *first = (uint16_t)i;
    }
}

/* Divides a list: blocks of the heap that the first one is of, and the others, where which begin is returned. */
static uint16_t divide(struct outbox *outbox, uint16_t i) {
    uint32_t heap = entry_heap(outbox->entry[i]);
    uint16_t others = HAK_NO_INDEX, *last_other = &others, *last = &outbox->next[i];
    for (i = outbox->next[i]; i != HAK_NO_INDEX; i = outbox->next[i]) {
        uint16_t **end = entry_heap(outbox->entry[i]) == heap ? &last : &last_other;
        **end = i;
        *end = &outbox->next[i];
    }
    *last = *last_other = HAK_NO_INDEX;
    return others;
}

static void pass_on_class(struct outbox *outbox, unsigned c, struct heap *const *heaps, bool *refused) {
    for (uint16_t i = outbox->first[c], others; i != HAK_NO_INDEX; i = others) {
        struct transfer *transfer = transfer_of(heaps[entry_heap_id(outbox->entry[i])], c);
        others = class_is_shared(c) ? (uint16_t)HAK_NO_INDEX : divide(outbox, i);
        if (!hak_transfer_put_list(transfer, c, outbox->next, i, outbox->block, outbox->entry))
            refused[c] = true;
    }
}

void hak_outbox_pass_on(struct outbox *outbox, struct heap *const *heaps, bool *refused) {
    uint32_t count = unload(outbox), left = 0;
    sort_by_class(outbox, count);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        if (outbox->first[c] != HAK_NO_INDEX)
            pass_on_class(outbox, c, heaps, refused);
    for (uint32_t i = 0; i < count; i++) {
        if (outbox->entry[i] != 0) {
            outbox->block[left] = outbox->block[i];
            outbox->entry[left++] = outbox->entry[i];
        }
    }
    outbox->count = left;
    hak_outbox_flush(outbox, heaps);
}

void hak_outbox_flush(struct outbox *outbox, struct heap *const *heaps) {
    uint32_t count = unload(outbox);
    for (uint32_t first = 0, end; first < count; first = end) {
        uint32_t heap = entry_heap(outbox->entry[first]);
        end = first + 1;
        while (end < count && entry_heap(outbox->entry[end]) == heap)
            end++;
        for (uint32_t i = end + 1; i < count; i++)
            if (entry_heap(outbox->entry[i]) == heap)
                exchange(outbox, i, end++);
        hak_heap_return_remote(heaps[entry_heap_id(heap)], &outbox->block[first], end - first);
    }
}
