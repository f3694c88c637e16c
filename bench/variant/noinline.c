/* bench/variant/noinline.c
 * Purpose.     hakmem with every step of its fast paths a call of its own, for `hakmem bench ablate`.
 * Design.      The mark of the inlined functions is redefined before any of them is seen.
 */
#include "base/compiler.h"
#undef FAST
#define FAST __attribute__((noinline, unused)) static

#include "hakmem.c"
