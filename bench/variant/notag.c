/* bench/variant/notag.c
 * Purpose.     hakmem whose free does not look up a block's class inline, for `hakmem bench ablate`.
 * Design.      Every free leaves the fast path; the slow one looks in the same map.
 */
#include "heap/thread.h"

#define cache_slot(view, p) ((void)(view), (void)(p), (size_t)0)
#include "api/fast.h"
#undef cache_slot

#include "hakmem.c"
