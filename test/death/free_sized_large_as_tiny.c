/* free_sized_large_as_tiny.c
 * Purpose.     free_sized of a Large block with the size of a Tiny one.
 * expect: hakmem: free_sized\(@ptr@, 64\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    void *block = death_block(200000);
    free_sized_function(death_pointer(block), opaque_size(64));
    EXPECT(pattern_holds_sparse(block, 200000, 200000, 1));
    free_sized_function(block, 200000);
    return death_survived(1, 0);
}
