/* free_sized_in_thread.c
 * Purpose.     free_sized with a wrong size by a thread that does not own the block.
 * expect: hakmem: free_sized\(@ptr@, 100\): block has @usable@ bytes
 */
#include "../support/death.h"

#include <pthread.h>

static void *free_wrong(void *block) {
    void (*free_sized_function)(void *, size_t) = NULL;
    *(void **)&free_sized_function = dlsym(RTLD_DEFAULT, "free_sized");
    EXPECT(free_sized_function != NULL);
    free_sized_function(block, 100);
    return NULL;
}

int main(void) {
    pthread_t thread;
    void *block = death_block(3000);
    death_pointer(block);
    EXPECT(pthread_create(&thread, NULL, free_wrong, block) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(pattern_holds(block, 3000, 1));
    free(block);
    return death_survived(1, 0);
}
