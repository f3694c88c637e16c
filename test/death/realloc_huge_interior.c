/* realloc_huge_interior.c
 * Purpose.     realloc of a pointer into a Huge block.
 * expect: hakmem: realloc\(@ptr@, 5000\): inside a block that starts at @start@
 */
#include "../support/death.h"

int main(void) {
    char *block = death_block(10485760);
    EXPECT(realloc(death_pointer(block + 1048576), opaque_size(5000)) == NULL);
    EXPECT(pattern_holds_sparse(block, 10485760, 10485760, 1));
    free(block);
    return death_survived(1, 0);
}
