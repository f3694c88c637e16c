/* free_sized_huge.c
 * Purpose.     free_sized of a Huge block with another size.
 * expect: hakmem: free_sized\(@ptr@, 20971520\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    void *block = death_block(10485760);
    free_sized_function(death_pointer(block), opaque_size(20971520));
    EXPECT(pattern_holds_sparse(block, 10485760, 10485760, 1));
    free_sized_function(block, 10485760);
    return death_survived(1, 0);
}
