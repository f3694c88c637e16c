/* free_sized_large.c
 * Purpose.     free_sized of a Large block with another size.
 * expect: hakmem: free_sized\(@ptr@, 300000\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    void *block = death_block(200000);
    free_sized_function(death_pointer(block), opaque_size(300000));
    EXPECT(pattern_holds_sparse(block, 200000, 200000, 1));
    free_sized_function(block, 200000);
    return death_survived(1, 0);
}
