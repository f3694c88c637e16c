/* heap/heap.c
 * Purpose.     See heap.h.
 */
#include "heap/heap.h"

#include <string.h>

#include "base/options.h"
#include "heap/slab.h"
#include "segment/meta.h"
#include "segment/purge.h"

void (*hak_heap_on_bad_block)(const void *p);

struct heap *hak_heap_new(uint32_t id) {
    struct heap *heap = hak_meta_alloc(sizeof *heap);
    if (heap == NULL)
        return NULL;
    heap->lock.rank = LOCK_RANK_HEAP;
    heap->id = id;
    for (unsigned i = 0; i < HAK_CLASS_COUNT; i++)
        list_init(&heap->with_room[i]);
    hak_arena_add_heap();
    return heap;
}

/* The lock is held in all of the following. */

/* What the block before was like: those that come back together mostly are of one class and in one superslab, of whose
 * slabs each has its turn. Nothing that was given back may be remembered here. */
struct place {
    uintptr_t unit;     /* number of the superslab; 0: none */
    struct slab *slabs; /* its descriptors */
    struct slab_shape shape;
    uint32_t entry; /* without a class: none */
};

FAST struct place nowhere(const struct heap *heap) {
    return (struct place){.entry = entry_make(heap->id, 0)};
}

/* The slab has a first free block, or no other: it is on its heap's list iff it has room, and given back when it is
 * empty. True if it was. */
FAST bool move_slab(struct heap *heap, struct slab *slab) {
    if (slab->free_count == 1) {
        list_push_front(&heap->with_room[slab_class(slab)], &slab->link);
        return false;
    }
    list_remove(&slab->link);
    hak_superslab_give(slab, hak_slab_touched(slab));
    return true;
}

/* Takes a block back into its slab. What was freed already, or is no block, is left alone, and noted. False, with
 * nothing done, if the block is none of this heap's. */
FAST bool put(struct heap *heap, struct place *place, const void *block) {
    uint32_t entry = hak_slab_entry_of(block);
    if (unlikely(entry != place->entry)) {
        if (entry_heap_id(entry) != heap->id)
            return false;
        place->entry = entry;
        place->shape = slab_shape_of(entry_class(entry));
    }
    uintptr_t unit = (uintptr_t)block >> HAK_SUPERSLAB_SHIFT;
    if (unlikely(unit != place->unit)) {
        place->unit = unit;
        place->slabs = hak_slabs_of(block);
    }
    assume(place->slabs != NULL); /* no block lies in unit 0 */
    struct slab *slab = hak_slab_in(place->slabs, block);
    if (unlikely(!slab_put(slab, &place->shape, block)))
        heap->bad_block = block;
    else if (unlikely(slab->free_count - 2u >= place->shape.capacity - 2u) && move_slab(heap, slab))
        *place = nowhere(heap);
    return true;
}

/* Not inlined: what it keeps on the stack does not add to the longest way down. */
__attribute__((noinline)) static void put_all(struct heap *heap, void *const *blocks, unsigned count) {
    struct place place = nowhere(heap);
    for (unsigned i = 0; i < count; i++)
        if (unlikely(!put(heap, &place, blocks[i])))
            heap->bad_block = blocks[i];
}

static void drain_pending(struct heap *heap) {
    if (load_relaxed(&heap->pending) == NULL)
        return;
    COUNT(ATOMIC_OTHER);
    COUNT_REFILL_STAGE(PENDING);
    struct place place = nowhere(heap);
    struct block *chain = exchange_acquire(&heap->pending, NULL);
    /* A block that was freed twice makes a ring of the chain: nothing behind a bad block is believed. */
    while (chain != NULL && heap->bad_block == NULL) {
        struct block *block = chain;
        __builtin_prefetch(block->ahead);
        chain = block->next;
        if (unlikely(!put(heap, &place, block)))
            heap->bad_block = block;
    }
}

static void release(struct heap *heap) {
    const void *bad = heap->bad_block;
    heap->bad_block = NULL;
    lock_release(&heap->lock);
    if (unlikely(bad != NULL))
        hak_heap_on_bad_block(bad);
}

/* Looks once more for what was pushed while the lock was held. */
static void unlock(struct heap *heap) {
    release(heap);
    while (load_seq_cst(&heap->pending) != NULL && lock_try(&heap->lock)) {
        drain_pending(heap);
        release(heap);
    }
}

static struct slab *slab_with_room(struct heap *heap, unsigned size_class) {
    struct link *list = &heap->with_room[size_class];
    if (!list_is_empty(list))
        return container_of(list->next, struct slab, link);
    bool zero;
    enum pool pool = size_class > HAK_TINY_CLASSES ? POOL_MID : hak_options.tiny_use_superslab ? POOL_TINY : POOL_LARGE;
    struct slab *slab = hak_superslab_take(pool, hak_size_class[size_class].granules, RUN_SLAB,
                                           entry_make(heap->id, size_class * (uint32_t)sizeof(struct hak_slot)), &zero);
    if (slab == NULL)
        return NULL;
    hak_slab_init(slab);
    list_push_front(list, &slab->link);
    return slab;
}

unsigned hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, void **blocks) {
    unsigned got = 0;
    COUNT_REFILL_BEGIN();
    lock_acquire(&heap->lock);
    drain_pending(heap);
    /* Several nearly full slabs may have to add up, but half of what was wanted is worth no further slab. */
    do {
        struct slab *slab = slab_with_room(heap, size_class);
        if (slab == NULL)
            break;
        got += hak_slab_take(slab, want - got, blocks + want - got);
        if (!slab_has_room(slab))
            list_remove(&slab->link);
    } while (got < want / 2);
    unlock(heap);
    COUNT_REFILL_END(got);
    hak_purge_excess();
    if (unlikely(got != want))
        memmove(blocks, blocks + want - got, got * sizeof *blocks);
    return got;
}

unsigned hak_heap_return_array(struct heap *heap, void **blocks, unsigned count) {
    struct place place = nowhere(heap);
    unsigned others = 0;
    lock_acquire(&heap->lock);
    for (unsigned i = 0; i < count; i++) {
        void *block = blocks[i];
        if (likely(put(heap, &place, block)))
            continue;
        if (hak_slab_entry_of(block) != 0)
            blocks[others++] = block;
        else
            heap->bad_block = block;
    }
    drain_pending(heap);
    unlock(heap);
    return others;
}

enum { AHEAD = 8 };

FAST bool push(struct heap *heap, struct block **top, struct block *first) {
    COUNT(ATOMIC_OTHER);
    return cas_seq_cst(&heap->pending, top, first);
}

static void leave(struct heap *heap, void *const *blocks, unsigned count) {
    struct block *top = load_relaxed(&heap->pending), *last = blocks[count - 1];
    for (unsigned i = 1; i < count; i++) {
        struct block *block = blocks[i - 1];
        block->next = blocks[i];
        block->ahead = blocks[i + AHEAD < count ? i + AHEAD : count - 1];
    }
    last->ahead = NULL;
    do
        last->next = top;
    while (!push(heap, &top, blocks[0]));
    COUNT_ADD(PENDING, count);
}

void hak_heap_return_remote(struct heap *heap, void *const *blocks, unsigned count) {
    if (lock_try(&heap->lock)) {
        put_all(heap, blocks, count);
        COUNT_ADD(SS_REMOTE, count);
        unlock(heap);
        return;
    }
    leave(heap, blocks, count);
    /* The holder may have looked just before. */
    if (lock_try(&heap->lock)) {
        drain_pending(heap);
        unlock(heap);
    }
}

unsigned hak_heap_gather(void **blocks, unsigned first, unsigned count, uint32_t entry, uint32_t compared) {
    unsigned end = first + 1;
    for (unsigned i = end; i < count; i++) {
        void *block = blocks[i];
        if (((hak_slab_entry_of(block) ^ entry) & compared) == 0) {
            blocks[i] = blocks[end];
            blocks[end++] = block;
        }
    }
    return end;
}

void hak_heap_return_any(struct heap *const *heaps, void **blocks, unsigned count) {
    for (unsigned first = 0, end; first < count; first = end) {
        uint32_t entry = hak_slab_entry_of(blocks[first]);
        end = likely(entry != 0) ? hak_heap_gather(blocks, first, count, entry, ENTRY_HEAP_MASK) : first + 1;
        if (likely(entry != 0))
            hak_heap_return_remote(heaps[entry_heap_id(entry)], blocks + first, end - first);
        else
            hak_heap_on_bad_block(blocks[first]);
    }
}

void hak_heap_leave(struct heap *const *heaps, void *block) {
    uint32_t entry = hak_slab_entry_of(block);
    if (likely(entry != 0))
        leave(heaps[entry_heap_id(entry)], &block, 1);
    else
        hak_heap_on_bad_block(block);
}

void hak_heap_collect(struct heap *heap) {
    lock_acquire(&heap->lock);
    drain_pending(heap);
    unlock(heap);
}
