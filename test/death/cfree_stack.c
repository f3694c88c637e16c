/* cfree_stack.c
 * Purpose.     cfree of a variable on the stack names cfree.
 * expect: hakmem: cfree\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    int local = 1;
    void (*cfree_function)(void *) = NULL;
    *(void **)&cfree_function = dlsym(RTLD_DEFAULT, "cfree");
    EXPECT(cfree_function != NULL);
    cfree_function(death_pointer(&local));
    EXPECT(local == 1);
    return death_survived(1, 1);
}
