/* bench/variant/nocount.c
 * Purpose.     hakmem that does not count calls on the fast path, for `hakmem bench ablate`.
 * Design.      The countdown of mallocs is never decremented.
 * Cannot show. What chores cost: they come with the countdown and are gone with it.
 */
#include "base/atomic.h"
#undef owner_decrement_is_zero
#define owner_decrement_is_zero(counter) 0

#include "hakmem.c"
