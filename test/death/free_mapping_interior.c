/* free_mapping_interior.c
 * Purpose.     free of a pointer into a block that is a mapping of its own.
 * expect: hakmem: free\(@ptr@\): inside a block that starts at @start@
 */
#include "../support/death.h"

int main(void) {
    char *block = death_block(268435456);
    free(death_pointer(block + 100000));
    EXPECT(pattern_holds_sparse(block, 268435456, 268435456, 1));
    free(block);
    return death_survived(1, 0);
}
