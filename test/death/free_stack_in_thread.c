/* free_stack_in_thread.c
 * Purpose.     free of a pointer on the stack by a thread that never allocated.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

#include <pthread.h>

static void *free_stack(void *unused) {
    int local = 1;
    free(death_pointer(&local));
    EXPECT(local == 1);
    return unused;
}

int main(void) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, free_stack, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    return death_survived(1, 1);
}
