/* bench/variant/nooutbox.c
 * Purpose.     hakmem that sends what goes home to another heap at once, for `hakmem bench ablate`.
 * Design.      A batch of one is full after each block.
 */
#include "base/config.h"
#undef HAK_OUTBOX_BLOCKS
#define HAK_OUTBOX_BLOCKS 1

#include "hakmem.c"
