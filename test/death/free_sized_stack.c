/* free_sized_stack.c
 * Purpose.     free_sized of a variable on the stack.
 * expect: hakmem: free_sized\(@ptr@, 64\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    int local = 1;
    free_sized_function(death_pointer(&local), opaque_size(64));
    EXPECT(local == 1);
    return death_survived(1, 1);
}
