/* realloc_stack_to_zero.c
 * Purpose.     realloc(p, 0), which frees, of a variable on the stack.
 * expect: hakmem: realloc\(@ptr@(, 0)?\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    int local = 1;
    void *moved = realloc(death_pointer(&local), opaque_size(0));
    EXPECT(moved == NULL && local == 1);
    return death_survived(1, 1);
}
