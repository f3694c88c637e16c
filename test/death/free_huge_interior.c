/* free_huge_interior.c
 * Purpose.     free of a pointer into a Huge block, 1 MiB behind its start.
 * expect: hakmem: free\(@ptr@\): inside a block that starts at @start@
 */
#include "../support/death.h"

int main(void) {
    char *block = death_block(10485760);
    free(death_pointer(block + 1048576));
    EXPECT(pattern_holds_sparse(block, 10485760, 10485760, 1));
    free(block);
    return death_survived(1, 0);
}
