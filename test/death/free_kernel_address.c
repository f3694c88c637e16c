/* free_kernel_address.c
 * Purpose.     free of an address in the upper half, where the kernel lives.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    free(death_pointer((void *)0xffffffff81000000));
    return death_survived(1, 1);
}
