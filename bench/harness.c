/* bench/harness.c
 * Purpose.     The program `micro`: one workload, once, and who served it.
 * Design.      Prints one line of JSON: nanoseconds per pair (wall time over the pairs of all threads), memory, the
 *              calls that the workload made, the objects that malloc and free are bound to, and, if hakmem is loaded,
 *              the calls that its own books counted between the two readings of the clock. Bound at start-up (-z now),
 *              so the address looked up here is the one that the loop calls. With --latency the copy of the workload
 *              runs that times each call. --list is what a driver needs to know of all workloads.
 * Concurrency. The books are read while no other thread runs.
 * Not here.    Repetition, comparison and refusal (run.py).
 */
#define _GNU_SOURCE
#include "harness.h"

#include "latency.h"

#include "count.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORKLOAD_ROW(name) {&workload_##name, &latency_##name},
static const struct { const struct workload *plain, *timed; } workloads[] = {WORKLOADS(WORKLOAD_ROW)};
enum { WORKLOAD_COUNT = sizeof workloads / sizeof workloads[0], NOTE_COUNT = 16, STACK_BYTES = 64 * 1024 };

unsigned thread_count = 1;
static uint64_t clock_start;
static struct {
    const char *key;
    uint64_t value;
} notes[NOTE_COUNT];
static unsigned notes_taken;
static bool has_counters; /* the library counts what HAKMEM_ENABLE_STATS is about */

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void restart_clock(void) {
    clock_start = now_ns();
}

/* ---- threads ---- */

struct crew {
    void (*body)(unsigned index);
    pthread_barrier_t start;
};

struct crew_member {
    struct crew *crew;
    unsigned index;
};

static void *work(void *argument) {
    struct crew_member *member = argument;
    pthread_barrier_wait(&member->crew->start);
    member->crew->body(member->index);
    return NULL;
}

void start_thread(pthread_t *thread, void *(*body)(void *), void *argument) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK_BYTES) != 0 ||
        pthread_create(thread, &attributes, body, argument) != 0) {
        fprintf(stderr, "micro: cannot start a thread; fewer THREADS, or a higher limit of processes\n");
        exit(1);
    }
    pthread_attr_destroy(&attributes);
}

void run_threads(unsigned count, void (*body)(unsigned index)) {
    static struct crew_member members[THREADS_LIMIT];
    static pthread_t threads[THREADS_LIMIT];
    struct crew crew = {.body = body};
    pthread_barrier_init(&crew.start, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        members[i] = (struct crew_member){&crew, i};
        start_thread(&threads[i], work, &members[i]);
    }
    restart_clock();
    pthread_barrier_wait(&crew.start);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crew.start);
}

/* ---- memory ---- */

/* A line of /proc/self/status. Not ru_maxrss: it survives exec and may be the parent's. */
static uint64_t status_kib(const char *key) {
    char text[4096];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    text[length < 0 ? 0 : length] = '\0';
    const char *line = strstr(text, key);
    return line == NULL ? 0 : strtoull(line + strlen(key), NULL, 10);
}

uint64_t resident_kib(void) {
    return status_kib("VmRSS:");
}

void note(const char *key, uint64_t value) {
    if (notes_taken < NOTE_COUNT) {
        notes[notes_taken].key = key;
        notes[notes_taken++].value = value;
    }
}

/* ---- hakmem's books ---- */

/* hakmem's exported books, or NULL with the reason. */
static const struct hak_view *find_view(const char **why) {
    const struct hak_view *view = dlsym(RTLD_DEFAULT, "hak_view");
    *why = NULL;
    if (view == NULL)
        *why = "no hak_view exported";
    else if (view->magic != HAK_VIEW_MAGIC || view->version != HAK_VIEW_VERSION || view->size != sizeof *view ||
             view->thread_size != sizeof(struct hak_thread_view))
        *why = "hak_view is of another version than this benchmark";
    has_counters = *why == NULL && view->counter_count == HAK_COUNTER_COUNT;
    return *why == NULL ? view : NULL;
}

static struct counts count_served(const struct hak_view *view) {
    struct counts counts = {0};
    if (view == NULL)
        return counts;
    counts_begin(&counts, view);
    if (has_counters)
        counts_add_counters(&counts, view->counters);
    for (const struct hak_thread_view *t = view->threads; t != NULL; t = t->next) {
        counts_add_thread(&counts, t);
        if (has_counters)
            counts_add_counters(&counts, (const uint64_t *)(t + 1));
    }
    counts_finish(&counts);
    return counts;
}

/* ---- output ---- */

static void print_string(const char *value) {
    putchar('"');
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
    printf(", \"%s\": ", key);
    print_string(known ? info.dli_fname : "?");
    return known ? (uintptr_t)info.dli_fbase : 0;
}

static void print_calls(const char *key, const struct calls *calls) {
    printf(", \"%s\": {\"malloc\": %llu, \"calloc\": %llu, \"realloc\": %llu, \"free\": %llu}", key,
           (unsigned long long)calls->malloc, (unsigned long long)calls->calloc, (unsigned long long)calls->realloc,
           (unsigned long long)calls->free);
}

/* hakmem's debug counters, and what follows from them. */
static void print_counters(const struct counts *c) {
    printf(", \"hakmem_counters\": {");
#define COUNTER_PRINT(id, name, what) printf("\"" name "\": %llu, ", (unsigned long long)c->counter[HAK_COUNTER_##id]);
    HAK_COUNTERS(COUNTER_PRINT)
#undef COUNTER_PRINT
    const char *separator = "";
#define DERIVED_PRINT(name, value, what)                                                                               \
    printf("%s\"" #name "\": %llu", separator, (unsigned long long)(value));                                           \
    separator = ", ";
    DERIVED_COUNTERS(DERIVED_PRINT)
#undef DERIVED_PRINT
    printf("}");
}

static void list_workloads(void) {
    for (unsigned i = 0; i < WORKLOAD_COUNT; i++) {
        const struct workload *w = workloads[i].plain;
        printf("%s{\"name\": \"%s\", \"suite\": \"%s\", \"summary\": \"%s\", \"size_unit\": \"%s\", \"sizes\": [",
               i == 0 ? "[" : ",\n ", w->name, w->suite, w->summary, w->size_unit == NULL ? "B" : w->size_unit);
        for (const uint64_t *size = w->sizes; *size != 0; size++)
            printf("%s%llu", size == w->sizes ? "" : ", ", (unsigned long long)*size);
        printf("], \"threads\": [");
        for (const unsigned *threads = w->threads; *threads != 0; threads++)
            printf("%s%u", threads == w->threads ? "" : ", ", *threads);
        printf("], \"pairs\": %llu, \"unit\": \"%s\"}", (unsigned long long)w->pairs,
               w->unit == NULL ? "pair" : w->unit);
    }
    printf("]\n");
}

__attribute__((format(printf, 1, 2))) static int usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "micro: ");
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nusage: micro WORKLOAD SIZE PAIRS [THREADS] [--latency] | micro --list\n");
    return 2;
}

/* ---- one run ---- */

struct request {
    const struct workload *workload;
    uint64_t size, pairs;
    bool latency;
};

static void report(const struct request *request, uint64_t ns, uint64_t rss_kib, const struct counts *served,
                   const char *why) {
    const struct workload *w = request->workload;
    uint64_t pairs = request->pairs;
    struct calls made = w->calls != NULL ? w->calls(pairs) : (struct calls){.malloc = pairs, .free = pairs};
    printf("{\"workload\": \"%s\", \"size\": %llu, \"threads\": %u, \"pairs\": %llu, \"ns_per_pair\": %.4f", w->name,
           (unsigned long long)request->size, thread_count, (unsigned long long)pairs, (double)ns / (double)pairs);
    printf(", \"peak_kib\": %llu, \"rss_kib_after\": %llu", (unsigned long long)status_kib("VmHWM:"),
           (unsigned long long)rss_kib);
    for (unsigned i = 0; i < notes_taken; i++)
        printf(", \"%s\": %llu", notes[i].key, (unsigned long long)notes[i].value);
    print_calls("calls", &made);
    uintptr_t base = print_object("malloc", (uintptr_t)&malloc);
    print_object("free", (uintptr_t)&free);
    printf(", \"malloc_base\": %llu", (unsigned long long)base);
    if (request->latency)
        latency_print();
    if (why == NULL) {
        struct calls counted = {served->served[HAK_ENTRY_MALLOC], served->served[HAK_ENTRY_CALLOC],
                                served->served[HAK_ENTRY_REALLOC], served->served[HAK_ENTRY_FREE] - served->null_frees};
        print_calls("hakmem_calls", &counted);
        if (has_counters)
            print_counters(served);
        printf(", \"hakmem_mallocs\": %llu, \"hakmem_frees\": %llu}\n", (unsigned long long)served->allocations,
               (unsigned long long)served->frees);
    } else {
        printf(", \"hakmem_absent\": ");
        print_string(why);
        printf("}\n");
    }
}

static void measure(struct request *request) {
    const struct workload *w = request->workload;
    const char *why;
    const struct hak_view *view = find_view(&why);
    if (w->setup != NULL)
        w->setup(request->size);
    if (w->warm_pairs != 0)
        w->run(w->warm_pairs);
    if (request->latency)
        latency_begin();
    struct counts before = count_served(view);
    restart_clock();
    request->pairs = w->run(request->pairs);
    uint64_t ns = now_ns() - clock_start;
    if (request->latency)
        latency_end();
    struct counts served = count_served(view);
    counts_subtract(&served, &before);
    uint64_t rss_kib = resident_kib();
    if (w->after != NULL)
        w->after();
    if (w->teardown != NULL)
        w->teardown();
    report(request, ns, rss_kib, &served, why);
}

static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *text != '-' && *number >= least && *number <= most;
}

int main(int argc, char **argv) {
    struct request request = {.latency = argc > 1 && strcmp(argv[argc - 1], "--latency") == 0};
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list_workloads();
        return 0;
    }
    argc -= request.latency;
    if (argc < 4 || argc > 5)
        return usage("three or four arguments needed");
    for (unsigned i = 0; i < WORKLOAD_COUNT; i++)
        if (strcmp(argv[1], workloads[i].plain->name) == 0)
            request.workload = request.latency ? workloads[i].timed : workloads[i].plain;
    if (request.workload == NULL)
        return usage("no workload '%s' (micro --list names them)", argv[1]);
    uint64_t least = request.workload->size_unit == NULL ? sizeof(uintptr_t) : 1; /* use_block writes a word */
    if (request.workload->sizes[0] == 0) {
        if (!parse_number(argv[2], 0, 0, &request.size))
            return usage("bad SIZE '%s' (%s has sizes of its own: 0)", argv[2], argv[1]);
    } else if (!parse_number(argv[2], least, 1u << 30, &request.size))
        return usage("bad SIZE '%s' (%s takes %d to 2^30)", argv[2], argv[1], (int)least);
    if (!parse_number(argv[3], 1, UINT64_MAX / 4, &request.pairs))
        return usage("bad PAIRS '%s' (1 or more)", argv[3]);
    uint64_t threads = request.workload->threads[0] == 0 ? 1 : request.workload->threads[0];
    if (argc == 5 && !parse_number(argv[4], 1, request.workload->threads[0] == 0 ? 1 : THREADS_LIMIT, &threads))
        return usage("bad THREADS '%s' (%s takes 1 to %d)", argv[4], argv[1],
                     request.workload->threads[0] == 0 ? 1 : THREADS_LIMIT);
    thread_count = (unsigned)threads;
    measure(&request);
    return 0;
}
