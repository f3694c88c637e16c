/* idle_cost.c                                                                                         preload-only
 * Purpose.     What an idle process pays more than the same process on libc: at most 300 KiB of resident memory, of it
 *              128 KiB its own and 232 KiB its own or of the library's file, and 32 mappings (doc/decisions/007).
 * Design.      Two processes, each started with and without the preload, in turn: cat(1), which has copied a line and
 *              waits for the next; and this program, which does the same with a few blocks of malloc and nothing else
 *              of libc.
 *              The means are compared. What a process has of its own is the same in every run, but for a page or two,
 *              and so is what it has of the library. Which of other files' pages the kernel maps around those that are
 *              touched depends on the page cache and on where address randomisation has put the file, 150 KiB more or
 *              less in every run: so all that is resident is counted for cat alone. This program has next to nothing of
 *              libc resident, whatever hakmem touches there would count as hakmem's, and chance would decide.
 */
#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"

/* What a library with assertions has of these in its file is no idle process's. */
enum { RUNS = 1000, OURS_KIB = HAK_DEBUG ? 236 : 232 };

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
    size_t ours;     /* of those, its own or of the library's file */
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

/* Bytes of the library's file that are resident and not the process's own. */
static size_t library_bytes(pid_t process) {
    char text[512];
    size_t sum = 0;
    bool inside = false;
    snprintf(text, sizeof text, "/proc/%d/smaps", (int)process);
    FILE *stream = fopen(text, "r");
    EXPECT(stream != NULL);
    while (fgets(text, sizeof text, stream) != NULL) {
        size_t number = 0;
        if (strchr("0123456789abcdef", text[0]) != NULL) {
            inside = strstr(text, "libhakmem") != NULL;
        } else if (inside && sscanf(text, "Rss: %zu", &number) == 1) {
            sum += number;
        } else if (inside && sscanf(text, "Anonymous: %zu", &number) == 1) {
            sum -= number;
        }
    }
    fclose(stream);
    return sum * KIB;
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
                        read_facts(child, "smaps_rollup", "Anonymous:", "-").number * KIB, 0, maps.lines};
    cost.ours = cost.own + library_bytes(child);
    EXPECT(cost.resident > cost.own && cost.own > 0);
    EXPECT((cost.ours > cost.own) == (preload != NULL));
    EXPECT(maps.word == (preload != NULL));
    close(to[1]);
    close(from[0]);
    EXPECT_CHILD_OK(child);
    return cost;
}

/* By how much the mean with the preload is larger than without. */
static struct cost excess(const char *program, const char *preload) {
    struct cost sum[2] = {{0}};
    for (int i = 0; i < RUNS; i++) {
        for (int on_hakmem = 0; on_hakmem < 2; on_hakmem++) {
            struct cost cost = run(program, on_hakmem ? preload : NULL);
            sum[on_hakmem].resident += cost.resident;
            sum[on_hakmem].own += cost.own;
            sum[on_hakmem].ours += cost.ours;
            sum[on_hakmem].mappings += cost.mappings;
        }
    }
    struct cost more = {(sum[1].resident - sum[0].resident) / RUNS, (sum[1].own - sum[0].own) / RUNS,
                        (sum[1].ours - sum[0].ours) / RUNS, (sum[1].mappings - sum[0].mappings) / RUNS};
    dprintf(STDERR_FILENO, "%s: resident %zu KiB more, %zu its own, %zu with the library's; %zu mappings\n", program,
            more.resident / KIB, more.own / KIB, more.ours / KIB, more.mappings);
    EXPECT_AT_MOST(more.own, 128 * KIB);
    EXPECT_AT_MOST(more.ours, OURS_KIB * KIB);
    EXPECT_AT_MOST(more.mappings, 32);
    return more;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "-") == 0) {
        return copy_lines();
    }
    provider_require();
    EXPECT(getenv("LD_PRELOAD") != NULL);
    char *preload = strdup(getenv("LD_PRELOAD"));
    EXPECT_AT_MOST(excess("/bin/cat", preload).resident, 300 * KIB);
    (void)excess("/proc/self/exe", preload);
    free(preload);
    return 0;
}
