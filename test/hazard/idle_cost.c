/* idle_cost.c                                                                                         preload-only
 * Purpose.     What a process that does next to nothing pays: at most 300 KiB of resident memory and 32 mappings more
 *              than the same process on libc.
 * Design.      The program starts itself again with and without the preload, in turn, and compares the means: which of
 *              a file's pages the kernel maps around those that are touched depends on where address randomisation has
 *              put it, 150 KiB more or less in every run, and neither the least nor the median says what is usual.
 *              The copy allocates a little, as a program like sleep does before it sleeps, and reports through a pipe.
 */
#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { RUNS = 100 };

static const size_t IDLE_SIZES[] = {10, 16, 30, 100, 120, 470, 1024, 4096};

#define IDLE_BLOCKS (sizeof IDLE_SIZES / sizeof IDLE_SIZES[0])

struct cost {
    size_t rss;
    size_t mappings;
    bool on_hakmem;
};

static int idle(int report) {
    void *blocks[IDLE_BLOCKS];
    for (size_t i = 0; i < IDLE_BLOCKS; i++) {
        blocks[i] = malloc(IDLE_SIZES[i]);
        EXPECT(blocks[i] != NULL);
    }
    struct cost cost = {process_rss_bytes(), process_mapping_count(), provider_is_hakmem()};
    EXPECT(write(report, &cost, sizeof cost) == sizeof cost);
    for (size_t i = 0; i < IDLE_BLOCKS; i++) {
        free(blocks[i]);
    }
    return 0;
}

static struct cost run(const char *preload) {
    int ends[2];
    char number[16];
    struct cost cost;
    EXPECT(pipe(ends) == 0);
    snprintf(number, sizeof number, "%d", ends[1]);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        char *again[] = {(char[]){"/proc/self/exe"}, number, NULL};
        clearenv();
        if (preload != NULL) {
            setenv("LD_PRELOAD", preload, 1);
        }
        execv(again[0], again);
        _exit(127);
    }
    EXPECT_CHILD_OK(child);
    EXPECT(read(ends[0], &cost, sizeof cost) == sizeof cost);
    close(ends[0]);
    close(ends[1]);
    EXPECT(cost.on_hakmem == (preload != NULL));
    return cost;
}

int main(int argc, char **argv) {
    if (argc == 2) {
        return idle(atoi(argv[1]));
    }
    provider_require();
    EXPECT(getenv("LD_PRELOAD") != NULL);
    char *preload = strdup(getenv("LD_PRELOAD"));
    size_t rss[2] = {0};
    size_t mappings[2] = {0};
    for (int i = 0; i < RUNS; i++) {
        for (int on_hakmem = 0; on_hakmem < 2; on_hakmem++) {
            struct cost cost = run(on_hakmem ? preload : NULL);
            rss[on_hakmem] += cost.rss / RUNS;
            mappings[on_hakmem] = cost.mappings;
        }
    }
    free(preload);
    dprintf(STDOUT_FILENO, "resident: %zu KiB on libc, %zu on hakmem; mappings: %zu, %zu\n", rss[0] / KIB, rss[1] / KIB,
            mappings[0], mappings[1]);
    EXPECT_AT_MOST(rss[1], rss[0] + 300 * KIB);
    EXPECT_AT_MOST(mappings[1], mappings[0] + 32);
    return 0;
}
