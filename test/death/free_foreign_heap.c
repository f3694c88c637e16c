/* free_foreign_heap.c
 * Purpose.     free of a block of another allocator: glibc's, in a second copy of libc.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    void *libc = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
    EXPECT(libc != NULL);
    void *(*foreign_malloc)(size_t) = NULL;
    void (*foreign_free)(void *) = NULL;
    *(void **)&foreign_malloc = dlsym(libc, "malloc");
    *(void **)&foreign_free = dlsym(libc, "free");
    EXPECT(foreign_malloc != NULL && foreign_free != NULL);
    void *block = foreign_malloc(100);
    EXPECT(block != NULL && malloc_usable_size(block) == 0);
    pattern_fill(block, 100, 3);
    free(death_pointer(block));
    EXPECT(pattern_holds(block, 100, 3));
    foreign_free(block);
    return death_survived(1, 1);
}
