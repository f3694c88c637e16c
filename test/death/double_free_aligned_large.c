/* double_free_aligned_large.c
 * Purpose.     A Large block with an alignment freed twice.
 * expect: hakmem: free\(@ptr@\): block already free
 */
#include "../support/death.h"

int main(void) {
    void *block = opaque(aligned_alloc(65536, 200000));
    EXPECT(block != NULL);
    death_pointer(block);
    free(block);
    free(opaque(block));
    return death_survived(1, 0);
}
