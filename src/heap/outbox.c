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

/* What a signal handler that frees has put there meanwhile is lost: it may be among those that are on their way. */
FAST void forget_meanwhile(struct outbox *outbox) {
    if (likely(outbox->count == 0))
        return;
    outbox->count = 0;
    outbox->bytes = 0;
    memset(outbox->last, 0, sizeof outbox->last);
}

/* How many there were. What is on its way is in the outbox no more: a fork at any moment must not send it twice. */
static uint32_t unload(struct outbox *outbox) {
    uint32_t count = outbox->count;
    outbox->count = 0;
    outbox->bytes = 0;
    fork_fence();
    return count;
}

enum { IS_LEFT = UINT16_MAX }; /* as before[]: of a block that has found no room */
_Static_assert(HAK_OUTBOX_BLOCKS < IS_LEFT, "an index plus 1 is none of these");

/* Where blocks are passed on to, and what has come of it. */
struct passing {
    struct heap *const *heaps;
    bool *refused;
    uint32_t left;   /* blocks that are marked as such */
    const void *bad; /* a block that was there twice, or NULL */
};

/* What of their entries makes two blocks go to the same transfer cache: the class, and the heap if they are not
 * everybody's. */
FAST uint32_t entry_compared(unsigned size_class) {
    return class_is_shared(size_class) ? ENTRY_SLOT_MASK : UINT32_MAX;
}

FAST bool entries_are_alike(uint32_t a, uint32_t b, uint32_t compared) {
    return likely(a == b) || ((a ^ b) & compared) == 0;
}

/* Puts the blocks at the end that are as the last one, which are all where one thread frees what another makes. Says
 * how many there are before these. What finds no room is counted, and marked if it does not stand at the front. The
 * same block twice in a row is put once. */
__attribute__((noinline)) static uint32_t put_run(struct outbox *outbox, uint32_t count, struct passing *passing) {
    const uint32_t entry = outbox->entry[count - 1];
    const unsigned c = entry_class(entry);
    const uint32_t compared = entry_compared(c);
    struct transfer *transfer = transfer_of(passing->heaps[entry_heap_id(entry)], c);
    struct block **end, **const begin = hak_transfer_begin_put(transfer, c, &end, &passing->refused[c]);
    struct block **to = begin, *put = NULL;
    uint32_t most = begin == NULL ? 0 : (uint32_t)(end - begin), least = count > most ? count - most : 0, first = count;
    for (; first > least && entries_are_alike(outbox->entry[first - 1], entry, compared); first--) {
        struct block *block = outbox->block[first - 1];
        if (unlikely(block == put))
            passing->bad = block;
        else
            *to++ = put = block;
    }
    if (likely(begin != NULL))
        hak_transfer_end_put(transfer, (unsigned)(to - begin));
    uint32_t left = first;
    while (first > 0 && entries_are_alike(outbox->entry[first - 1], entry, compared))
        first--;
    outbox->last[c] = outbox->before[first];
    for (uint32_t i = first; i < left && first != 0; i++)
        outbox->before[i] = IS_LEFT;
    passing->left = left - first;
    return first;
}

/* Puts the blocks of a list that are as the last one: of its class, and of its heap if they are not everybody's. What
 * finds no room is marked and counted, and the list of the others is returned. The same block twice in a row is put
 * once. A signal handler that frees meanwhile may make a list go wrong: it ends where indices do not go down. */
static uint32_t put_list(struct outbox *outbox, uint32_t last, struct passing *passing) {
    const uint32_t entry = outbox->entry[last - 1];
    const unsigned c = entry_class(entry);
    const uint32_t compared = entry_compared(c);
    struct transfer *transfer = transfer_of(passing->heaps[entry_heap_id(entry)], c);
    struct block **end, **const begin = hak_transfer_begin_put(transfer, c, &end, &passing->refused[c]);
    struct block **to = begin, *put = NULL;
    uint32_t others = 0, other = 0, i, next = last - 1;
    do {
        i = next;
        next = outbox->before[i] - 1u;
        struct block *block = outbox->block[i];
        if (unlikely(((outbox->entry[i] ^ entry) & compared) != 0)) {
            outbox->before[i] = 0;
            if (others == 0)
                others = i + 1;
            else
                outbox->before[other] = (uint16_t)(i + 1);
            other = i;
        } else if (unlikely(block == put)) {
            passing->bad = block;
        } else if (likely(to != end)) {
            *to++ = put = block;
        } else {
            outbox->before[i] = IS_LEFT;
            passing->left++;
        }
    } while (next < i);
    if (likely(begin != NULL))
        hak_transfer_end_put(transfer, (unsigned)(to - begin));
    return others;
}

/* Moves those that are left to the front. */
static void keep_left(struct outbox *outbox, uint32_t count) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (outbox->before[i] == IS_LEFT) {
            outbox->block[left] = outbox->block[i];
            outbox->entry[left++] = outbox->entry[i];
        }
    }
}

/* A list that begins with a block of another class has gone wrong: what is left of it is lost. */
static void put_lists(struct outbox *outbox, struct passing *passing) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        uint32_t list = outbox->last[c];
        outbox->last[c] = 0;
        while (list != 0 && likely(entry_class(outbox->entry[list - 1]) == c))
            list = put_list(outbox, list, passing);
    }
}

void hak_outbox_pass_on(struct outbox *outbox, struct heap *const *heaps, bool *refused) {
    struct passing passing = {.heaps = heaps, .refused = refused};
    uint32_t count = unload(outbox);
    if (count != 0 && put_run(outbox, count, &passing) != 0) {
        put_lists(outbox, &passing);
        keep_left(outbox, passing.left == 0 ? 0 : count);
    }
    forget_meanwhile(outbox);
    if (passing.left != 0) {
        fork_fence();
        outbox->count = passing.left;
        hak_outbox_flush(outbox, heaps);
    }
    if (unlikely(passing.bad != NULL))
        hak_heap_on_bad_block(passing.bad);
}

void hak_outbox_flush(struct outbox *outbox, struct heap *const *heaps) {
    uint32_t count = unload(outbox);
    memset(outbox->last, 0, sizeof outbox->last);
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
    forget_meanwhile(outbox);
}

/* They count as there no more from the start: a fork at any moment must not send them twice, nor a signal handler that
 * frees. */
void hak_outbox_go_home(struct outbox *outbox, struct heap *heap, struct heap *const *heaps) {
    uint32_t count = outbox->home_count;
    struct block *others = NULL;
    if (count == 0 || count == HAK_HOME_BUSY)
        return;
    outbox->home_count = HAK_HOME_BUSY;
    fork_fence();
    hak_heap_return_array(heap, outbox->home, count, &others);
    fork_fence();
    outbox->home_count = 0;
    outbox_add_chain(outbox, others, count, heaps);
}

bool hak_outbox_home_is_scattered(const struct outbox *outbox) {
    uint64_t granules = 0;
    for (unsigned i = 0; i < OUTBOX_SAMPLE; i++)
        granules |= outbox_granule_bit(outbox->home[i]);
    return outbox_is_scattered(granules);
}
