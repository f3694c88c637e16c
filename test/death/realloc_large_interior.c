/* realloc_large_interior.c
 * Purpose.     realloc of a pointer into a Large block.
 * expect: hakmem: realloc\(@ptr@, 5000\): inside a block that starts at @start@
 */
#include "../support/death.h"

int main(void) {
    char *block = death_block(100000);
    EXPECT(realloc(death_pointer(block + 4096), opaque_size(5000)) == NULL);
    EXPECT(pattern_holds_sparse(block, 100000, 100000, 1));
    free(block);
    return death_survived(1, 0);
}
