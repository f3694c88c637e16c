/* bench/variant/slowed.c
 * Purpose.     hakmem with a loop of twenty instructions more in every call, for `hakmem bench slowed`: a bench that
 *              does not find this build slower is blind.
 * Design.      The library as it ships, in one object; between the fast paths' definition and their use by the entry
 *              points stand macros of the same names. They do not reach a realloc that leaves its block in place.
 * Not here.    Anything that ships.
 */
#include "api/fast.h"

/* Ten turns of two instructions, in a register and without memory. */
static inline void dawdle(void) {
    unsigned turns = 10;
    __asm__ volatile("1: sub $1, %0\n\tjnz 1b" : "+r"(turns) : : "cc");
}

#define alloc_at(size, entry, site) (dawdle(), alloc_at(size, entry, site))
#define free_at(p, entry, site) (dawdle(), free_at(p, entry, site))
#define try_alloc(size, entry) (dawdle(), try_alloc(size, entry))
#define hak_alloc_entry(size, entry) (dawdle(), hak_alloc_entry(size, entry))
#define hak_aligned_entry(alignment, size, entry) (dawdle(), hak_aligned_entry(alignment, size, entry))
#define hak_free_entry(p, entry) (dawdle(), hak_free_entry(p, entry))
#define hak_free_sized_entry(p, size, entry) (dawdle(), hak_free_sized_entry(p, size, entry))
#define hak_free_aligned_sized_entry(p, alignment, size, entry)                                                        \
    (dawdle(), hak_free_aligned_sized_entry(p, alignment, size, entry))

#include "hakmem.c"
