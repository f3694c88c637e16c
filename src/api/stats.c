/* api/stats.c
 * Purpose.     What hakmem says of itself through the C library's names: mallinfo, malloc_info, malloc_stats, and
 *              malloc_trim and mallopt.
 * Design.      glibc's fields with hakmem's numbers: `arena` and `hblkhd` are what slabs and Large blocks, and Huge
 *              blocks have of the system; `uordblks` is what of the former is in use. No lock is held while
 *              printing, which may allocate.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "api/entry.h"
#include "api/init.h"
#include "base/compiler.h"
#include "base/format.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread_list.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/purge.h"
#include "segment/view.h"

/* The byte counts of hak_view that are printed, with their names. */
#define TOTALS(X)                                                                                                      \
    X(mapped, mapped_bytes)                                                                                            \
    X(committed, committed_bytes)                                                                                      \
    X(active, active_bytes)                                                                                            \
    X(retained, retained_bytes)                                                                                        \
    X(metadata, metadata_bytes)                                                                                        \
    X(purged, purged_bytes)                                                                                            \
    X(large, large_bytes)                                                                                              \
    X(huge, huge_bytes)                                                                                                \
    X(slab_superslabs, slab_superslabs)                                                                                \
    X(large_superslabs, large_superslabs)                                                                              \
    X(errors, errors)

struct totals {
#define TOTAL_FIELD(name, field) uint64_t name;
    TOTALS(TOTAL_FIELD)
#undef TOTAL_FIELD
    uint64_t live_small; /* bytes of live Tiny and Mid blocks */
    uint64_t live_large; /* bytes of live Large blocks */
    uint64_t live_blocks;
    uint64_t threads;
};

static uint64_t above_classes(const struct hak_tally *tally) {
    return owner_load(&tally->large_allocated_bytes) - owner_load(&tally->large_freed_bytes);
}

static struct totals collect(void) {
    struct totals totals = {.threads = 0};
    (void)hak_api_thread();
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct hak_class_sum sum = hak_thread_list_class_sum(c, &totals.threads);
        uint64_t live = sum.mallocs - sum.frees;
        totals.live_blocks += live;
        totals.live_small += live * size_class_bytes(c);
    }
    lock_acquire(hak_arena_lock());
#define TOTAL_READ(name, field) totals.name = load_relaxed(&hak_view.field);
    TOTALS(TOTAL_READ)
#undef TOTAL_READ
    lock_release(hak_arena_lock());
    totals.live_large = above_classes(&hak_view.recordless) - totals.huge;
    for (const struct hak_thread_view *view = load_acquire(&hak_view.threads); view != NULL; view = view->next)
        totals.live_large += above_classes(&view->tally);
    if ((int64_t)totals.live_large < 0) /* calls in flight */
        totals.live_large = 0;
    return totals;
}

struct mallinfo2 hak_entry_mallinfo2(void) {
    struct totals totals = collect();
    uint64_t in_use = totals.live_small + totals.live_large;
    struct mallinfo2 info = {
        .arena = totals.committed - totals.huge,
        .ordblks = totals.live_blocks,
        .hblkhd = totals.huge,
        .uordblks = in_use,
        .keepcost = totals.retained,
    };
    info.fordblks = info.arena > in_use ? info.arena - in_use : 0;
    return info;
}

static int at_most_int_max(size_t value) {
    return value > INT_MAX ? INT_MAX : (int)value;
}

struct mallinfo hak_entry_mallinfo(void) {
    struct mallinfo2 wide = hak_entry_mallinfo2();
    return (struct mallinfo){
        .arena = at_most_int_max(wide.arena),
        .ordblks = at_most_int_max(wide.ordblks),
        .hblkhd = at_most_int_max(wide.hblkhd),
        .uordblks = at_most_int_max(wide.uordblks),
        .fordblks = at_most_int_max(wide.fordblks),
        .keepcost = at_most_int_max(wide.keepcost),
    };
}

SLOW int hak_entry_malloc_info(int options, FILE *stream) {
    if (options != 0)
        return EINVAL;
    struct totals totals = collect();
    fprintf(stream, "<malloc version=\"1\" allocator=\"hakmem\" release=\"%s\">\n<sizes>\n", hak_version());
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        uint64_t threads;
        struct hak_class_sum sum = hak_thread_list_class_sum(c, &threads);
        if (sum.mallocs != 0)
            fprintf(stream, "  <size class=\"%u\" bytes=\"%zu\" mallocs=\"%llu\" frees=\"%llu\" live=\"%llu\"/>\n", c,
                    size_class_bytes(c), (unsigned long long)sum.mallocs, (unsigned long long)sum.frees,
                    (unsigned long long)(sum.mallocs - sum.frees));
    }
    fprintf(stream, "</sizes>\n");
#define TOTAL_XML(name, field)                                                                                         \
    fprintf(stream, "<total type=\"" #name "\" size=\"%llu\"/>\n", (unsigned long long)totals.name);
    TOTALS(TOTAL_XML)
#undef TOTAL_XML
    fprintf(stream, "<total type=\"live_small\" size=\"%llu\"/>\n<total type=\"threads\" count=\"%llu\"/>\n</malloc>\n",
            (unsigned long long)totals.live_small, (unsigned long long)totals.threads);
    return 0;
}

static void print_number(const char *name, uint64_t value) {
    char line[96];
    struct format f = format_into(line, sizeof line);
    format_text(&f, "hakmem: ");
    format_text(&f, name);
    format_text(&f, "=");
    format_number(&f, (int64_t)value);
    format_text(&f, "\n");
    format_write(&f, STDERR_FILENO);
}

#if HAK_STATS
static void count_print(void) {
#define COUNTER_PRINT(id, name, what) print_number(name, hak_thread_list_counter(HAK_COUNTER_##id));
    HAK_COUNTERS(COUNTER_PRINT)
#undef COUNTER_PRINT
}
#define COUNT_PRINT() count_print()
#else
#define COUNT_PRINT() ((void)0)
#endif

SLOW void hak_entry_malloc_stats(void) {
    struct totals totals = collect();
#define TOTAL_PRINT(name, field) print_number(#name, totals.name);
    TOTALS(TOTAL_PRINT)
#undef TOTAL_PRINT
    print_number("live_small", totals.live_small);
    print_number("live_blocks", totals.live_blocks);
    print_number("threads", totals.threads);
    COUNT_PRINT();
}

bool hak_trim(void) {
    (void)hak_api_thread();
    hak_thread_flush();
    return hak_purge_all();
}

int hak_entry_malloc_trim(size_t pad) {
    (void)pad;
    return hak_trim() ? 1 : 0;
}

/* glibc's parameters tune bins, tops and arenas, which hakmem does not have: none is taken, and that is said. */
int hak_entry_mallopt(int parameter, int value) {
    (void)parameter;
    (void)value;
    return 0;
}

const char *hak_version(void) {
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
    return TEXT(HAK_VERSION_MAJOR) "." TEXT(HAK_VERSION_MINOR) "." TEXT(HAK_VERSION_PATCH);
}
