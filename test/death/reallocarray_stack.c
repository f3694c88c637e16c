/* reallocarray_stack.c
 * Purpose.     reallocarray of a variable on the stack names reallocarray.
 * expect: hakmem: reallocarray\(@ptr@, 5000\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    int local = 1;
    void *moved = reallocarray(death_pointer(&local), opaque_size(50), opaque_size(100));
    EXPECT(moved == NULL && local == 1);
    return death_survived(1, 1);
}
