/* segment/arena.h
 * Purpose.     Address space: reservations, and runs of 4 MiB units in them.
 * Design.      An arena is one reservation, committed front to back. Its units are handed out as runs of 1..16; free
 *              runs coalesce by boundary tags (the header of a run's first and last unit knows the run's length) and
 *              wait in a bin per length, so taking and giving are O(1) however large the heap is. Longer and more
 *              strictly aligned runs are mappings of their own ("direct"), which the kernel can grow and move.
 *              A unit's header (struct superslab) lives in metadata memory.
 *              Tiny slabs and Huge blocks have arenas of their own: once those are large they ask for huge pages,
 *              which pays where many blocks share a page, or a block has many. Elsewhere they would make resident, and
 *              clear, what is never touched (doc/decisions/002). They lend each other runs only when no address space
 *              is left.
 * Invariants.  retained bytes = granules that are free and dirty, and kept mappings; active + retained <= committed <=
 *              mapped.
 *              What has ever been retained = retained + purged + reused.
 * Concurrency. Everything here needs the arena lock, the lock itself apart.
 * Not here.    Granules inside one superslab (superslab.h); direct mappings (direct.h); when dirty pages go back
 *              (purge.h); what is `active` (whoever takes a run adds it).
 */
#ifndef HAK_SEGMENT_ARENA_H
#define HAK_SEGMENT_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/list.h"
#include "os/lock.h"

enum unit_state {
    UNIT_FREE,     /* part of a free run */
    UNIT_GRANULES, /* a superslab: slabs and Large blocks */
    UNIT_HUGE,     /* first unit of a Huge block in an arena */
    UNIT_HUGE_REST,
    UNIT_DIRECT, /* first unit of a Huge block with a mapping of its own */
    UNIT_KEPT,   /* of a mapping that is no block any more, and is kept for the next one (direct.h) */
};

struct slab;

/* The header of one unit. */
struct superslab {
    uintptr_t base;        /* const */
    struct slab *slabs;    /* HAK_GRANULES descriptors, const once made; NULL until the unit first held granules */
    uint64_t free;         /* granules not in use; all ones in a free run, none in a Huge block */
    uint64_t dirty;        /* of those, the ones that may hold data: dirty & ~free == 0 */
    uint64_t dirty_since;  /* milliseconds; when `dirty` last became nonzero, or the mapping UNIT_KEPT */
    uint64_t exchanged;    /* free and clean granules that were purged before their time; exchanged & dirty == 0 */
    uint64_t exchanged_at; /* milliseconds; when that last happened */
    struct arena *arena;   /* const; NULL for a direct mapping */
    uint32_t index;        /* const: which unit of the arena */
    uint32_t units;        /* length of the run, in its first and its last unit */
    struct link bin;       /* free run: its bin. UNIT_GRANULES: the pool's list by longest free run. Kept: direct.c's */
    struct link purge;     /* the purge queue iff dirty != 0 */
    uint8_t state;         /* enum unit_state */
    uint8_t pool;          /* UNIT_GRANULES: enum pool */
    uint8_t longest;       /* UNIT_GRANULES: longest run of free granules */
    uintptr_t huge_base;   /* Huge: where its first unit starts */
    size_t huge_bytes;     /* Huge: usable bytes, in the first unit */
    size_t mapped_bytes;   /* direct: bytes of the mapping */
    struct superslab *next_retired; /* direct: the next unused header */
};

/* What an arena's units are used for: Tiny slabs; Mid slabs, Large and small or zeroed Huge blocks; other Huge ones. */
enum arena_use { ARENA_TINY, ARENA_BLOCKS, ARENA_HUGE, ARENA_USES };

/* The longest run that an arena hands out; longer ones are direct. */
#define ARENA_RUN_MAX 16

void hak_arena_init(void);
struct lock *hak_arena_lock(void);

/* One more heap takes Tiny slabs, one of each class that it does not fill: where there are many of these, huge pages
 * would make much resident that nobody uses. Takes the lock. */
void hak_arena_add_heap(void);

/* A run of 1..ARENA_RUN_MAX committed units, state and contents of their headers left to the caller but for base,
 * index, `dirty` (which granules are not known to be zero) and `units` of the first. NULL if memory is out. */
struct superslab *hak_arena_take(enum arena_use use, unsigned units) NODISCARD;

/* Returns the run that starts at `first`. Its headers say in `dirty` what may hold data. */
void hak_arena_give(struct superslab *first, unsigned units);

/* Adds `more` units to the used run of `units` from `first`, if they are free right behind it. */
bool hak_arena_extend(struct superslab *first, unsigned units, unsigned more) NODISCARD;

/* The header of a unit of the same arena. */
struct superslab *hak_arena_unit(const struct superslab *unit, uint32_t index);

/* Gives wholly free arenas back to the system. True if there was one. */
bool hak_arena_release_unused(void);

/* Marks `granules` as free-and-dirty or no longer so, keeping the purge queue and the retained count. What was dirty,
 * in bytes, is purged or reused: its remover adds it to hak_view's count of either. */
void hak_unit_add_dirty(struct superslab *unit, uint64_t granules);
uint64_t hak_unit_remove_dirty(struct superslab *unit, uint64_t granules) NODISCARD;

/* Units with dirty granules, the oldest first. */
extern struct link hak_purge_queue;

bool hak_unit_is_valid(const struct superslab *unit);

#endif
