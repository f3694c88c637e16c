/* segment/purge.h
 * Purpose.     Giving dirty pages back to the kernel: after a delay, when too many wait, or on request.
 * Design.      Units with dirty granules queue by age. A tick is a look at a coarse clock and at most a few
 *              system calls, so that no malloc or free waits long; whoever is in a slow path ticks.
 */
#ifndef HAK_SEGMENT_PURGE_H
#define HAK_SEGMENT_PURGE_H

#include <stdbool.h>

/* Purges a few units whose delay is over. Cheap when there is nothing to do; takes the arena lock only if it is free. */
void hak_purge_tick(void);

/* Purges the oldest units while more is retained than may be. The caller holds the arena lock. */
void hak_purge_excess(void);

/* Purges everything. True if any memory went back. Takes the arena lock. */
bool hak_purge_all(void);

#endif
