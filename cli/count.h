/* count.h
 * Purpose.     How many calls hakmem has served, from the records that it keeps (include/hakmem_stats.h).
 * Design.      hakmem does not count calls of malloc and free: they follow from the bookkeeping of its thread caches.
 *              All equations are here and work on plain structs, so a test can feed them without a process.
 * Invariants.  allocations == sum of served over ALLOC + blocks that a RESIZE handed out      [counts_finish]
 *              frees + null_frees == sum of served over FREE + blocks that a RESIZE took back
 * Not here.    Fetching the records from a process (view.h).
 */
#ifndef HAK_CLI_COUNT_H
#define HAK_CLI_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "hakmem_stats.h"

struct counts {
    uint64_t served[HAK_ENTRY_COUNT]; // calls per entry point
    uint64_t allocations;             // blocks handed out, by whatever entry
    uint64_t frees;                   // blocks taken back
    uint64_t resize_allocations;      // of them, by realloc and reallocarray
    uint64_t resize_frees;
    uint64_t null_frees;
    uint64_t foreign_frees; // frees of pointers that are not hakmem's
    uint64_t errors;        // all misuse, foreign frees included
    uint64_t threads;       // that live
};

/* Adds what threads without a record did, and what the whole process counts. First of the three. */
void counts_begin(struct counts *counts, const struct hak_view *view);

/* Adds one record: what its thread and those before it did. */
void counts_add_thread(struct counts *counts, const struct hak_thread_view *thread);

/* Works out malloc and free from the sums. Last of the three. */
void counts_finish(struct counts *counts);

/* Takes away what a process had counted already when it was forked: `before` of the same memory, earlier. */
void counts_subtract(struct counts *counts, const struct counts *before);

/* Adds the counts of another process. */
void counts_add(struct counts *counts, const struct counts *other);

/* The name of an entry point, and whether it hands out blocks, takes them back, or both. */
enum entry_kind { ENTRY_ALLOC, ENTRY_RESIZE, ENTRY_FREE };
const char *entry_name(unsigned entry);
enum entry_kind entry_kind(unsigned entry);

#endif
