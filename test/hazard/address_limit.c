/* address_limit.c
 * Purpose.     `ulimit -v` of 1 GiB, and `ulimit -d` of as much: the program starts, has most of it to use, gets NULL
 *              with ENOMEM when it is used up, keeps what it has, and can allocate again when it frees. In threads
 *              and forks too.
 * Design.      The program starts itself again under the limit. For each tier in turn it allocates until it is
 *              refused, checks every block, frees every second one, allocates again, and frees all.
 */
#include <pthread.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { MOST_BLOCKS = 1200000, AT_LEAST_MIB = 512 };

static const size_t SIZES[] = {100000000, 1000, 5000, 100000, 3000000, 100000000, 20000000};

/* Blocks are chained through their first word, so that the test needs no memory of its own. */
struct block {
    struct block *next;
    uint32_t number;
};

static void mark(struct block *block, size_t size) {
    unsigned char *bytes = (unsigned char *)block;
    memset(bytes + sizeof *block, (int)(block->number & 255),
           size > 4096 ? 4096 - sizeof *block : size - sizeof *block);
    bytes[size - 1] = (unsigned char)(block->number & 255);
}

static bool is_marked(const struct block *block, size_t size) {
    const unsigned char *bytes = (const unsigned char *)block;
    unsigned char value = (unsigned char)(block->number & 255);
    return bytes[sizeof *block] == value && bytes[size > 4096 ? 4095 : size - 1] == value && bytes[size - 1] == value;
}

/* Allocates until refused. Puts the blocks in front of `chain`. */
static struct block *exhaust(struct block *chain, size_t size, size_t *count) {
    for (*count = 0; *count < MOST_BLOCKS; (*count)++) {
        errno = 0;
        struct block *block = malloc(size);
        if (block == NULL) {
            EXPECT(errno == ENOMEM);
            break;
        }
        *block = (struct block){.next = chain, .number = (uint32_t)*count};
        mark(block, size);
        chain = block;
    }
    return chain;
}

static size_t count_marked(const struct block *chain, size_t size) {
    size_t count = 0;
    for (; chain != NULL; chain = chain->next) {
        EXPECT(is_marked(chain, size));
        count++;
    }
    return count;
}

/* Frees every `n`-th block; returns the rest. */
static struct block *release(struct block *chain, uint32_t n) {
    struct block *rest = NULL;
    while (chain != NULL) {
        struct block *next = chain->next;
        if (chain->number % n == 0) {
            errno = 4711;
            free(chain);
            EXPECT(errno == 4711);
        } else {
            chain->next = rest;
            rest = chain;
        }
        chain = next;
    }
    return rest;
}

static void use_up(size_t size) {
    size_t count;
    size_t more;
    struct block *chain = exhaust(NULL, size, &count);
    EXPECT(count * size >= AT_LEAST_MIB * MIB);
    EXPECT(count_marked(chain, size) == count);
    EXPECT(workout_or_refusal(1)); /* calloc, memalign, realloc at the limit */
    EXPECT(count_marked(chain, size) == count);
    chain = release(chain, 2);
    chain = exhaust(chain, size, &more);
    EXPECT(more >= count / 4);
    EXPECT(count_marked(chain, size) == count - (count + 1) / 2 + more);
    EXPECT(release(chain, 1) == NULL);
    EXPECT(workout(2));
}

static void *use_up_in_thread(void *unused) {
    use_up(2000);
    return unused;
}

static int main_under_limit(void) {
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        use_up(SIZES[i]);
    }
    malloc_trim(0); /* a thread's stack is no concern of malloc's: it needs address space given back */
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, use_up_in_thread, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        use_up(50000);
        exit(0);
    }
    EXPECT_CHILD_OK(child);
    return 0;
}

static void run_under_limit(char *program, int resource) {
    char *again[] = {program, (char[]){"limited"}, NULL};
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        struct rlimit limit = {.rlim_cur = GIB, .rlim_max = GIB};
        EXPECT(setrlimit((__rlimit_resource_t)resource, &limit) == 0);
        execv("/proc/self/exe", again);
        _exit(127);
    }
    EXPECT_CHILD_OK(child);
}

int main(int argc, char **argv) {
    provider_require();
    if (argc == 2) {
        return main_under_limit();
    }
    run_under_limit(argv[0], RLIMIT_AS);
    run_under_limit(argv[0], RLIMIT_DATA);
    return 0;
}
