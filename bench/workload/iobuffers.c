/* bench/workload/iobuffers.c
 * Models.      A server's buffers: THREADS threads, each with 8 live ones of 32..256 KiB, a random one of which is
 *              replaced each time and written to, a word in each page.
 * Cannot show. What a system call does with such a buffer, which takes longer than all of this.
 */
#include "../harness.h"

enum { LIVE = 8, BYTES_LEAST = (32 << 10) + 1, BYTES_MOST = 256 << 10, PAGE_BYTES = 4096 };

static uint64_t pairs_each;

static void body(unsigned index) {
    char *live[LIVE] = {NULL};
    uint64_t s = 42 + index;
    for (uint64_t done = 0; done < pairs_each; done++) {
        s = next_random(s);
        char **place = &live[random_index(s, LIVE)];
        size_t bytes = random_between(s, BYTES_LEAST, BYTES_MOST);
        if (*place != NULL)
            free(*place);
        *place = malloc(bytes);
        use_block(*place);
        for (size_t at = 0; at < bytes; at += PAGE_BYTES)
            ((volatile char *)*place)[at] = 1;
    }
    for (unsigned i = 0; i < LIVE; i++)
        if (live[i] != NULL)
            free(live[i]);
}

static uint64_t run(uint64_t pairs) {
    pairs_each = (pairs + thread_count - 1) / thread_count;
    run_threads(thread_count, body);
    return pairs_each * thread_count;
}

WORKLOAD(iobuffers) = {
    .name = "iobuffers",
    .suite = "threads",
    .summary = "each of THREADS threads replaces one of its 8 buffers of 32..256 KiB and writes to all pages of it",
    .threads = {1, 2, 4},
    .pairs = 50000,
    .warm_pairs = 5000,
    .run = run,
};
