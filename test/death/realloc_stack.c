/* realloc_stack.c
 * Purpose.     realloc of a variable on the stack.
 * expect: hakmem: realloc\(@ptr@, 5000\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    int local = 1;
    void *moved = realloc(death_pointer(&local), opaque_size(5000));
    EXPECT(moved == NULL);
    EXPECT(local == 1);
    return death_survived(1, 1);
}
