/* view.h
 * Purpose.     Fetches hakmem's own records (include/hakmem_stats.h) from another process.
 * Design.      Found by the exported symbol `hak_view`, so a library of any name is known as hakmem by what it is. A
 *              program that has hakmem linked in statically exports nothing; its data is searched for the magic number.
 * Concurrency. The process may be running: sums are then off by the calls in flight.
 */
#ifndef HAK_CLI_VIEW_H
#define HAK_CLI_VIEW_H

#include "count.h"
#include "object.h"

/* Where the object keeps its hak_view, 0 if it is not hakmem. */
uintptr_t view_find(struct target *target, const struct object *object);

/* Fills `counts`. NULL, or why it cannot be done. */
const char *view_counts(struct target *target, uintptr_t address, struct counts *counts);

#endif
