/* bench/variant/nostats.c
 * Purpose.     hakmem without debug counters, for `hakmem bench ablate`: what they cost where they are compiled in.
 */
#undef HAK_STATS
#define HAK_STATS 0

#include "hakmem.c"
