/* segment/superslab.h
 * Purpose.     Granules: runs of 1..64 in a superslab, each with a descriptor. Slabs and Large blocks are such runs.
 * Design.      A superslab's free granules are one 64-bit word; superslabs with room are listed by their longest free
 *              run, so that taking and giving are O(1). Each tier has a pool of its own: a slab lives long and would
 *              cut the space of Large blocks to pieces, and only Tiny ones want huge pages. Dirty granules are handed
 *              out before clean ones.
 * Invariants.  slab: free_count == bits set in free_blocks; all of [reached, capacity) are set  [hak_slab_is_valid]
 *              superslab: longest == bits_longest_run(free), in the list of that length iff != 0
 * Concurrency. Functions take the arena lock. A run's descriptor belongs to whoever took it: `first` and `base` are
 *              const until the run is given back, and `kind` and `granules` for a slab; the rest is the user's own.
 */
#ifndef HAK_SEGMENT_SUPERSLAB_H
#define HAK_SEGMENT_SUPERSLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/list.h"
#include "segment/arena.h"

enum pool { POOL_TINY, POOL_MID, POOL_LARGE, POOL_COUNT };

enum run_kind {
    RUN_NONE, /* free, or not the first granule of a Large block */
    RUN_SLAB,
    RUN_SLAB_REST, /* later granules of a slab; `first` says where it starts */
    RUN_LARGE,
    RUN_SPARE, /* a Large block's that is being made, freed or resized, or was freed and is kept (heap/spare.h) */
};

/* Descriptor of the run that starts at one granule; one cache line, away from user data. */
struct slab {
    uint64_t *free_blocks; /* heap lock: a bit per block, set iff it is free */
    struct link link;      /* heap lock: the heap's list of its class, iff the slab has room */
    uintptr_t base;        /* address of the granule */
    union {
        size_t large_bytes; /* RUN_LARGE: usable bytes (its owner) */
        uint64_t own_bits;  /* RUN_SLAB: where free_blocks points to, if 64 bits are enough */
    };
    uint32_t entry;      /* RUN_SLAB: what the page map holds for it */
    uint16_t capacity;   /* of the class */
    uint16_t free_count; /* heap lock: bits set in free_blocks */
    uint16_t reached;    /* heap lock: blocks [reached, capacity) were never handed out */
    uint8_t lowest_word; /* heap lock: no bit is set in the words of free_blocks below this one */
    uint8_t kind;        /* enum run_kind */
    uint8_t granules;    /* of the run */
    uint8_t first;       /* of a slab's granules: index of the run's first one */
    bool stale;          /* some of the run held data already when it was taken */
};
_Static_assert(sizeof(struct slab) <= HAK_CACHE_LINE, "a descriptor is one cache line");

void hak_superslab_init(void);

/* A run of `granules`. `entry` goes to the page map for all of it, if it is a slab. *zero says whether all of it is
 * known to be zero. NULL if memory is out. The caller looks for excess (purge.h) when it holds no lock. */
struct slab *hak_superslab_take(enum pool pool, unsigned granules, enum run_kind kind, uint32_t entry,
                                bool *zero) NODISCARD;

/* False if a run of so many granules, HAK_GRANULES at most, would take a superslab more. */
bool hak_superslab_has_room(enum pool pool, unsigned granules);

/* Room for `count` bits for the run's user, contents left to it; not more than one for each 16 bytes of a granule. */
uint64_t *hak_superslab_bits(const struct slab *run, unsigned count);

/* Gives the run back; its user has written to its first `touched` granules at most. */
void hak_superslab_give(struct slab *run, unsigned touched);

static inline unsigned granule_index(const void *p) {
    return (unsigned)((uintptr_t)p >> HAK_GRANULE_SHIFT) % HAK_GRANULES;
}

/* The first descriptor of the slab that `p` lies in, in a superslab with these descriptors. */
static inline struct slab *hak_slab_in(struct slab *slabs, const void *p) {
    return &slabs[slabs[granule_index(p)].first];
}

/* True if it lies in one. */
static inline bool hak_is_in_slab(const struct slab *slabs, const void *p) {
    unsigned kind = load_relaxed(&slabs[granule_index(p)].kind);
    return kind == RUN_SLAB || kind == RUN_SLAB_REST;
}

/* The descriptors of the superslab that `p` lies in. */
struct slab *hak_slabs_of(const void *p);

/* What a Large run may do in place, all under the arena lock, which the caller holds. */
bool hak_superslab_extend(struct superslab *superslab, struct slab *run, unsigned granules) NODISCARD;
void hak_superslab_shrink(struct superslab *superslab, struct slab *run, unsigned granules);
void hak_superslab_give_locked(struct superslab *superslab, struct slab *run, unsigned touched);

/* The Large run that `p` lies in, or NULL; the caller holds the arena lock. Any pointer into `superslab` will do. */
struct slab *hak_superslab_find_large(struct superslab *superslab, const void *p);

#endif
