/* segment/purge.h
 * Purpose.     Giving dirty pages back to the kernel: after a delay, when too many wait, or on request.
 * Design.      Units with dirty granules queue by age. A tick is a look at a coarse clock and at most a few
 *              system calls, so that no malloc or free waits long; whoever is in a slow path ticks. A program that
 *              frees much and then sleeps has no slow paths, so what waits is limited, and the limit learns: memory
 *              that is wanted back within the delay raises it, memory that is not lowers it.
 */
#ifndef HAK_SEGMENT_PURGE_H
#define HAK_SEGMENT_PURGE_H

#include <stdbool.h>
#include <stdint.h>

/* Purges a few units whose delay is over. Cheap when there is nothing to do; takes the arena lock only if free. */
void hak_purge_tick(void);

/* Purges the oldest units while more is retained than may be. Takes the arena lock, once per unit. */
void hak_purge_excess(void);

/* `bytes` of clean memory are about to be touched; had less been purged, they might not have to be. Arena lock. */
void hak_purge_regret(uint64_t bytes);

/* Gives back everything free, wholly free arenas with their addresses. True if there was any. Takes the arena lock. */
bool hak_purge_all(void);

#endif
