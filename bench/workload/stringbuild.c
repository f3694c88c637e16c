/* bench/workload/stringbuild.c
 * Models.      Text put together piece by piece, with a realloc to the exact new length for each: 4 strings that grow
 *              in turn up to SIZE bytes, by pieces of 5, 12, 18 and 29 bytes.
 * Design.      Counted are the appends. The strings stand in each other's way, so that growing in place is not always
 *              possible; the copying that this costs is part of the number.
 * Cannot show. Programs that keep room in reserve: vector does.
 */
#include "../harness.h"

#include <string.h>

enum { STRING_COUNT = 4, ROUND_BYTES = 5 + 12 + 18 + 29, ROUND_APPENDS = 4 };

static const unsigned piece_bytes[ROUND_APPENDS] = {5, 12, 18, 29};
static size_t rounds;

static void setup(size_t size) {
    rounds = (size + ROUND_BYTES - 1) / ROUND_BYTES;
}

static uint64_t appends_per_string(void) {
    return (uint64_t)rounds * ROUND_APPENDS;
}

static void build(void) {
    char *string[STRING_COUNT] = {NULL};
    size_t length[STRING_COUNT] = {0};
    for (uint64_t append = 0; append < appends_per_string(); append++) {
        size_t piece = piece_bytes[append % ROUND_APPENDS];
        for (unsigned i = 0; i < STRING_COUNT; i++) {
            char *longer = length[i] == 0 ? malloc(piece) : realloc(string[i], length[i] + piece);
            memset(longer + length[i], 'x', piece);
            string[i] = longer;
            length[i] += piece;
        }
    }
    for (unsigned i = 0; i < STRING_COUNT; i++)
        free(string[i]);
}

static uint64_t run(uint64_t appends) {
    uint64_t done = 0;
    for (; done < appends; done += STRING_COUNT * appends_per_string())
        build();
    return done;
}

static struct calls calls(uint64_t done) {
    uint64_t strings = done / appends_per_string();
    return (struct calls){.malloc = strings, .realloc = done - strings, .free = strings};
}

WORKLOAD(stringbuild) = {
    .name = "stringbuild",
    .suite = "growth",
    .summary = "4 strings that grow in turn to SIZE bytes, a realloc for each piece of 16 bytes",
    .sizes = {256, 4096, 65536},
    .pairs = 400000,
    .unit = "append",
    .warm_pairs = 10000,
    .setup = setup,
    .run = run,
    .calls = calls,
};
