/* view.h
 * Purpose.     Fetches hakmem's own records (include/hakmem_stats.h) from another process.
 * Design.      Found by the exported symbol `hak_view`, so a library of any name is known as hakmem by what it is. A
 *              program that has hakmem linked in statically exports nothing; its data is searched for the magic number.
 * Concurrency. The process may be running: sums are then off by the calls in flight. A record whose thread goes on
 *              moving the ends of its countdowns while it is read may be off by a countdown.
 */
#ifndef HAK_CLI_VIEW_H
#define HAK_CLI_VIEW_H

#include "count.h"
#include "object.h"

/* Where the object keeps its hak_view, 0 if it is not hakmem. */
uintptr_t view_find(struct target *target, const struct object *object);

/* True if something in the object's own data may be a hak_view: where its tables cannot be read. */
bool view_may_be_in(struct target *target, const struct object *object);

/* Reads the object. NULL, or why it cannot be done; it is of this command's version then. */
const char *view_read(const struct target *target, uintptr_t address, struct hak_view *view);

/* Calls `each` for every record of a thread, those without a thread too, with its address. NULL, or why that failed. */
const char *view_threads(const struct target *target, const struct hak_view *view,
                         void (*each)(void *context, uintptr_t address, const struct hak_thread_view *thread),
                         void *context);

/* Fills `counts`. NULL, or why it cannot be done. */
const char *view_counts(struct target *target, uintptr_t address, struct counts *counts);

/* The place of an option among those of the library in the process; -1 if it has none of that name. */
int64_t view_option(struct target *target, const struct hak_view *view, const char *name);

#endif
