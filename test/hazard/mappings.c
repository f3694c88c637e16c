/* mappings.c
 * Purpose.     The number of mappings stays far from the kernel's limit of 65,530 per process: at most one more per
 *              64 MiB that the program has live, whatever the sizes, and after blocks came and went.
 * Design.      1 GiB of each kind of block in turn, with a part freed and allocated again in between; counts the
 *              lines of /proc/self/maps, less what the process started with. Memory stays mostly untouched.
 */
#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { MOST_BLOCKS = 1200000, AT_START = 32 };

#define LIVE GIB
#define ALLOWED (AT_START + LIVE / (64 * MIB))

static const size_t SIZES[] = {900, 10000, 100000, 500000, 3000000, 20000000};
static void *blocks[MOST_BLOCKS];

static size_t fill(size_t from, size_t size) {
    size_t count = from;
    for (; count * size < LIVE; count++) {
        EXPECT(count < MOST_BLOCKS);
        blocks[count] = malloc(size);
        EXPECT(blocks[count] != NULL);
        *(char *)blocks[count] = 1;
    }
    return count;
}

int main(void) {
    provider_require();
    size_t before = process_mapping_count();
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        size_t count = fill(0, SIZES[i]);
        EXPECT_AT_MOST(process_mapping_count(), before + ALLOWED);
        for (size_t b = 0; b < count; b += 3) {
            free(blocks[b]);
            blocks[b] = NULL;
        }
        malloc_trim(0); /* holes are given back page by page */
        EXPECT_AT_MOST(process_mapping_count(), before + ALLOWED);
        for (size_t b = 0; b < count; b += 3) {
            blocks[b] = malloc(SIZES[i] / 2 + 1);
            EXPECT(blocks[b] != NULL);
        }
        EXPECT_AT_MOST(process_mapping_count(), before + ALLOWED);
        for (size_t b = 0; b < count; b++) {
            free(blocks[b]);
        }
        EXPECT_AT_MOST(process_mapping_count(), before + ALLOWED);
    }
    return 0;
}
