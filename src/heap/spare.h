/* heap/spare.h
 * Purpose.     Runs of Large blocks that were freed, for the next ones of as many granules.
 * Design.      Every other way to a Large block leads through the arena, under a lock that all threads share; and
 *              buffers are made and freed in turns, or by one thread for another (doc/decisions/019).
 *              A thread holds as much as it has proved to use: its room grows by each run that it misses after it had
 *              given the like of it away. One that only makes, or only frees, has none. Where some give away what
 *              others miss, the former leave it on a shelf for the latter, a few runs of each length.
 *              A spare run is in use as far as the arena knows, and no block of anybody's (RUN_SPARE).
 * Invariants.  granules == sum of run[i]->granules over i < count; granules <= room <= HAK_SPARE_GRANULES
 *              A run is in one place: with its thread, on a shelf, or in the hands of a call.
 * Concurrency. A thread's spares are its own; what is given to the arena takes its lock. Shelves are any thread's: an
 *              atomic word for each run, so that a fork's child finds them whole. What a thread that the child does not
 *              have was moving is lost to it.
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
    bool used;                             /* some were taken or put since the last look */
    bool taken;                            /* some were since the last larger block */
    bool busy;                             /* a call is at work, which a signal handler may have interrupted */
    uint16_t given[HAK_SPARE_RUN_MAX + 1]; /* by length, runs there was no room for, not missed yet */
    struct slab *run[HAK_SPARE_GRANULES];  /* the oldest first */
};

/* `spares` is NULL for a thread without a record. */

/* A run of so many granules, the one that was freed last, or anybody's, with RUN_SPARE as its kind; or NULL. */
struct slab *hak_spare_take(struct spares *spares, unsigned granules) NODISCARD;

/* Keeps the run, which the caller has made RUN_SPARE, or leaves it to others. False if nobody wants it: it is the
 * caller's still. */
bool hak_spare_put(struct spares *spares, struct slab *run) NODISCARD;

/* Gives all to the arena, and forgets what was used. */
void hak_spare_flush(struct spares *spares);

/* What has been of no use since the last larger block goes to the arena before a run of so many granules, more than are
 * kept, takes a superslab more (HAK_GRANULES: takes whole ones): it leaves those that are there as whole as if nothing
 * had been kept. What was learned stays. */
void hak_spare_make_way(struct spares *spares, unsigned granules);

/* The same for a thread that a fork's child does not have, which may have been stopped anywhere. */
void hak_spare_adopt(struct spares *spares);

/* Gives all to the arena if none were taken or put since the last call, or if nothing is to be kept. */
void hak_spare_cool(struct spares *spares);

/* Gives to the arena what lies on shelves: all of it, or, if it is time to look, what nobody took since the last
 * look. */
void hak_spare_collect(void);
void hak_spare_tick(void);

#endif
