/* heap/slab.c
 * Purpose.     See slab.h.
 */
#include "heap/slab.h"

#include "heap/heap.h"

static unsigned words_of(const struct slab *slab) {
    return (slab->capacity + 63u) / 64;
}

bool hak_slab_is_valid(const struct slab *slab) {
    unsigned count = 0, below = 0;
    for (unsigned i = 0; i < words_of(slab); i++) {
        unsigned first = i * 64, bits = (unsigned)__builtin_popcountll(slab->free_blocks[i]);
        count += bits;
        below += i < slab->lowest_word ? bits : 0;
        unsigned unreached = first + 64 <= slab->reached ? 0 : slab->reached <= first ? 64 : first + 64 - slab->reached;
        unsigned unused = first + 64 <= slab->capacity ? 0 : first + 64 - slab->capacity;
        uint64_t fresh = unreached > unused ? bits_range(64 - unreached, unreached - unused) : 0;
        if ((slab->free_blocks[i] & fresh) != fresh)
            return false;
    }
    return count == slab->free_count && count <= slab->capacity && below == 0;
}

void hak_slab_init(struct slab *slab) {
    const struct size_class *size_class = &hak_size_class[slab_class(slab)];
    slab->capacity = size_class->capacity;
    slab->free_count = slab->capacity;
    slab->reached = 0;
    slab->lowest_word = 0;
    slab->free_blocks = slab->capacity <= 64 ? &slab->own_bits : hak_superslab_bits(slab, slab->capacity);
    for (unsigned i = 0; i < words_of(slab); i++)
        slab->free_blocks[i] = ~(uint64_t)0;
    if (slab->capacity % 64 != 0)
        slab->free_blocks[slab->capacity / 64] = bits_range(0, slab->capacity % 64);
    list_init(&slab->link);
}

unsigned hak_slab_take(struct slab *slab, unsigned want, void **end) {
    hak_assert_slow(hak_slab_is_valid(slab) && slab_has_room(slab) && want > 0);
    unsigned most = want < slab->free_count ? want : slab->free_count, left = most, word = slab->lowest_word, last = 0;
    size_t size = size_class_bytes(slab_class(slab));
    for (;; word++) {
        uint64_t bits = slab->free_blocks[word];
        uintptr_t first = slab->base + word * 64 * size;
        if (bits == ~(uint64_t)0 && left >= 64) {
            for (unsigned i = 0; i < 64; i++)
                end[-1 - (int)i] = (void *)(first + i * size);
            end -= 64;
            left -= 64;
            bits = 0;
            last = word * 64 + 63;
        }
        for (; bits != 0 && left != 0; bits &= bits - 1, left--) {
            unsigned bit = bits_lowest(bits);
            last = word * 64 + bit;
            *--end = (void *)(first + bit * size);
        }
        slab->free_blocks[word] = bits;
        if (left == 0)
            break;
    }
    slab->lowest_word = (uint8_t)word;
    slab->free_count -= (uint16_t)most;
    slab->reached = (uint16_t)(last + 1 > slab->reached ? last + 1 : slab->reached);
    hak_assert_slow(hak_slab_is_valid(slab));
    return most;
}

unsigned hak_slab_touched(const struct slab *slab) {
    size_t bytes = slab->reached * size_class_bytes(slab_class(slab));
    return (unsigned)((bytes + HAK_GRANULE_SIZE - 1) >> HAK_GRANULE_SHIFT);
}
