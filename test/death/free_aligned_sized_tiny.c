/* free_aligned_sized_tiny.c
 * Purpose.     free_aligned_sized of a Tiny block with a wrong size.
 * expect: hakmem: free_aligned_sized\(@ptr@, 512\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_aligned_sized_function)(void *, size_t, size_t) = NULL;
    *(void **)&free_aligned_sized_function = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    EXPECT(free_aligned_sized_function != NULL);
    void *block = opaque(aligned_alloc(64, 128));
    EXPECT(block != NULL);
    death_say_size("usable", malloc_usable_size(block));
    pattern_fill(block, 128, 1);
    free_aligned_sized_function(death_pointer(block), 64, opaque_size(512));
    EXPECT(pattern_holds(block, 128, 1));
    free_aligned_sized_function(block, 64, 128);
    return death_survived(1, 0);
}
