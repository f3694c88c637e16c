/* map_limit.c
 * Purpose.     A process that has as many mappings as the kernel allows (vm.max_map_count): calls of every tier succeed
 *              or say ENOMEM, free keeps errno although munmap and mprotect fail, contents stay; with the mappings gone
 *              all is as before.
 * Design.      Every second page of one region is given another protection until the kernel refuses.
 */
#include <sys/mman.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { ROUNDS = 10, MOST_MAPPINGS = 1 << 21 };

struct region {
    char *start;
    size_t bytes;
};

/* True if the limit was reached. */
static bool use_up_mappings(struct region *region) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    region->bytes = MOST_MAPPINGS * page;
    region->start = mmap(NULL, region->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT(region->start != MAP_FAILED);
    for (size_t at = page; at < region->bytes; at += 2 * page) {
        if (mprotect(region->start + at, page, PROT_READ) != 0) {
            EXPECT(errno == ENOMEM);
            return true;
        }
    }
    return false;
}

int main(void) {
    provider_require();
    void *kept[TIER_COUNT];
    void *freed[TIER_COUNT];
    for (uint32_t i = 0; i < TIER_COUNT; i++) {
        kept[i] = malloc(TIER_SIZES[i]);
        freed[i] = malloc(TIER_SIZES[i]);
        EXPECT(kept[i] != NULL && freed[i] != NULL);
        pattern_fill_sparse(kept[i], TIER_SIZES[i], i);
    }
    struct region region;
    if (!use_up_mappings(&region)) {
        dprintf(STDERR_FILENO, "vm.max_map_count is above %d\n", MOST_MAPPINGS);
        return TEST_SKIPPED;
    }
    for (size_t i = 0; i < TIER_COUNT; i++) {
        errno = 4711;
        free(freed[i]);
        EXPECT(errno == 4711);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        EXPECT(workout_or_refusal(round));
        EXPECT(workout_block(70000000, round, true));
        EXPECT(workout_block(300000000, round, true));
        malloc_trim(0);
    }
    for (uint32_t i = 0; i < TIER_COUNT; i++) {
        EXPECT(pattern_holds_sparse(kept[i], TIER_SIZES[i], TIER_SIZES[i], i));
    }
    EXPECT(munmap(region.start, region.bytes) == 0);
    EXPECT(workout(1));
    EXPECT(workout_block(70000000, 2, false));
    for (size_t i = 0; i < TIER_COUNT; i++) {
        free(kept[i]);
    }
    EXPECT(workout(3));
    EXPECT_AT_MOST(process_mapping_count(), 1000);
    return 0;
}
