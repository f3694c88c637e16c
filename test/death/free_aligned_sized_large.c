/* free_aligned_sized_large.c
 * Purpose.     free_aligned_sized of a Large block with a wrong size.
 * expect: hakmem: free_aligned_sized\(@ptr@, 400000\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_aligned_sized_function)(void *, size_t, size_t) = NULL;
    *(void **)&free_aligned_sized_function = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    EXPECT(free_aligned_sized_function != NULL);
    void *block = opaque(aligned_alloc(4096, 200000));
    EXPECT(block != NULL);
    death_say_size("usable", malloc_usable_size(block));
    pattern_fill(block, 200000, 1);
    free_aligned_sized_function(death_pointer(block), 4096, opaque_size(400000));
    EXPECT(pattern_holds(block, 200000, 1));
    free_aligned_sized_function(block, 4096, 200000);
    return death_survived(1, 0);
}
