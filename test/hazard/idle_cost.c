/* idle_cost.c                                                                                         preload-only
 * Purpose.     What an idle process pays: at most 300 KiB of resident memory, 128 KiB of it its own, and 32 mappings
 *              more than the same process on libc (doc/decisions/007).
 * Design.      Two processes, each started with and without the preload, in turn: cat(1), which has copied a line and
 *              waits for the next; and this program, which does the same with a few blocks of malloc and nothing else
 *              of libc.
 *              The means are compared. What a process has of its own is the same in every run, but for a page or two.
 *              Which of a file's pages the kernel maps around those that are touched depends on the page cache and on
 *              where address randomisation has put the file, 150 KiB more or less in every run: so all that is
 *              resident is counted for cat alone. This program has next to nothing of libc resident, whatever hakmem
 *              touches there would count as hakmem's, and chance would decide.
 */
#include <stdint.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"

enum { RUNS = 1000 };

static const size_t ANY = SIZE_MAX / 2; /* no bound */

static const size_t SIZES[] = {10, 16, 30, 100, 120, 470, 1024, 4096};

#define BLOCKS (sizeof SIZES / sizeof SIZES[0])

/* As cat does, until the end of its input. */
static int copy_lines(void) {
    void *blocks[BLOCKS];
    char line[8];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(SIZES[i]);
        EXPECT(blocks[i] != NULL);
    }
    for (ssize_t bytes; (bytes = read(STDIN_FILENO, line, sizeof line)) > 0;) {
        EXPECT(write(STDOUT_FILENO, line, (size_t)bytes) == bytes);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    return 0;
}

struct cost {
    size_t resident; /* bytes, as the next */
    size_t own;      /* of those, what no other process can have too */
    size_t mappings;
};

/* Of one file of /proc/PID: the lines, the number behind `key`, whether `word` occurs. */
struct facts {
    size_t lines;
    size_t number;
    bool word;
};

static struct facts read_facts(pid_t process, const char *file, const char *key, const char *word) {
    char text[512];
    struct facts facts = {0, 0, false};
    snprintf(text, sizeof text, "/proc/%d/%s", (int)process, file);
    FILE *stream = fopen(text, "r");
    EXPECT(stream != NULL);
    while (fgets(text, sizeof text, stream) != NULL) {
        facts.lines++;
        if (strncmp(text, key, strlen(key)) == 0) {
            facts.number = strtoul(text + strlen(key), NULL, 10);
        }
        facts.word |= strstr(text, word) != NULL;
    }
    fclose(stream);
    return facts;
}

static void start(const char *program, const char *preload, int input, int output) {
    EXPECT(dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0);
    clearenv();
    if (preload != NULL) {
        setenv("LD_PRELOAD", preload, 1);
    }
    execl(program, program, "-", (char *)NULL); /* cat: standard input */
    _exit(127);
}

static struct cost run(const char *program, const char *preload) {
    int to[2];
    int from[2];
    char line[8];
    EXPECT(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        start(program, preload, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    EXPECT(write(to[1], "line\n", 5) == 5);
    EXPECT(read(from[0], line, sizeof line) == 5);
    struct facts maps = read_facts(child, "maps", "-", "libhakmem");
    struct cost cost = {read_facts(child, "smaps_rollup", "Rss:", "-").number * KIB,
                        read_facts(child, "smaps_rollup", "Anonymous:", "-").number * KIB, maps.lines};
    EXPECT(cost.resident > cost.own && cost.own > 0);
    EXPECT(maps.word == (preload != NULL));
    close(to[1]);
    close(from[0]);
    EXPECT_CHILD_OK(child);
    return cost;
}

static void compare(const char *program, const char *preload, size_t most_resident, size_t most_own) {
    struct cost mean[2] = {{0, 0, 0}, {0, 0, 0}};
    for (int i = 0; i < RUNS; i++) {
        for (int on_hakmem = 0; on_hakmem < 2; on_hakmem++) {
            struct cost cost = run(program, on_hakmem ? preload : NULL);
            mean[on_hakmem].resident += cost.resident;
            mean[on_hakmem].own += cost.own;
            mean[on_hakmem].mappings += cost.mappings;
        }
    }
    for (int on_hakmem = 0; on_hakmem < 2; on_hakmem++) {
        struct cost *of = &mean[on_hakmem];
        *of = (struct cost){of->resident / RUNS, of->own / RUNS, of->mappings / RUNS};
        dprintf(STDERR_FILENO, "%s on %s: resident %zu KiB, its own %zu; mappings %zu\n", program,
                on_hakmem ? "hakmem" : "libc", of->resident / KIB, of->own / KIB, of->mappings);
    }
    EXPECT_AT_MOST(mean[1].resident, mean[0].resident + most_resident);
    EXPECT_AT_MOST(mean[1].own, mean[0].own + most_own);
    EXPECT_AT_MOST(mean[1].mappings, mean[0].mappings + 32);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "-") == 0) {
        return copy_lines();
    }
    provider_require();
    EXPECT(getenv("LD_PRELOAD") != NULL);
    char *preload = strdup(getenv("LD_PRELOAD"));
    compare("/bin/cat", preload, 300 * KIB, 128 * KIB);
    compare("/proc/self/exe", preload, ANY, 128 * KIB);
    free(preload);
    return 0;
}
