/* free_code.c
 * Purpose.     free of the address of a function.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void);

int main(void) {
    free(death_pointer((void *)(uintptr_t)main));
    return death_survived(1, 1);
}
