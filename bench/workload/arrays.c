/* bench/workload/arrays.c
 * Models.      Numerical expressions on whole arrays: two live arrays of SIZE bytes, one of which is replaced by a new
 *              one each time, every word written. So one more is there while it is made.
 * Design.      An allocator that gives such arrays back to the kernel pays for clearing every page again; one that
 *              keeps them all pays with memory.
 * Cannot show. The work on the elements, of which there is more than one addition.
 */
#include "../harness.h"

enum { ARRAY_COUNT = 2 };

static size_t word_count;
static uint64_t *array[ARRAY_COUNT];

static uint64_t *make_array(uint64_t value) {
    uint64_t *made = malloc(word_count * sizeof *made);
    for (size_t i = 0; i < word_count; i++)
        ((volatile uint64_t *)made)[i] = value + i;
    return made;
}

static void setup(size_t size) {
    word_count = size / sizeof **array;
    for (unsigned i = 0; i < ARRAY_COUNT; i++)
        array[i] = make_array(i);
}

static uint64_t run(uint64_t pairs) {
    for (uint64_t done = 0; done < pairs; done++) {
        uint64_t *made = make_array(done);
        free(array[done % ARRAY_COUNT]);
        array[done % ARRAY_COUNT] = made;
    }
    return pairs;
}

static void teardown(void) {
    for (unsigned i = 0; i < ARRAY_COUNT; i++)
        free(array[i]);
}

WORKLOAD(arrays) = {
    .name = "arrays",
    .suite = "growth",
    .summary = "2 live arrays of SIZE bytes, one replaced each time by a new one, every word written",
    .sizes = {1 << 20, 80 << 20},
    .pairs = 20,
    .warm_pairs = 2,
    .setup = setup,
    .run = run,
    .teardown = teardown,
};
