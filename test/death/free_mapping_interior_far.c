/* free_mapping_interior_far.c
 * Purpose.     free of a pointer far into a block that is a mapping of its own: only its start need be known.
 * expect: hakmem: free\(@ptr@\): (inside a block that starts at @start@|not a block of hakmem)
 */
#include "../support/death.h"

int main(void) {
    char *block = death_block(268435456);
    free(death_pointer(block + 200000000));
    EXPECT(pattern_holds_sparse(block, 268435456, 268435456, 1));
    free(block);
    const struct hak_view *view = dlsym(RTLD_DEFAULT, "hak_view");
    return death_survived(1, view->foreign_frees);
}
