/* free_stack_twice.c
 * Purpose.     the same misuse twice: reported each time, counted each time; the line is one and the same.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 * times: 2
 */
#include "../support/death.h"

int main(void) {
    int local = 1;
    free(death_pointer(&local));
    free(opaque(&local));
    return death_survived(2, 2);
}
