/* bench/variant/notag.c
 * Purpose.     hakmem whose free does not compare the owner's tag in the page map inline, for `hakmem bench ablate`.
 * Design.      Every free leaves the fast path; the slow one finds the owner in the same map.
 */
#include "heap/thread.h"

#define cache_offset_of(view, p) ((uint32_t)SLOT_END)
#include "api/fast.h"
#undef cache_offset_of

#include "hakmem.c"
