/* free_sized_wrapped.c
 * Purpose.     free_sized with a size that has wrapped, of a small block of another heap: what free makes of the two
 *              heaps' patterns is as far below a match as the size is below 0.
 * expect: hakmem: free_sized\(@ptr@, -65488\): block has @usable@ bytes
 */
#include "../support/death.h"

#include <pthread.h>

static void *free_wrong(void *block) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    /* Enough for a record, of the second heap. */
    for (unsigned i = 0; i < 100; i++)
        free(malloc(opaque_size(48)));
    free_sized_function(block, (size_t)48 - 65536);
    return NULL;
}

int main(void) {
    pthread_t thread;
    for (unsigned i = 0; i < 100; i++)
        free(malloc(opaque_size(48)));
    void *block = death_block(48);
    death_pointer(block);
    EXPECT(pthread_create(&thread, NULL, free_wrong, block) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(pattern_holds(block, 48, 1));
    free(block);
    return death_survived(1, 0);
}
