/* bench/workload/vector.c
 * Models.      Vectors that double when they are full: 4 of them get words of 8 bytes in turn, from room for 2 up to
 *              SIZE bytes, and are freed.
 * Design.      Counted are the words, so that rows of different SIZE do the same work.
 * Cannot show. C++'s std::vector, which cannot use realloc: it allocates, copies and frees.
 */
#include "../harness.h"

enum { VECTOR_COUNT = 4, FIRST_ROOM = 2 };

static size_t word_count; /* per vector */

static void setup(size_t size) {
    word_count = size / sizeof(uint64_t) < FIRST_ROOM ? FIRST_ROOM : size / sizeof(uint64_t);
}

static void grow(void) {
    uint64_t *vector[VECTOR_COUNT];
    size_t room = FIRST_ROOM;
    for (unsigned i = 0; i < VECTOR_COUNT; i++)
        vector[i] = malloc(room * sizeof(uint64_t));
    for (size_t count = 0; count < word_count; count++) {
        if (count == room) {
            room *= 2;
            for (unsigned i = 0; i < VECTOR_COUNT; i++)
                vector[i] = realloc(vector[i], room * sizeof(uint64_t));
        }
        for (unsigned i = 0; i < VECTOR_COUNT; i++)
            *(volatile uint64_t *)&vector[i][count] = count;
    }
    for (unsigned i = 0; i < VECTOR_COUNT; i++)
        free(vector[i]);
}

static uint64_t run(uint64_t words) {
    uint64_t done = 0;
    for (; done < words; done += (uint64_t)VECTOR_COUNT * word_count)
        grow();
    return done;
}

static struct calls calls(uint64_t done) {
    uint64_t vectors = done / word_count, doublings = 0;
    for (size_t room = FIRST_ROOM; room < word_count; room *= 2)
        doublings++;
    return (struct calls){.malloc = vectors, .realloc = vectors * doublings, .free = vectors};
}

WORKLOAD(vector) = {
    .name = "vector",
    .suite = "growth",
    .summary = "4 vectors of words that double in turn up to SIZE bytes",
    .sizes = {1 << 10, 64 << 10, 4 << 20},
    .pairs = 4000000,
    .unit = "word",
    .warm_pairs = 10000,
    .setup = setup,
    .run = run,
    .calls = calls,
};
