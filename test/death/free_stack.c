/* free_stack.c
 * Purpose.     free of a variable on the stack.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    int local = 1;
    free(death_pointer(&local));
    EXPECT(local == 1);
    return death_survived(1, 1);
}
