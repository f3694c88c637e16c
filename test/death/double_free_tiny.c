/* double_free_tiny.c
 * Purpose.     A Tiny block freed twice in a row: seen when the thread ends and its cache is emptied.
 * expect: hakmem: free\(@ptr@\): block already free, or not the start of one \(noticed later\)
 */
#include "../support/death.h"

#include <pthread.h>

static void *misuse(void *unused) {
    (void)unused;
    for (int i = 0; i < 100; i++) {
        free(opaque(malloc(24)));
    }
    void *block = death_pointer(death_block(100));
    free(block);
    free(opaque(block));
    return NULL;
}

int main(void) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, misuse, NULL) == 0 && pthread_join(thread, NULL) == 0);
    return death_survived(1, 0);
}
