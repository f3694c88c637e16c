/* bench/harness.c
 * Purpose.     The program `micro`: one workload, once, and who served it.
 * Design.      Prints one line of JSON: nanoseconds per pair, the objects that malloc and free are bound to, and, if
 *              hakmem is loaded, the calls that its own books counted between the two readings of the clock. Bound at
 *              start-up (-z now), so the address looked up here is the one that the loop calls.
 * Concurrency. The books are read while no other thread runs.
 * Not here.    Repetition, comparison and refusal (run.py).
 */
#define _GNU_SOURCE
#include "harness.h"

#include "../include/hakmem_stats.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct workload *const workloads[] = {
    &workload_lifo,      &workload_fifo,  &workload_random, &workload_interleaved,
    &workload_longlived, &workload_mixed, &workload_larson, &workload_handoff,
};
enum { WORKLOAD_COUNT = sizeof workloads / sizeof workloads[0] };

struct served {
    uint64_t mallocs;
    uint64_t frees;
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* hakmem's exported books, or NULL with the reason. */
static const struct hak_view *find_view(const char **why) {
    const struct hak_view *view = dlsym(RTLD_DEFAULT, "hak_view");
    *why = NULL;
    if (view == NULL)
        *why = "no hak_view exported";
    else if (view->magic != HAK_VIEW_MAGIC || view->version != HAK_VIEW_VERSION || view->size != sizeof *view ||
             view->thread_size != sizeof(struct hak_thread_view))
        *why = "hak_view is of another version than this benchmark";
    return *why == NULL ? view : NULL;
}

/* All mallocs and frees so far, by the two equations of struct hak_flow. */
static struct served count_served(const struct hak_view *view) {
    struct served sum = {view->finished.cached_mallocs + view->finished.served[HAK_ENTRY_MALLOC],
                         view->finished.cached_frees + view->finished.served[HAK_ENTRY_FREE]};
    for (const volatile struct hak_thread_view *t = view->threads; t != NULL; t = t->next) {
        sum.mallocs += t->tally.served[HAK_ENTRY_MALLOC];
        sum.frees += t->tally.served[HAK_ENTRY_FREE];
        for (unsigned c = 0; c < HAK_CLASS_COUNT; c++) {
            uint64_t mallocs = t->flow[c].mallocs_end - (uint64_t)(int64_t)t->slot[c].mallocs_left;
            sum.mallocs += mallocs;
            sum.frees += mallocs + t->flow[c].returned - t->flow[c].taken + t->flow[c].remote_frees;
            sum.frees += (uint64_t)((int64_t)t->flow[c].capacity - t->slot[c].room);
        }
    }
    return sum;
}

/* Peak resident memory. Not ru_maxrss: that one survives exec, so it would be the parent's if the parent was bigger. */
static long peak_kib(void) {
    char text[4096];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    text[length < 0 ? 0 : length] = '\0';
    const char *line = strstr(text, "VmHWM:");
    return line == NULL ? 0 : strtol(line + strlen("VmHWM:"), NULL, 10);
}

static void print_string(const char *key, const char *value) {
    printf(", \"%s\": \"", key);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            putchar('\\');
        putchar(*value);
    }
    putchar('"');
}

/* The file that the function at `address` was loaded from. Says where that begins in memory. */
static uintptr_t print_object(const char *key, uintptr_t address) {
    Dl_info info;
    bool known = dladdr((void *)address, &info) != 0 && info.dli_fname != NULL;
    print_string(key, known ? info.dli_fname : "?");
    return known ? (uintptr_t)info.dli_fbase : 0;
}

static int usage(const char *problem) {
    fprintf(stderr, "micro: %s\nusage: micro WORKLOAD SIZE PAIRS\n", problem);
    for (unsigned i = 0; i < WORKLOAD_COUNT; i++)
        fprintf(stderr, "  %-12s %s\n", workloads[i]->name, workloads[i]->summary);
    return 2;
}

static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *text != '-' && *number >= least && *number <= most;
}

static void report(const struct workload *w, uint64_t size, uint64_t pairs, uint64_t ns, const struct served *served,
                   const char *why) {
    printf("{\"workload\": \"%s\", \"size\": %llu, \"pairs\": %llu, \"ns_per_pair\": %.4f, \"peak_kib\": %ld", w->name,
           (unsigned long long)size, (unsigned long long)pairs, (double)ns / (double)pairs, peak_kib());
    uintptr_t base = print_object("malloc", (uintptr_t)&malloc);
    print_object("free", (uintptr_t)&free);
    printf(", \"malloc_base\": %llu", (unsigned long long)base);
    if (why == NULL)
        printf(", \"hakmem_mallocs\": %llu, \"hakmem_frees\": %llu}\n", (unsigned long long)served->mallocs,
               (unsigned long long)served->frees);
    else {
        print_string("hakmem_absent", why);
        printf("}\n");
    }
}

int main(int argc, char **argv) {
    uint64_t size;
    uint64_t pairs;
    const struct workload *w = NULL;
    if (argc != 4)
        return usage("three arguments needed");
    for (unsigned i = 0; i < WORKLOAD_COUNT; i++)
        if (strcmp(argv[1], workloads[i]->name) == 0)
            w = workloads[i];
    if (w == NULL)
        return usage("no such workload");
    /* 0 where the workload chooses sizes itself; never below the word that use_block writes */
    if (!parse_number(argv[2], w->takes_size ? sizeof(uintptr_t) : 0, w->takes_size ? 1u << 30 : 0, &size))
        return usage("bad SIZE (8 or more; 0 if the workload has sizes of its own)");
    if (!parse_number(argv[3], 1, UINT64_MAX / 4, &pairs))
        return usage("bad PAIRS");

    const char *why;
    const struct hak_view *view = find_view(&why);
    struct served before = {0, 0};
    struct served after = {0, 0};
    if (w->setup != NULL)
        w->setup(size);
    w->run(w->warm_pairs);
    if (view != NULL)
        before = count_served(view);
    uint64_t start = now_ns();
    pairs = w->run(pairs);
    uint64_t ns = now_ns() - start;
    if (view != NULL)
        after = count_served(view);
    if (w->teardown != NULL)
        w->teardown();
    struct served served = {after.mallocs - before.mallocs, after.frees - before.frees};
    report(w, size, pairs, ns, &served, why);
    return 0;
}
