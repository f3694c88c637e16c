/* free_large_interior_near.c
 * Purpose.     free of a pointer into a Large block, 16 bytes behind its start.
 * expect: hakmem: free\(@ptr@\): inside a block that starts at @start@
 */
#include "../support/death.h"

int main(void) {
    char *block = death_block(100000);
    free(death_pointer(block + 16));
    EXPECT(pattern_holds_sparse(block, 100000, 100000, 1));
    free(block);
    return death_survived(1, 0);
}
