/* heap/slab.c
 * Purpose.     See slab.h.
 */
#include "heap/slab.h"

#include "heap/heap.h"

bool hak_slab_is_valid(const struct slab *slab) {
    return slab->used + slab->free_count == slab->carved && slab->carved <= slab->capacity &&
           (slab->free_list == NULL) == (slab->free_count == 0);
}

void hak_slab_init(struct slab *slab) {
    slab->free_list = NULL;
    slab->free_count = 0;
    slab->used = 0;
    slab->carved = 0;
    slab->capacity = hak_size_class[slab_class(slab)].capacity;
    list_init(&slab->link);
}

/* A list that fits is taken whole, and only walked if it has to be joined to another. */
static unsigned take_free(struct slab *slab, unsigned want, struct block **chain) {
    struct block *first = slab->free_list;
    unsigned count = slab->free_count;
    if (count > want || *chain != NULL) {
        struct block *last = first;
        if (count > want)
            count = want;
        for (unsigned i = 1; i < count; i++)
            last = last->next;
        slab->free_list = last->next;
        last->next = *chain;
    } else {
        slab->free_list = NULL;
    }
    *chain = first;
    slab->free_count -= (uint16_t)count;
    return count;
}

static unsigned carve(struct slab *slab, unsigned want, struct block **chain) {
    size_t size = size_class_bytes(slab_class(slab));
    unsigned left = slab->capacity - slab->carved;
    unsigned count = want < left ? want : left;
    char *at = (char *)slab->base + slab->carved * size;
    struct block *first = (struct block *)(void *)at;
    for (unsigned i = 1; i < count; i++, at += size)
        ((struct block *)(void *)at)->next = (struct block *)(void *)(at + size);
    ((struct block *)(void *)at)->next = *chain;
    *chain = first;
    slab->carved += (uint16_t)count;
    return count;
}

unsigned hak_slab_take(struct slab *slab, unsigned want, struct block **chain) {
    hak_assert_slow(hak_slab_is_valid(slab) && slab_has_room(slab) && want > 0);
    unsigned count = slab->free_count != 0 ? take_free(slab, want, chain) : carve(slab, want, chain);
    slab->used += (uint16_t)count;
    hak_assert_slow(hak_slab_is_valid(slab));
    return count;
}

void hak_slab_put(struct slab *slab, struct block *block) {
    hak_assert(slab->used > 0);
    hak_assert_slow(((uintptr_t)block - slab->base) % size_class_bytes(slab_class(slab)) == 0);
    block->next = slab->free_list;
    slab->free_list = block;
    slab->free_count++;
    slab->used--;
    hak_assert_slow(hak_slab_is_valid(slab));
}

unsigned hak_slab_touched(const struct slab *slab) {
    size_t bytes = slab->carved * size_class_bytes(slab_class(slab));
    return (unsigned)((bytes + HAK_GRANULE_SIZE - 1) >> HAK_GRANULE_SHIFT);
}
