/* double_free_tiny.c
 * Purpose.     A Tiny block freed twice in a row: seen when the cache is emptied, and the cache is sound afterwards.
 * expect: hakmem: free\(@ptr@\): block already free, or not the start of one \(noticed later\)
 */
#include "../support/death.h"

int main(void) {
    void *block = death_pointer(death_block(100));
    free(block);
    free(opaque(block));
    malloc_trim(0);
    void *one = malloc(opaque_size(100));
    void *other = malloc(opaque_size(100));
    EXPECT(one != NULL && other != NULL && one != other);
    free(one);
    free(other);
    return death_survived(1, 0);
}
