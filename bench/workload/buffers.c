/* bench/workload/buffers.c
 * Models.      Images, messages, columns: 8 live buffers of 5..25 MiB, a random one replaced by one of another random
 *              size each time. One word of each page of a new buffer is written.
 * Design.      An allocator that gives each buffer back to the kernel pays for every page again; one that keeps them
 *              all pays with memory. Read the time together with the peak.
 * Cannot show. What the program does with the buffer, which takes longer than all of this.
 */
#include "../harness.h"

enum { SLOT_COUNT = 8, PAGE_BYTES = 4096, LEAST_BYTES = 5 << 20, MOST_BYTES = 25 << 20 };

static void *slots[SLOT_COUNT];
static uint64_t state = 42;

static void *make_buffer(void) {
    size_t size = random_between(state, LEAST_BYTES, MOST_BYTES);
    char *buffer = malloc(size);
    for (size_t at = 0; at < size; at += PAGE_BYTES)
        use_block(&buffer[at < size - sizeof(uintptr_t) ? at : 0]);
    return buffer;
}

static void setup(size_t unused) {
    (void)unused;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        state = next_random(state);
        slots[i] = make_buffer();
    }
}

static uint64_t run(uint64_t pairs) {
    for (uint64_t done = 0; done < pairs; done++) {
        state = next_random(state);
        void **place = &slots[random_index(state, SLOT_COUNT)];
        free(*place);
        *place = make_buffer();
    }
    return pairs;
}

static void teardown(void) {
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        free(slots[i]);
}

WORKLOAD(buffers) = {
    .name = "buffers",
    .suite = "growth",
    .summary = "8 live buffers of 5..25 MiB, a random one replaced each time, every page written",
    .pairs = 200,
    .warm_pairs = 16,
    .setup = setup,
    .run = run,
    .teardown = teardown,
};
