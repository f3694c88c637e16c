/* free_sized_double.c
 * Purpose.     A Large block freed by free, then by free_sized.
 * expect: hakmem: free_sized\(@ptr@, 200000\): block already free
 */
#include "../support/death.h"

int main(void) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    void *block = death_pointer(death_block(200000));
    free(block);
    free_sized_function(opaque(block), 200000);
    return death_survived(1, 0);
}
