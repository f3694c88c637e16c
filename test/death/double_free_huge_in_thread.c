/* double_free_huge_in_thread.c
 * Purpose.     A Huge block freed again by another thread.
 * expect: hakmem: free\(@ptr@\): block already free
 */
#include "../support/death.h"

#include <pthread.h>

static void *free_it(void *block) {
    free(block);
    return NULL;
}

int main(void) {
    pthread_t thread;
    void *block = death_pointer(death_block(10485760));
    free(block);
    EXPECT(pthread_create(&thread, NULL, free_it, opaque(block)) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    return death_survived(1, 0);
}
