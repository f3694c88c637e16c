/* return_memory.c
 * Purpose.     A phase that used 1 GiB has freed it: the memory is back at the system soon, although nobody trims.
 * Design.      Four kinds of blocks, side by side: small, mid, Large, Huge. After the phase the program does what
 *              programs do between phases, a few calls now and then, until resident memory is near what it was; 10
 *              seconds are the end of patience, the purge delay of one second the expectation. First one thread, then
 *              two.
 */
#include <pthread.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

#define PHASE GIB
#define NEAR (64 * MIB)

enum { MOST_BLOCKS = 400000, LIMIT_MS = 10000, THREADS = 2, KINDS = 4 };

static const size_t SIZES[KINDS] = {900, 10000, 500000, 8000000};
static void *blocks[THREADS][MOST_BLOCKS];

/* Uses PHASE / `parts` of memory and frees it, kinds mixed in both. */
static void use_and_free(void **mine, size_t parts) {
    size_t count = 0;
    size_t used[KINDS] = {0};
    for (bool more = true; more;) {
        more = false;
        for (size_t kind = 0; kind < KINDS; kind++) {
            if (used[kind] < PHASE / KINDS / parts) {
                EXPECT(count < MOST_BLOCKS);
                mine[count] = malloc(SIZES[kind]);
                EXPECT(mine[count] != NULL);
                memset(mine[count++], 1, SIZES[kind]);
                used[kind] += SIZES[kind];
                more = true;
            }
        }
    }
    if (parts == 1) {
        EXPECT(process_rss_bytes() >= PHASE);
    }
    for (size_t i = 0; i < count; i++) {
        free(mine[i]);
    }
}

static void expect_fall(size_t before) {
    long end = process_now_ms() + LIMIT_MS;
    while (process_rss_bytes() > before + NEAR && process_now_ms() < end) {
        process_sleep_ms(20);
        EXPECT(workout_small(1));
        free(opaque(malloc(100000)));
    }
    EXPECT_AT_MOST(process_rss_bytes(), before + NEAR);
}

static void *use_half(void *mine) {
    use_and_free(mine, THREADS);
    return NULL;
}

int main(void) {
    provider_require();
    memset(blocks, 1, sizeof blocks); /* resident before anything is measured */
    size_t before = process_rss_bytes();
    use_and_free(blocks[0], 1);
    expect_fall(before);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, use_half, blocks[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    expect_fall(before);
    return 0;
}
