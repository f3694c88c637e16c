/* bench/variant/notag.c
 * Purpose.     hakmem whose free does not look whose a block is inline, for `hakmem bench ablate`.
 * Design.      Every free leaves the fast path; the slow one looks in the same map.
 */
#include "heap/thread.h"

#define cache_match(view, p) 0u
#include "api/fast.h"
#undef cache_match

#include "hakmem.c"
