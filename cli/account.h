/* account.h
 * Purpose.     Whose is each resident byte of a process on hakmem?
 * Design.      Every resident page of hakmem's units is divided by what hakmem's own books say of the blocks in it;
 *              every other mapping belongs to one part as a whole. So the parts add up to what the kernel counts, but
 *              for what changed between two looks. doc/STATS.md tells what each part means.
 *              A core does not tell what was resident: then the parts are all that the records tell of, and add up to
 *              what is active, retained and metadata.
 * Not here.    Numbers that need no look at the pages (figures.h).
 */
#ifndef HAK_CLI_ACCOUNT_H
#define HAK_CLI_ACCOUNT_H

#include "survey.h"

#include <stdio.h>

/* X(id, key, owner, title, what changes it) */
#define ACCOUNT_PARTS(X)                                                                                               \
    X(LIVE, live, HAKMEM, "live blocks", "the program holds them; what grows without end is a leak of the program")    \
    X(FREE_SLOTS, free_slots, HAKMEM, "free slots in part-used slabs",                                                 \
      "fragmentation: held by blocks beside them that are live or wait in caches; serve the next requests of their "   \
      "size; HAKMEM_HEAPS=1 shares them between all threads")                                                          \
    X(CACHES, thread_caches, HAKMEM, "thread caches", "HAKMEM_CACHE_BYTES=16384, hakmem trim, fewer threads")          \
    X(SPARES, spare_runs, HAKMEM, "spare runs: of Large blocks that were freed, for the next ones",                    \
      "2 MiB a thread, 4 MiB between them; HAKMEM_PURGE_DELAY=0, hakmem trim, fewer threads")                          \
    X(TRANSFERS, transfer_caches, HAKMEM, "transfer caches: freed, for the next thread that wants one",                \
      "go home in parts as the program calls malloc and free; HAKMEM_PURGE_DELAY=0, hakmem trim")                      \
    X(OUTBOXES, outboxes, HAKMEM, "freed, on the way to others or to their heap",                                      \
      "malloc_trim(0) in the threads that free")                                                                       \
    X(RETAINED, retained, HAKMEM, "retained: free, not given back yet",                                                \
      "HAKMEM_PURGE_DELAY=0, malloc_trim(0), HAKMEM_BACKGROUND_THREAD=1 for programs that sleep")                      \
    X(SLACK, huge_page_slack, HAKMEM, "huge-page slack: never used, resident with a neighbour", "HAKMEM_THP=never")    \
    X(TAILS, tails, HAKMEM, "ends of slabs and blocks that no block reaches", "nothing: at most 1/32 of a slab")       \
    X(METADATA, metadata, HAKMEM, "metadata: records of threads, descriptors of slabs",                                \
      "grows with the largest heap and the most threads so far")                                                       \
    X(PAGE_MAP, page_map, HAKMEM, "page map", "nothing: 4 KiB for each 64 MiB of addresses in use")                    \
    X(LIBRARY, library, HAKMEM, "the library itself", "nothing")                                                       \
    X(STACKS, stacks, OTHERS, "stacks of threads", "fewer threads; they grow with use and never shrink")               \
    X(FILES, files, OTHERS, "program, libraries, mapped files", "the program; much of it is shared with others")       \
    X(SHARED, shared, OTHERS, "shared memory", "the program")                                                          \
    X(LIBC_HEAP, libc_heap, OTHERS, "[heap]: what the program or libc took by brk", "the program")                     \
    X(ANONYMOUS, anonymous, OTHERS, "other anonymous memory",                                                          \
      "the program maps it itself: just-in-time code, allocators of its own")

enum account_part {
#define ACCOUNT_ID(id, key, owner, title, change) PART_##id,
    ACCOUNT_PARTS(ACCOUNT_ID)
#undef ACCOUNT_ID
        PART_COUNT
};

/* Live blocks of a class; class 0 stands for those above the classes. */
struct account_class {
    uint64_t blocks;
    uint64_t resident_bytes;
};

struct account {
    bool recorded;             // of a core: bytes below are all that the records tell of, resident or not
    uint64_t part[PART_COUNT]; // resident bytes
    uint64_t kernel_bytes;     // what the kernel says is resident
    uint64_t swapped_bytes;
    struct account_class live[HAK_CLASS_COUNT];
    uint64_t rounding_bytes; // by which live blocks may be larger than what malloc was asked for
    uint64_t threads;        // with caches
    bool retains;            // something waits to be purged ...
    int64_t purge_ms;        // ... and in so many milliseconds the oldest of it is due; 0 of a core
};

/* NULL, or why it cannot be done. */
const char *account_make(struct survey *survey, struct account *account);

/* Resident bytes of a process' hakmem: units, metadata and page map, without a look at the blocks. NULL, or why not. */
const char *account_resident(struct survey *survey, uint64_t *bytes);

uint64_t account_sum(const struct account *account);

void account_print_text(const struct account *account, struct subject of, FILE *out);
void account_print_json(const struct account *account, struct subject of, FILE *out);

#endif
