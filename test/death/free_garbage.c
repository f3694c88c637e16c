/* free_garbage.c
 * Purpose.     free of a number that is no canonical address.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    free(death_pointer((void *)0xdeadbeefdeadbeef));
    return death_survived(1, 1);
}
