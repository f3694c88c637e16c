/* thread_churn.c
 * Purpose.     10,000 threads, each of which allocates in every tier but Huge, frees most of it, leaves some blocks for
 *              others to free, and ends: memory stays bounded, contents stay right.
 * Design.      8 threads at a time. Blocks wait in a table of 256 places that each thread swaps its own into. Resident
 *              memory after 10,000 threads is compared with that after 1,000.
 * heaps: 4
 */
#include <pthread.h>
#include <stdatomic.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { WAVES = 1250, AT_A_TIME = 8, PLACES = 256, BLOCKS = 40 };

static _Atomic(unsigned char *) places[PLACES];

static size_t size_of(uint32_t number) {
    return number % 40 == 0 ? 100000 + number % 1000 : number % 8 == 0 ? 2000 + number % 20000 : 1 + number % 900;
}

/* Each block carries its number, which tells its size. */
static void check_and_free(unsigned char *block) {
    if (block != NULL) {
        uint32_t number;
        memcpy(&number, block, sizeof number);
        EXPECT(block[size_of(number) + 4 - 1] == (unsigned char)number);
        free(block);
    }
}

static void *live(void *argument) {
    uint32_t number = (uint32_t)(uintptr_t)argument * BLOCKS;
    unsigned char *mine[BLOCKS];
    for (uint32_t i = 0; i < BLOCKS; i++, number++) {
        size_t size = size_of(number) + sizeof number;
        mine[i] = malloc(size);
        EXPECT(mine[i] != NULL);
        memcpy(mine[i], &number, sizeof number);
        mine[i][size - 1] = (unsigned char)number;
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (i % 4 == 0) {
            check_and_free(atomic_exchange(&places[(number + i * 7) % PLACES], mine[i]));
        } else {
            check_and_free(mine[i]);
        }
    }
    return NULL;
}

int main(void) {
    provider_require();
    size_t after_some = 0;
    for (uintptr_t wave = 0; wave < WAVES; wave++) {
        pthread_t threads[AT_A_TIME];
        for (uintptr_t i = 0; i < AT_A_TIME; i++) {
            EXPECT(pthread_create(&threads[i], NULL, live, (void *)(wave * AT_A_TIME + i)) == 0);
        }
        for (int i = 0; i < AT_A_TIME; i++) {
            EXPECT(pthread_join(threads[i], NULL) == 0);
        }
        if (wave == WAVES / 10) {
            after_some = process_rss_bytes();
        }
    }
    EXPECT_AT_MOST(process_rss_bytes(), after_some + 16 * MIB);
    for (int i = 0; i < PLACES; i++) {
        check_and_free(places[i]);
    }
    EXPECT(workout(1));
    return 0;
}
