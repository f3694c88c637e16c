/* bench/variant/depth.c
 * Purpose.     hakmem with DEPTH blocks in each thread cache, never more, for `hakmem bench ablate`.
 * Design.      A cache starts with DEPTH blocks of its class, `size_class` where the capacity is set. Its limit is
 *              less.
 */
#include "base/config.h"
#ifndef DEPTH
#define DEPTH 16
#endif
#undef HAK_CACHE_START_BYTES
#define HAK_CACHE_START_BYTES (DEPTH * size_class_bytes(size_class))
#undef HAK_CACHE_BYTES
#define HAK_CACHE_BYTES 0

#include "hakmem.c"
