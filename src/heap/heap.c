/* heap/heap.c
 * Purpose.     See heap.h.
 */
#include "heap/heap.h"

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

/* The first descriptor of the slab or run that a block lies in. `near`: a slab of the heap, whose superslab therefore
 * stays where it is, or NULL; blocks that come back together mostly lie in one superslab. */
FAST struct slab *slab_of(const void *block, struct slab *near) {
    if (near != NULL) {
        struct slab *slabs = near - near->first;
        if (likely((uintptr_t)block - slabs->base < HAK_SUPERSLAB_SIZE))
            return hak_slab_in(slabs, block);
    }
    return hak_slab_in(hak_slabs_of(block), block);
}

/* Takes one block back. `*near` is the slab of the block before, in which the next one mostly lies too. False, with
 * nothing done, if it is a block of another heap. */
FAST bool put_block(struct heap *heap, const void *block, struct slab **near) {
    struct slab *slab = *near;
    if (slab == NULL || (uintptr_t)block - slab->base >= slab->granules * HAK_GRANULE_SIZE) {
        *near = slab = slab_of(block, slab);
        if (unlikely(slab->entry >> ENTRY_HEAP_SHIFT != heap->id)) {
            *near = NULL;
            heap->bad_block = slab->entry == 0 ? block : heap->bad_block;
            return slab->entry == 0;
        }
    }
    bool listed = slab_has_room(slab);
    if (unlikely(!slab_put(slab, block))) {
        heap->bad_block = block;
        return true;
    }
    if (!listed)
        list_push_front(&heap->with_room[slab_class(slab)], &slab->link);
    if (slab_is_empty(slab)) {
        list_remove(&slab->link);
        hak_superslab_give(slab, hak_slab_touched(slab));
        *near = NULL;
    }
    return true;
}

/* Takes back the first blocks of a chain, `most` if it has so many, and says what is left of it. Those of other heaps
 * are put in front of *others. */
static struct block *put_chain(struct heap *heap, struct block *chain, unsigned most, struct block **others) {
    struct slab *near = NULL;
    for (; chain != NULL && most > 0; most--) {
        struct block *block = chain;
        chain = block->next;
        if (unlikely(!put_block(heap, block, &near))) {
            block->next = *others;
            *others = block;
        }
    }
    return chain;
}

static void put_all(struct heap *heap, struct block *const *blocks, unsigned count) {
    struct slab *near = NULL;
    for (unsigned i = 0; i < count; i++)
        if (!put_block(heap, blocks[i], &near))
            heap->bad_block = blocks[i];
}

static void drain_pending(struct heap *heap) {
    if (load_relaxed(&heap->pending) == NULL)
        return;
    COUNT(ATOMIC_OTHER);
    COUNT_REFILL_STAGE(PENDING);
    struct slab *near = NULL;
    struct block *chain = exchange_acquire(&heap->pending, NULL);
    /* A block that was freed twice makes a ring of the chain: nothing behind a bad block is believed. */
    while (chain != NULL && heap->bad_block == NULL) {
        struct block *block = chain;
        __builtin_prefetch(block->ahead);
        chain = block->next;
        if (!put_block(heap, block, &near))
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

/* Whoever lets go of the lock looks once more for what was pushed while it was held. */
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
                                           slab_entry(heap->id, size_class), &zero);
    if (slab == NULL)
        return NULL;
    hak_slab_init(slab);
    list_push_front(list, &slab->link);
    return slab;
}

unsigned hak_heap_take(struct heap *heap, unsigned size_class, unsigned want, struct block **chain) {
    unsigned got = 0;
    *chain = NULL;
    COUNT_REFILL_BEGIN();
    lock_acquire(&heap->lock);
    drain_pending(heap);
    /* Several nearly full slabs may have to add up, but half of what was wanted is worth no further slab. */
    do {
        struct slab *slab = slab_with_room(heap, size_class);
        if (slab == NULL)
            break;
        got += hak_slab_take(slab, want - got, chain);
        if (!slab_has_room(slab))
            list_remove(&slab->link);
    } while (got < want / 2);
    COUNT_REFILL_END(got);
    unlock(heap);
    hak_purge_excess();
    return got;
}

struct block *hak_heap_return(struct heap *heap, struct block *chain, unsigned count, struct block **others) {
    lock_acquire(&heap->lock);
    struct block *rest = put_chain(heap, chain, count, others);
    drain_pending(heap);
    unlock(heap);
    return rest;
}

enum { AHEAD = 8 };

FAST bool push(struct heap *heap, struct block **top, struct block *first) {
    COUNT(ATOMIC_OTHER);
    return cas_seq_cst(&heap->pending, top, first);
}

void hak_heap_return_remote(struct heap *heap, struct block *const *blocks, unsigned count) {
    if (lock_try(&heap->lock)) {
        put_all(heap, blocks, count);
        COUNT_ADD(SS_REMOTE, count);
        unlock(heap);
        return;
    }
    for (unsigned i = 1; i < count; i++) {
        blocks[i - 1]->next = blocks[i];
        blocks[i - 1]->ahead = blocks[i + AHEAD < count ? i + AHEAD : count - 1];
    }
    blocks[count - 1]->ahead = NULL;
    struct block *top = load_relaxed(&heap->pending);
    do
        blocks[count - 1]->next = top;
    while (!push(heap, &top, blocks[0]));
    COUNT_ADD(PENDING, count);
    /* The holder may have looked just before. */
    if (lock_try(&heap->lock)) {
        drain_pending(heap);
        unlock(heap);
    }
}

void hak_heap_collect(struct heap *heap) {
    lock_acquire(&heap->lock);
    drain_pending(heap);
    unlock(heap);
}
