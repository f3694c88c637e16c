/* bench/variant/nooutbox.c
 * Purpose.     hakmem that sends away each block that passes its list at once, for `hakmem bench ablate`.
 * Design.      An outbox of one block is full after each.
 */
#include "base/config.h"
#undef HAK_OUTBOX_BLOCKS
#define HAK_OUTBOX_BLOCKS 1

#include "hakmem.c"
