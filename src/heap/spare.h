/* heap/spare.h
 * Purpose.     Runs of Large blocks that a thread has freed, for its next ones of as many granules.
 * Design.      Every other way to a Large block leads through the arena, under a lock that all threads share; and
 *              buffers are made and freed in turns (doc/decisions/019).
 *              A thread holds as much as it has proved to use: its room grows by each run that it has to ask the arena
 *              for after it had given the like of it back. One that only makes, or only frees, has none.
 *              A spare run is in use as far as the arena knows, and no block of anybody's (RUN_SPARE).
 * Invariants.  granules == sum of run[i]->granules over i < count; granules <= room <= HAK_SPARE_GRANULES
 * Concurrency. The owner's alone; hak_spare_flush takes the arena lock.
 */
#ifndef HAK_HEAP_SPARE_H
#define HAK_HEAP_SPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/config.h"
#include "segment/superslab.h"

struct spares {
    uint32_t count;
    uint32_t granules;
    uint32_t room;                         /* granules that may be held */
    uint16_t given[HAK_SPARE_RUN_MAX + 1]; /* by length, runs given to the arena that were not missed yet */
    struct slab *run[HAK_SPARE_GRANULES];  /* the oldest first */
};

/* A run of so many granules, the one that was freed last, with RUN_SPARE as its kind; or NULL. */
struct slab *hak_spare_take(struct spares *spares, unsigned granules) NODISCARD;

/* Keeps the run, which the caller has made RUN_SPARE. False if there is no room for it: it is the caller's still. */
bool hak_spare_put(struct spares *spares, struct slab *run) NODISCARD;

/* Gives all to the arena. */
void hak_spare_flush(struct spares *spares);

#endif
