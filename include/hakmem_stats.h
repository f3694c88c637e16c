/* hakmem_stats.h
 * The numbers that hakmem keeps, and what a tool reads of it from outside the process.
 *
 * The library exports one object, `hak_view`. It leads to a chain of per-thread records that are never unmapped, and
 * through `regions` to all else that memory is spent on, so a tool with process_vm_readv or a core file can read them
 * while the process runs or after it died; nothing happens in the process itself. Every field is written by one thread
 * at a time with aligned stores of its own width. Sums over threads are exact when the threads are quiet, and off by
 * calls in flight otherwise, if what follows from words that move together (struct hak_slot and struct hak_flow) is
 * read so: the flow, the slot, the flow again, and all of it again while the flow differs or `moves` is odd.
 *
 * Counts of malloc and free are not kept anywhere: they follow from the thread cache's own bookkeeping (see
 * struct hak_flow), which is how they can be exact without an instruction on the fast path.
 */
#ifndef HAKMEM_STATS_H
#define HAKMEM_STATS_H

#include <stdint.h>

#define HAK_VIEW_MAGIC 0x314d454d4b4148ull /* "HAKMEM1" */
#define HAK_VIEW_VERSION 11u

/* Size classes 1 .. HAK_CLASS_COUNT - 1; class 0 is no class. */
#define HAK_CLASS_COUNT 105

/* Every exported symbol that hands out or takes back a block: X(id, symbol, kind) with kind ALLOC, RESIZE or FREE. The
 * hak_ functions count under the name of the C library's function that they are. */
#define HAK_ENTRIES(X)                                                                                                 \
    X(MALLOC, "malloc", ALLOC)                                                                                         \
    X(CALLOC, "calloc", ALLOC)                                                                                         \
    X(ALIGNED_ALLOC, "aligned_alloc", ALLOC)                                                                           \
    X(POSIX_MEMALIGN, "posix_memalign", ALLOC)                                                                         \
    X(MEMALIGN, "memalign", ALLOC)                                                                                     \
    X(VALLOC, "valloc", ALLOC)                                                                                         \
    X(PVALLOC, "pvalloc", ALLOC)                                                                                       \
    X(NEW, "operator new", ALLOC)                                                                                      \
    X(NEW_ARRAY, "operator new[]", ALLOC)                                                                              \
    X(NEW_ALIGNED, "operator new(align)", ALLOC)                                                                       \
    X(NEW_ARRAY_ALIGNED, "operator new[](align)", ALLOC)                                                               \
    X(REALLOC, "realloc", RESIZE)                                                                                      \
    X(REALLOCARRAY, "reallocarray", RESIZE)                                                                            \
    X(FREE, "free", FREE)                                                                                              \
    X(CFREE, "cfree", FREE)                                                                                            \
    X(FREE_SIZED, "free_sized", FREE)                                                                                  \
    X(FREE_ALIGNED_SIZED, "free_aligned_sized", FREE)                                                                  \
    X(DELETE, "operator delete", FREE)                                                                                 \
    X(DELETE_ARRAY, "operator delete[]", FREE)                                                                         \
    X(DELETE_SIZED, "operator delete(size)", FREE)                                                                     \
    X(DELETE_ARRAY_SIZED, "operator delete[](size)", FREE)

enum hak_entry {
#define HAK_ENTRY_ID(id, symbol, kind) HAK_ENTRY_##id,
    HAK_ENTRIES(HAK_ENTRY_ID)
#undef HAK_ENTRY_ID
        HAK_ENTRY_COUNT
};

/* The debug counters: X(id, name, what it counts). Bumped on slow paths only; a library built with
 * HAKMEM_ENABLE_STATS=OFF has none of them. A refill's stage is the deepest that it reached; the sum of the stages is
 * the number of refills. doc/STATS.md is this table with the equations that hold between them. */
#define HAK_COUNTERS(X)                                                                                                \
    X(REFILL_TRANSFER, "refill_transfer", "refills served by a transfer cache alone: what others had given back")      \
    X(REFILL_PARTIAL, "refill_partial", "refills served by slabs that had room")                                       \
    X(REFILL_PENDING, "refill_pending", "the same, after blocks on the heap's pending stack had been taken in")        \
    X(REFILL_DIRTY, "refill_dirty", "refills by a new slab of granules that were retained, not given back")            \
    X(REFILL_FRESH, "refill_fresh", "refills by a new slab of granules that are known to be zero")                     \
    X(REFILL_SUPERSLAB, "refill_superslab", "refills that took a new superslab from the arena")                        \
    X(REFILL_COMMIT, "refill_commit", "refills for which the arena made more of its space usable")                     \
    X(REFILL_RESERVE, "refill_reserve", "refills for which the arena reserved space of the kernel")                    \
    X(REFILL_FAILED, "refill_failed", "refills that got nothing: memory is out")                                       \
    X(SS_REMOTE, "ss_remote", "blocks put into the slabs of their heap, under its lock, by whoever freed them")        \
    X(PENDING, "pending", "blocks pushed on the pending stack of a heap whose lock was taken")                         \
    X(FREE_DIRECT, "free_direct", "blocks freed by threads without a record, one at a time")                           \
    X(TRANSFERRED, "transferred", "blocks that went from an outbox, or without a record, to a transfer cache")         \
    X(DRAINED, "drained", "blocks of transfer caches that were not wanted there and went home")                        \
    X(TAKEN_OVER, "taken_over", "blocks that refills got of a transfer cache where another thread had put some last")  \
    X(SENT_HOME, "sent_home", "blocks of other heaps that went home when a cache gave blocks back")                    \
    X(SPARE, "spare", "Large blocks served by a run that a thread had kept or left for others, without a lock")        \
    X(LEFT_COUNTDOWN, "left_countdown", "frees that left the fast path: their countdown had ended")                    \
    X(LEFT_NO_RECORD, "left_no_record", "mallocs that left the fast path: the thread had no record")                   \
    X(LEFT_FULL, "left_full", "of these, those that found the list too long")                                          \
    X(LOCK_THREADS, "lock_threads", "times that the lock of the thread list, or of the start, was taken")              \
    X(LOCK_HEAP, "lock_heap", "times that a heap's lock was taken")                                                    \
    X(LOCK_ARENA, "lock_arena", "times that the arena's lock was taken")                                               \
    X(LOCK_META, "lock_meta", "times that the metadata's lock was taken")                                              \
    X(CONTENDED_THREADS, "contended_threads", "lock_threads that had to wait for another thread")                      \
    X(CONTENDED_HEAP, "contended_heap", "lock_heap that had to wait")                                                  \
    X(CONTENDED_ARENA, "contended_arena", "lock_arena that had to wait")                                               \
    X(CONTENDED_META, "contended_meta", "lock_meta that had to wait")                                                  \
    X(MOVED_THREADS, "moved_threads", "lock_threads after another thread: the lock's cache line came from it")         \
    X(MOVED_HEAP, "moved_heap", "lock_heap after another thread")                                                      \
    X(MOVED_ARENA, "moved_arena", "lock_arena after another thread")                                                   \
    X(MOVED_META, "moved_meta", "lock_meta after another thread")                                                      \
    X(TRY_FAILED, "try_failed", "locks tried and left alone, since another thread held them")                          \
    X(FUTEX_WAITS, "futex_waits", "sleeps on a lock")                                                                  \
    X(ATOMIC_OTHER, "atomic_other", "atomic read-modify-writes but those of taking, trying and releasing free locks")

enum hak_counter {
#define HAK_COUNTER_ID(id, name, what) HAK_COUNTER_##id,
    HAK_COUNTERS(HAK_COUNTER_ID)
#undef HAK_COUNTER_ID
        HAK_COUNTER_COUNT
};

/* The numbers that hakmem knows of itself: X(field, kind, set, column, text). hak_stats_t, what hak_stats_print prints,
 * and `hakmem stat`, which adds what only a look from outside tells (what is resident is the kernel's to say), come
 * from it. A kind is COUNTER, GAUGE or LIMIT: a gauge that is 0 where there is no limit. A number is one (NONE), or one
 * for each member of a set: a tier, an exported function (HAK_ENTRIES), a size class. `column` is its short name where
 * the set is known. doc/STATS.md tells more of each. */
#define HAK_FIGURES(X)                                                                                                 \
    X(live_bytes, GAUGE, NONE, "live", "in blocks that the program holds")                                             \
    X(active_bytes, GAUGE, NONE, "active", "in slabs and in Large and Huge blocks")                                    \
    X(retained_bytes, GAUGE, NONE, "retained", "free, not given back to the kernel yet")                               \
    X(mapped_bytes, GAUGE, NONE, "mapped", "of address space taken for blocks")                                        \
    X(metadata_bytes, GAUGE, NONE, "metadata", "in hakmem's own records")                                              \
    X(committed_bytes, GAUGE, NONE, "committed", "of what is mapped, made accessible")                                 \
    X(purged_bytes, COUNTER, NONE, "purged", "given back to the kernel so far")                                        \
    X(allocations, COUNTER, NONE, "allocations", "blocks handed out")                                                  \
    X(frees, COUNTER, NONE, "frees", "blocks taken back")                                                              \
    X(null_frees, COUNTER, NONE, "null frees", "frees of NULL")                                                        \
    X(foreign_frees, COUNTER, NONE, "foreign frees", "frees of pointers that are not hakmem's")                        \
    X(errors, COUNTER, NONE, "errors", "misuse seen, foreign frees included")                                          \
    X(threads, GAUGE, NONE, "threads", "with caches of their own")                                                     \
    X(heaps, GAUGE, NONE, "heaps", "made so far")                                                                      \
    X(tier_allocations, COUNTER, TIER, "allocations", "blocks handed out, by tier")                                    \
    X(tier_frees, COUNTER, TIER, "frees", "blocks taken back, by tier")                                                \
    X(tier_live_blocks, GAUGE, TIER, "live blocks", "blocks that the program holds, by tier")                          \
    X(tier_live_bytes, GAUGE, TIER, "live bytes", "in blocks that the program holds, by tier")                         \
    X(calls, COUNTER, ENTRY, "calls", "calls served, by function")                                                     \
    X(class_allocations, COUNTER, CLASS, "allocations", "blocks handed out, by size class")                            \
    X(class_frees, COUNTER, CLASS, "frees", "blocks taken back, by size class")                                        \
    X(class_live_blocks, GAUGE, CLASS, "live blocks", "blocks that the program holds, by size class")                  \
    X(class_live_bytes, GAUGE, CLASS, "live bytes", "in blocks that the program holds, by size class")                 \
    X(reused_bytes, COUNTER, NONE, "reused", "of retained memory, used again without asking the kernel")               \
    X(page_faults_avoided, COUNTER, NONE, "faults spared", "at most: one for each page of what was reused")            \
    X(soft_limit_bytes, LIMIT, NONE, "soft limit", "in use, from which on nothing is retained")                        \
    X(hard_limit_bytes, LIMIT, NONE, "hard limit", "in use, beyond which malloc fails")                                \
    X(group_limit_bytes, LIMIT, NONE, "group limit", "of the control group, where it is followed")                     \
    X(cpus, GAUGE, NONE, "cpus", "that the process could use when it started")                                         \
    X(allocated_bytes, COUNTER, NONE, "allocated", "in blocks handed out, and added to blocks in place")

#define HAK_TIERS(X) X(TINY, "tiny") X(MID, "mid") X(LARGE, "large") X(HUGE, "huge")

enum hak_tier {
#define HAK_TIER_ID(id, name) HAK_TIER_##id,
    HAK_TIERS(HAK_TIER_ID)
#undef HAK_TIER_ID
        HAK_TIER_COUNT
};

#define HAK_FIGURE_NONE
#define HAK_FIGURE_TIER [HAK_TIER_COUNT]
#define HAK_FIGURE_ENTRY [HAK_ENTRY_COUNT]
#define HAK_FIGURE_CLASS [HAK_CLASS_COUNT]

/* Changes when a field changes its place; new ones are added at the end, and only make the struct larger. A program
 * that was built with another header of the same version gets the fields that both know. */
#define HAK_STATS_VERSION 1u

/* What hak_stats_get (hakmem.h) fills. */
typedef struct hak_stats {
    uint32_t size;    /* set by the caller: sizeof(hak_stats_t); afterwards how much of it was filled */
    uint32_t version; /* set by the caller: HAK_STATS_VERSION */
#define HAK_STATS_FIELD(field, kind, set, column, text) uint64_t field HAK_FIGURE_##set;
    HAK_FIGURES(HAK_STATS_FIELD)
#undef HAK_STATS_FIELD
} hak_stats_t;

/* How hak_stats_print prints them. */
enum hak_stats_format { HAK_STATS_TEXT, HAK_STATS_JSON, HAK_STATS_OPENMETRICS };

/* One size class of one thread's cache: the two words that malloc and free change. */
struct hak_slot {
    void **top;         /* behind the last address of the list of free blocks; NULL stands below the first */
    int32_t frees_left; /* frees that are sure to fit, until the next look at the list */
    int32_t room;       /* addresses that the list has room for; 0: it has none yet, and `base` says nothing */
};

/* What the slow paths know of the same class:
 *   length of the list   = slot.top - base
 *   frees of the class   = frees_end - slot.frees_left + passed_frees
 *   mallocs of the class = taken - returned + (frees_end - slot.frees_left) - length */
struct hak_flow {
    void **base;           /* where the first address of the list stands */
    uint64_t frees_end;    /* what the count of frees into the list will be when frees_left reaches 0 */
    uint64_t taken;        /* blocks moved from the heap into the cache */
    uint64_t returned;     /* blocks moved from the cache to the heap or a transfer cache */
    uint32_t moves;        /* odd while these and the slot's words are moved together */
    int32_t capacity;      /* blocks that the list may hold, and somewhat more between two looks */
    uint64_t passed_frees; /* frees of blocks that passed the list */
    uint32_t mallocs_seen; /* the lower half of the count of mallocs at the last look */
    int32_t admitted;      /* frees_left after the last look */
    int32_t balance;       /* mallocs less half of the frees, of late; 0 .. capacity - 1 */
};

/* What a thread counts itself, outside the caches. */
struct hak_tally {
    uint64_t served[HAK_ENTRY_COUNT]; /* blocks handed out or taken back by each entry; 0 for MALLOC and FREE, which
                                         are what is left of all. A RESIZE counts calls that succeeded. */
    uint64_t resize_allocs;           /* blocks handed out to a RESIZE that had to move or had no block yet */
    uint64_t resize_frees;            /* blocks taken back by a RESIZE */
    uint64_t large_allocs;            /* blocks above the size classes */
    uint64_t large_frees;
    uint64_t large_allocated_bytes; /* handed out in them, and added to them in place */
    uint64_t large_freed_bytes;     /* taken back, of other threads' blocks too, and cut off in place */
    uint64_t null_frees;
    uint64_t cached_mallocs; /* blocks of all classes that passed no cache, of threads without a record */
    uint64_t cached_frees;
};

struct hak_class_sum {
    uint64_t mallocs;
    uint64_t frees;
};

/* The record of one thread, first part of its allocator state. `next` never changes once linked. A new thread goes on
 * with a finished one's record and its counts, so sums are over all records, whether a thread has them or not.
 * Its debug counters, hak_view.counter_count words, follow right behind it. */
struct hak_thread_view {
    struct hak_slot slot[HAK_CLASS_COUNT]; /* first, since malloc indexes it by the rounded size */
    uint32_t thread_id;                    /* kernel's id, 0 while the record is unused */
    uintptr_t address_mask;
    const uint32_t *page_map;
    struct hak_thread_view *next;
    struct hak_tally tally;
    struct hak_flow flow[HAK_CLASS_COUNT];
};

/* Where everything lies: X(struct, fields) for each structure of hakmem's own that a tool follows from `hak_regions`,
 * and the fields that it needs of them. Which words they are is data in the object (struct hak_layout), so that a tool
 * of another version finds them by name, or sees that it cannot. */
#define HAK_STRUCTS(X)                                                                                                 \
    X(chunk, HAK_CHUNK_FIELDS)                                                                                         \
    X(arena, HAK_ARENA_FIELDS)                                                                                         \
    X(superslab, HAK_SUPERSLAB_FIELDS)                                                                                 \
    X(slab, HAK_SLAB_FIELDS)                                                                                           \
    X(heap, HAK_HEAP_FIELDS)                                                                                           \
    X(thread, HAK_THREAD_FIELDS)                                                                                       \
    X(outbox, HAK_OUTBOX_FIELDS)                                                                                       \
    X(transfer, HAK_TRANSFER_FIELDS)

/* Metadata: the newest chunk first. The pages before its header and behind its bytes are inaccessible. */
#define HAK_CHUNK_FIELDS(X, S) X(S, previous) X(S, bytes)

/* A reservation. Its units [0, committed) are accessible. */
#define HAK_ARENA_FIELDS(X, S) X(S, next) X(S, base) X(S, units) X(S, committed) X(S, use) X(S, headers)

/* A unit: its `state`, its free granules, and those of them that hold data since `dirty_since` ms (CLOCK_MONOTONIC). */
#define HAK_SUPERSLAB_FIELDS(X, S)                                                                                     \
    X(S, base)                                                                                                         \
    X(S, slabs)                                                                                                        \
    X(S, free)                                                                                                         \
    X(S, dirty)                                                                                                        \
    X(S, dirty_since)                                                                                                  \
    X(S, arena)                                                                                                        \
    X(S, units)                                                                                                        \
    X(S, state)                                                                                                        \
    X(S, pool)                                                                                                         \
    X(S, huge_base)                                                                                                    \
    X(S, huge_bytes)                                                                                                   \
    X(S, mapped_bytes)

/* A run of granules: a slab (a bit per block in `free_blocks`, set iff free; blocks from `reached` on were never handed
 * out), a Large block, or a spare run that is kept of one. `entry` is what the page map holds: of it, HAK_SLOT_MASK is
 * the offset of the class's slot. */
#define HAK_SLOT_MASK 0xffffu
#define HAK_SLAB_FIELDS(X, S)                                                                                          \
    X(S, free_blocks)                                                                                                  \
    X(S, base)                                                                                                         \
    X(S, large_bytes)                                                                                                  \
    X(S, entry)                                                                                                        \
    X(S, capacity)                                                                                                     \
    X(S, free_count)                                                                                                   \
    X(S, reached)                                                                                                      \
    X(S, kind)                                                                                                         \
    X(S, granules)                                                                                                     \
    X(S, first)                                                                                                        \
    X(S, stale)

/* Blocks on their way home, linked through their first word. */
#define HAK_HEAP_FIELDS(X, S) X(S, id) X(S, threads) X(S, pending)

/* Blocks that wait between two threads' caches: `count` addresses from `block` on. */
#define HAK_TRANSFER_FIELDS(X, S) X(S, count) X(S, block)

/* What follows a struct hak_thread_view; and `count` addresses of blocks that are on their way to others. */
#define HAK_THREAD_FIELDS(X, S) X(S, heap) X(S, outbox)
#define HAK_OUTBOX_FIELDS(X, S) X(S, count) X(S, block)

enum hak_struct {
#define HAK_STRUCT_ID(name, fields) HAK_STRUCT_##name,
    HAK_STRUCTS(HAK_STRUCT_ID)
#undef HAK_STRUCT_ID
        HAK_STRUCT_COUNT
};

/* A field of more than 8 bytes is part of its structure and not a number. */
struct hak_field {
    char name[16];
    uint32_t offset;
    uint32_t bytes;
};

struct hak_layout {
    const struct hak_field *field;
    uint32_t field_count;
    uint32_t bytes; /* of the structure: distance in an array */
};

struct hak_regions {
    struct hak_layout layout[HAK_STRUCT_COUNT]; /* by enum hak_struct */
    const void *chunks;                         /* struct chunk */
    const void *arenas;                         /* the address of a struct arena */
    const void *tree; /* tree_roots pointers to tree_leaves pointers each: the struct superslab of every unit of
                                address space, direct mappings too; NULL where there is none */
    uint32_t tree_roots;
    uint32_t tree_leaves;
    uint32_t unit_bytes; /* a superslab */
    uint32_t granule_bytes;
    const void *page_map; /* the flat one, if page_map_flat */
    uint64_t page_map_bytes;
    const void *heaps; /* heap_count addresses of a struct heap, by id; NULL for none */
    uint64_t heap_count;
    const void *transfers; /* transfer_count of them, by class */
    uint64_t transfer_count;
    const int64_t *options;   /* option_count values in force ... */
    const char *option_names; /* ... and their names, a comma behind each */
    uint64_t option_count;
};

/* What a tool asks of the process: carried out, in order, by the next thread that comes by in a slow path, or by the
 * background thread. A tool that has written request[asked % HAK_REQUEST_COUNT] adds one to `asked` and then sets
 * `attention` to 1, with nobody else doing so meanwhile (a lock on /proc/PID keeps them apart). As long as asked - done
 * is HAK_REQUEST_COUNT there is no room for another. */
#define HAK_REQUEST_COUNT 8

enum hak_request_kind { HAK_REQUEST_NONE, HAK_REQUEST_TRIM, HAK_REQUEST_SET };

struct hak_request {
    uint32_t kind;   /* by the tool: enum hak_request_kind */
    int32_t result;  /* by hakmem: 0, or the errno value of what was wrong with it */
    uint64_t option; /* by the tool: index in hak_regions.options */
    int64_t value;   /* by the tool: what to set; by hakmem: what it was before, or 1 if trimming gave memory back */
};

struct hak_control {
    uint32_t attention; /* what slow paths look at: not 0 if there is something to do */
    uint32_t trims;     /* the same, by hakmem: trims so far, modulo 2^32, which each thread is to follow */
    uint32_t asked;     /* requests so far, modulo 2^32; by tools */
    uint32_t done;      /* of them, carried out; by hakmem */
    struct hak_request request[HAK_REQUEST_COUNT];
};

/* Limits on memory, in bytes. */
enum hak_limit { HAK_LIMIT_SOFT, HAK_LIMIT_HARD, HAK_LIMIT_COUNT };
#define HAK_LIMIT_NONE UINT64_MAX

/* The exported object. */
struct hak_view {
    uint64_t magic;
    uint32_t version;
    uint32_t size;          /* of this struct */
    uint32_t thread_size;   /* of struct hak_thread_view */
    uint32_t class_count;   /* HAK_CLASS_COUNT */
    uint32_t entry_count;   /* HAK_ENTRY_COUNT */
    uint32_t page_map_flat; /* 1 if one array covers the address space, 0 if look-ups walk a tree */
    struct hak_thread_view *threads;
    struct hak_tally recordless; /* of threads that have no record yet, or no longer */
    struct hak_class_sum recordless_class[HAK_CLASS_COUNT];
    uint32_t class_size[HAK_CLASS_COUNT];
    uint32_t counter_count;   /* debug counters, 0 if the library has none */
    uint64_t foreign_frees;   /* frees of pointers that are not hakmem's */
    uint64_t errors;          /* all misuse seen, foreign frees included */
    uint64_t mapped_bytes;    /* address space taken from the kernel, metadata and page map left out */
    uint64_t committed_bytes; /* of it, made accessible */
    uint64_t active_bytes;    /* of it, in slabs and in Large and Huge blocks */
    uint64_t retained_bytes;  /* free, but not given back to the kernel yet */
    uint64_t metadata_bytes;
    uint64_t purged_bytes;     /* given back to the kernel so far, cumulative */
    uint64_t slab_superslabs;  /* superslabs that hold slabs */
    uint64_t large_superslabs; /* superslabs that hold Large blocks (and slabs, with HAKMEM_TINY_USE_SUPERSLAB=0) */
    uint64_t huge_bytes;
    uint64_t large_bytes;
    uint64_t *counters;   /* debug counters of threads without a record; NULL if the library has none */
    uint64_t huge_allocs; /* of the blocks that a tally counts as large, those above the Large tier */
    uint64_t huge_frees;
    uint64_t reused_bytes;                 /* retained and then used again, cumulative */
    uint64_t page_bytes;                   /* the kernel's pages; 0 before the start */
    uint64_t limit_bytes[HAK_LIMIT_COUNT]; /* in force, HAK_LIMIT_NONE for none: of what is in use, metadata included */
    uint64_t group_bytes;                  /* the control group's limit if it is followed, or HAK_LIMIT_NONE */
    uint64_t cpu_count;                    /* that the process may use, as it was at the start; 0 before */
    struct hak_regions regions;
    struct hak_control control;
};

#endif
