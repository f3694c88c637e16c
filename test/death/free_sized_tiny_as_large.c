/* free_sized_tiny_as_large.c
 * Purpose.     free_sized of a Tiny block with the size of a Large one.
 * expect: hakmem: free_sized\(@ptr@, 200000\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    void *block = death_block(64);
    free_sized_function(death_pointer(block), opaque_size(200000));
    EXPECT(pattern_holds_sparse(block, 64, 64, 1));
    free_sized_function(block, 64);
    return death_survived(1, 0);
}
