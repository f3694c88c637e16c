/* double_free_huge.c
 * Purpose.     A Huge block freed twice in a row.
 * expect: hakmem: free\(@ptr@\): block already free
 */
#include "../support/death.h"

int main(void) {
    void *block = death_pointer(death_block(10485760));
    free(block);
    free(opaque(block));
    return death_survived(1, 0);
}
