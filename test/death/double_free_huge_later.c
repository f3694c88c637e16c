/* double_free_huge_later.c
 * Purpose.     A Huge block freed again after other blocks, too big for its place, came and went.
 * expect: hakmem: free\(@ptr@\): block already free
 */
#include "../support/death.h"

int main(void) {
    enum { BLOCKS = 20 };
    void *others[BLOCKS];
    void *block = death_pointer(death_block(10485760));
    free(block);
    for (size_t i = 0; i < BLOCKS; i++) {
        others[i] = malloc(opaque_size(30000000 + i));
        EXPECT(others[i] != NULL);
        pattern_fill_sparse(others[i], 30000000 + i, (uint32_t)i);
    }
    free(others[3]);
    free(opaque(block));
    for (size_t i = 0; i < BLOCKS; i++) {
        EXPECT(i == 3 || pattern_holds_sparse(others[i], 30000000 + i, 30000000 + i, (uint32_t)i));
    }
    return death_survived(1, 0);
}
