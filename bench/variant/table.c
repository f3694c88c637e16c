/* bench/variant/table.c
 * Purpose.     hakmem that looks the class of a Tiny request up in a table, for `hakmem bench ablate`: the shipped one
 *              rounds the size by arithmetic.
 * Design.      The table holds what the rounding gives: the offset of the class's slot, for each size.
 */
#include "heap/thread.h"

#define RANGE(n) [16 * (n) + 1 ... 16 * (n) + 16] = 16 * (n) + 16
#define RANGES(n) RANGE(n), RANGE((n) + 1), RANGE((n) + 2), RANGE((n) + 3)
#define RANGES_16(n) RANGES(n), RANGES((n) + 4), RANGES((n) + 8), RANGES((n) + 12)
static const uint16_t slot_offset[HAK_TINY_MAX + 1] = {RANGES_16(0), RANGES_16(16), RANGES_16(32), RANGES_16(48)};

#define slot_for(view, size) ((struct hak_slot *)(void *)((char *)(view) + slot_offset[size]))
#include "api/fast.h"
#undef slot_for

#include "hakmem.c"
