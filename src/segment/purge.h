/* segment/purge.h
 * Purpose.     Giving dirty pages back to the kernel: after a delay, when too many wait, or on request.
 * Design.      Units with dirty granules queue by age, and so do kept mappings (direct.h), of which the ends are given
 *              back first. A tick is a look at a coarse clock and at most a few
 *              system calls, so that no malloc or free waits long; whoever is in a slow path ticks. A program that
 *              frees much and then sleeps has no slow paths, so what waits is limited.
 *              And a program that frees here and makes slabs there, in space of another use, would hold both: as much
 *              as its slabs grow by is purged of what waits. Unless that proves wrong: for what is wanted back within
 *              the delay, several times as much may wait from then on, until units wait out their delay in vain
 *              (doc/decisions/010).
 */
#ifndef HAK_SEGMENT_PURGE_H
#define HAK_SEGMENT_PURGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct superslab;

/* Purges a few units whose delay is over. Cheap when there is nothing to do; takes the arena lock only if free. */
void hak_purge_tick(void);

/* Purges the oldest units while more is retained than may be. Takes the arena lock, once per unit. */
void hak_purge_excess(void);

/* Granules of a unit, free and clean, are taken and about to be touched; as many others are to be purged for them, if
 * `exchange`. Arena lock. */
void hak_purge_grown(struct superslab *unit, uint64_t granules, bool exchange);

/* Gives back everything free, wholly free arenas with their addresses. True if there was any. Takes the arena lock. */
bool hak_purge_all(void);

/* Gives back all kept mappings with their addresses. True if there was one. Takes the arena lock. */
bool hak_purge_mappings(void);

/* True if a mapping of so many bytes may be kept when its block is freed. Where one is not, and the like of it is
 * mapped within the delay, more may be kept from then on: whoever maps tells of it. Arena lock. */
bool hak_purge_admits(uint64_t bytes) NODISCARD;
void hak_purge_mapped(uint64_t bytes);

#endif
