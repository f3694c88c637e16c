/* free_sized_mid.c
 * Purpose.     free_sized of a Mid block with the size of another class.
 * expect: hakmem: free_sized\(@ptr@, 30000\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    void *block = death_block(5000);
    free_sized_function(death_pointer(block), opaque_size(30000));
    EXPECT(pattern_holds_sparse(block, 5000, 5000, 1));
    free_sized_function(block, 5000);
    return death_survived(1, 0);
}
