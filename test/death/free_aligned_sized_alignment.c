/* free_aligned_sized_alignment.c
 * Purpose.     free_aligned_sized with an alignment that would have needed a larger block.
 * expect: hakmem: free_aligned_sized\(@ptr@, 100\): block has @usable@ bytes
 */
#include "../support/death.h"

int main(void) {
    void (*free_aligned_sized_function)(void *, size_t, size_t) = NULL;
    *(void **)&free_aligned_sized_function = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    EXPECT(free_aligned_sized_function != NULL);
    void *block = opaque(aligned_alloc(16, 100));
    EXPECT(block != NULL);
    death_say_size("usable", malloc_usable_size(block));
    pattern_fill(block, 100, 1);
    free_aligned_sized_function(death_pointer(block), 4096, opaque_size(100));
    EXPECT(pattern_holds(block, 100, 1));
    free_aligned_sized_function(block, 16, 100);
    return death_survived(1, 0);
}
