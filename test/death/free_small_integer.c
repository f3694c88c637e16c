/* free_small_integer.c
 * Purpose.     free of a small number, as in an uninitialised structure.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    free(death_pointer((void *)0x50));
    return death_survived(1, 1);
}
