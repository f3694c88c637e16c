/* double_free_shared.c
 * Purpose.     A block of another thread's heap freed twice in a row by a thread that keeps such blocks for itself:
 *              seen when the block is sent home, once and not for ever.
 * expect: hakmem: free\(@ptr@\): block already free, or not the start of one \(noticed later\)
 */
#include "../support/death.h"

#include <pthread.h>

static void *free_twice(void *block) {
    void *own[64];
    for (unsigned i = 0; i < 64; i++) {
        own[i] = malloc(opaque_size(1000));
        EXPECT(own[i] != NULL);
    }
    free(block);
    free(opaque(block));
    malloc_trim(0);
    for (unsigned i = 0; i < 64; i++)
        free(own[i]);
    return NULL;
}

int main(void) {
    void *block = death_pointer(death_block(1000));
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, free_twice, block) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    return death_survived(1, 0);
}
