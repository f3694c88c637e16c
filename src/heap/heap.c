/* heap/heap.c
 * Purpose.     See heap.h.
 */
#include "heap/heap.h"

#include "base/options.h"
#include "heap/slab.h"
#include "segment/meta.h"

struct heap *hak_heap_new(uint32_t id) {
    struct heap *heap = hak_meta_alloc(sizeof *heap);
    if (heap == NULL)
        return NULL;
    heap->lock.rank = LOCK_RANK_HEAP;
    heap->id = id;
    for (unsigned i = 0; i < HAK_CLASS_COUNT; i++)
        list_init(&heap->with_room[i]);
    return heap;
}

/* The lock is held in all of the following. */

static void put_block(struct heap *heap, struct block *block) {
    struct slab *slab = hak_slab_of(block);
    hak_assert(slab->kind == RUN_SLAB && slab->entry >> ENTRY_HEAP_SHIFT == heap->id);
    if (!slab_has_room(slab))
        list_push_front(&heap->with_room[slab_class(slab)], &slab->link);
    hak_slab_put(slab, block);
    if (slab->used == 0) {
        list_remove(&slab->link);
        hak_superslab_give(slab, hak_slab_touched(slab));
    }
}

static void put_chain(struct heap *heap, struct block *chain) {
    while (chain != NULL) {
        struct block *next = chain->next;
        put_block(heap, chain);
        chain = next;
    }
}

static void drain_pending(struct heap *heap) {
    if (load_relaxed(&heap->pending) != NULL)
        put_chain(heap, exchange_acquire(&heap->pending, NULL));
}

/* Whoever lets go of the lock looks once more for what was pushed while it was held. */
static void unlock(struct heap *heap) {
    lock_release(&heap->lock);
    while (load_seq_cst(&heap->pending) != NULL && lock_try(&heap->lock)) {
        drain_pending(heap);
        lock_release(&heap->lock);
    }
}

static struct slab *slab_with_room(struct heap *heap, unsigned size_class) {
    struct link *list = &heap->with_room[size_class];
    if (!list_is_empty(list))
        return container_of(list->next, struct slab, link);
    bool zero;
    enum pool pool = size_class <= HAK_TINY_CLASSES && !hak_options.tiny_use_superslab ? POOL_LARGE : POOL_SLABS;
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
    unlock(heap);
    return got;
}

void hak_heap_return(struct heap *heap, struct block *chain) {
    lock_acquire(&heap->lock);
    put_chain(heap, chain);
    drain_pending(heap);
    unlock(heap);
}

void hak_heap_return_remote(struct heap *heap, struct block *chain, struct block *last) {
    if (lock_try(&heap->lock)) {
        put_chain(heap, chain);
        unlock(heap);
        return;
    }
    struct block *top = load_relaxed(&heap->pending);
    do
        last->next = top;
    while (!cas_seq_cst(&heap->pending, &top, chain));
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
