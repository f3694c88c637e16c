/* bench/variant/nooutbox.c
 * Purpose.     hakmem that sends what goes home to another heap at once, for `hakmem bench ablate`.
 * Design.      An outbox that may hold one byte is full after each block.
 */
#include "base/config.h"
#undef HAK_OUTBOX_BYTES
#define HAK_OUTBOX_BYTES 1

#include "hakmem.c"
