/* double_free_large.c
 * Purpose.     A Large block freed twice in a row.
 * expect: hakmem: free\(@ptr@\): block already free
 */
#include "../support/death.h"

int main(void) {
    void *block = death_pointer(death_block(100000));
    free(block);
    free(opaque(block));
    return death_survived(1, 0);
}
