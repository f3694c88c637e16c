/* bench/workload/afterpeak.c
 * Models.      A peak of 256 MiB in blocks of 16..4096 B, all freed; then the program sleeps. A second peak of the same
 *              size; then it goes on with a little work, one pair each millisecond.
 * Design.      Resident memory at the peak, at once after the frees, and 1 and 2 seconds later. Sleeping and working
 *              are apart since an allocator without a thread of its own can give memory back only when it is called.
 *              The time is that of the first peak; the rest runs after the clock has stopped.
 * Cannot show. What giving back costs a program that peaks again and again: the second peak is not timed.
 */
#include "../harness.h"

#include <time.h>

enum { PEAK_BYTES = 256 << 20, LEAST_BYTES = 16, MOST_BYTES = 4096, SLOTS_MAX = PEAK_BYTES / 1024, WORK_BYTES = 100 };

static void *slots[SLOTS_MAX];

/* The average block has 2056 B, so that the slots last. */
static uint64_t peak(const char *key) {
    size_t count = 0;
    uint64_t state = 42;
    for (uint64_t bytes = 0; bytes < PEAK_BYTES && count < SLOTS_MAX; count++) {
        state = next_random(state);
        size_t size = random_between(state, LEAST_BYTES, MOST_BYTES);
        slots[count] = malloc(size);
        use_block(slots[count]);
        bytes += size;
    }
    note(key, resident_kib());
    for (size_t i = 0; i < count; i++)
        free(slots[i]);
    return count;
}

static uint64_t run(uint64_t pairs) {
    uint64_t done = peak("rss_kib_peak");
    note("rss_kib_asleep_0s", resident_kib());
    while (done < pairs)
        done += peak("rss_kib_peak_again");
    return done;
}

static void spend_second(int working) {
    const struct timespec pause = {0, 1000000}, second = {1, 0};
    if (!working)
        nanosleep(&second, NULL);
    for (unsigned i = 0; working && i < 1000; i++) {
        void *block = malloc(WORK_BYTES);
        use_block(block);
        free(block);
        nanosleep(&pause, NULL);
    }
}

static void after(void) {
    spend_second(0);
    note("rss_kib_asleep_1s", resident_kib());
    spend_second(0);
    note("rss_kib_asleep_2s", resident_kib());
    peak("rss_kib_second_peak");
    note("rss_kib_busy_0s", resident_kib());
    spend_second(1);
    note("rss_kib_busy_1s", resident_kib());
    spend_second(1);
    note("rss_kib_busy_2s", resident_kib());
}

WORKLOAD(afterpeak) = {
    .name = "afterpeak",
    .suite = "growth",
    .summary = "256 MiB of blocks, all freed: resident memory at once, after 1 s and after 2 s",
    .pairs = 1,
    .run = run,
    .after = after,
};
