/* free_sized_too_small.c
 * Purpose.     free_sized with far too small a size.
 * expect: hakmem: free_sized\(@ptr@, 8\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    void *block = death_block(1000);
    free_sized_function(death_pointer(block), opaque_size(8));
    EXPECT(pattern_holds_sparse(block, 1000, 1000, 1));
    free_sized_function(block, 1000);
    return death_survived(1, 0);
}
