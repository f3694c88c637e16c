/* api/stats.c
 * Purpose.     What hakmem says of itself through the C library's names: mallinfo, malloc_info, malloc_stats, and
 *              malloc_trim and mallopt.
 * Design.      glibc's fields with hakmem's numbers: `arena` and `hblkhd` are what slabs and Large blocks, and Huge
 *              blocks have of the system; `uordblks` is what of the former is in use. Collected first, printed after,
 *              since printing may allocate.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/entry.h"
#include "api/init.h"
#include "base/format.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/purge.h"
#include "segment/view.h"

struct numbers {
    struct hak_class_sum class_sum[HAK_CLASS_COUNT];
    uint64_t live_small; /* bytes of live Tiny and Mid blocks */
    uint64_t live_tiny_blocks;
    uint64_t live_mid_blocks;
    uint64_t threads;
    struct hak_view view; /* a copy of one moment */
};

static void add_thread(const struct hak_thread_view *view, void *context)
{
    struct numbers *n = context;
    n->threads++;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_flow *flow = &view->flow[c];
        uint64_t mallocs = owner_load(&flow->mallocs_end) - (uint64_t)owner_load(&view->slot[c].mallocs_left);
        uint64_t cached = (uint64_t)(owner_load(&flow->capacity) - owner_load(&view->slot[c].room));
        n->class_sum[c].mallocs += mallocs;
        n->class_sum[c].frees += mallocs + owner_load(&flow->returned) - owner_load(&flow->taken) + cached +
                                 owner_load(&flow->remote_frees);
    }
}

static void collect(struct numbers *n)
{
    memset(n, 0, sizeof *n);
    (void)hak_api_thread();
    hak_thread_visit(add_thread, n);
    lock_acquire(hak_arena_lock());
    n->view = hak_view;
    lock_release(hak_arena_lock());
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        n->class_sum[c].mallocs += n->view.finished_class[c].mallocs;
        n->class_sum[c].frees += n->view.finished_class[c].frees;
        uint64_t live = n->class_sum[c].mallocs - n->class_sum[c].frees;
        n->live_small += live * size_class_bytes(c);
        *(c <= HAK_TINY_CLASSES ? &n->live_tiny_blocks : &n->live_mid_blocks) += live;
    }
}

struct mallinfo2 hak_entry_mallinfo2(void)
{
    struct numbers n;
    collect(&n);
    uint64_t in_use = n.live_small + n.view.large_bytes;
    struct mallinfo2 info = {
        .arena = n.view.committed_bytes - n.view.huge_bytes,
        .ordblks = n.live_tiny_blocks + n.live_mid_blocks,
        .hblkhd = n.view.huge_bytes,
        .uordblks = in_use,
        .keepcost = n.view.retained_bytes,
    };
    info.fordblks = info.arena > in_use ? info.arena - in_use : 0;
    return info;
}

static int at_most_int_max(size_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

struct mallinfo hak_entry_mallinfo(void)
{
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

static const struct {
    const char *name;
    size_t offset;
} totals[] = {
    {"mapped", offsetof(struct hak_view, mapped_bytes)},
    {"committed", offsetof(struct hak_view, committed_bytes)},
    {"active", offsetof(struct hak_view, active_bytes)},
    {"retained", offsetof(struct hak_view, retained_bytes)},
    {"metadata", offsetof(struct hak_view, metadata_bytes)},
    {"purged", offsetof(struct hak_view, purged_bytes)},
    {"large", offsetof(struct hak_view, large_bytes)},
    {"huge", offsetof(struct hak_view, huge_bytes)},
    {"slab-superslabs", offsetof(struct hak_view, slab_superslabs)},
    {"large-superslabs", offsetof(struct hak_view, large_superslabs)},
    {"errors", offsetof(struct hak_view, errors)},
};

static uint64_t total_value(const struct numbers *n, size_t i)
{
    return *(const uint64_t *)(const void *)((const char *)&n->view + totals[i].offset);
}

int hak_entry_malloc_info(int options, FILE *stream)
{
    if (options != 0)
        return EINVAL;
    struct numbers n;
    collect(&n);
    fprintf(stream, "<malloc version=\"1\" allocator=\"hakmem\" release=\"%s\">\n<sizes>\n", hak_version());
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_class_sum *sum = &n.class_sum[c];
        if (sum->mallocs != 0)
            fprintf(stream, "  <size class=\"%u\" bytes=\"%zu\" mallocs=\"%llu\" frees=\"%llu\" live=\"%llu\"/>\n", c,
                    size_class_bytes(c), (unsigned long long)sum->mallocs, (unsigned long long)sum->frees,
                    (unsigned long long)(sum->mallocs - sum->frees));
    }
    fprintf(stream, "</sizes>\n<total type=\"live-small\" size=\"%llu\"/>\n<total type=\"threads\" count=\"%llu\"/>\n",
            (unsigned long long)n.live_small, (unsigned long long)n.threads);
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
        fprintf(stream, "<total type=\"%s\" size=\"%llu\"/>\n", totals[i].name,
                (unsigned long long)total_value(&n, i));
    fprintf(stream, "</malloc>\n");
    return 0;
}

static void print_number(const char *name, uint64_t value)
{
    char line[96];
    struct format f = format_into(line, sizeof line);
    format_text(&f, "hakmem: ");
    format_text(&f, name);
    format_text(&f, " ");
    format_number(&f, (int64_t)value);
    format_text(&f, "\n");
    format_write(&f, STDERR_FILENO);
}

void hak_entry_malloc_stats(void)
{
    struct numbers n;
    collect(&n);
    print_number("live tiny blocks", n.live_tiny_blocks);
    print_number("live mid blocks", n.live_mid_blocks);
    print_number("live tiny and mid bytes", n.live_small);
    print_number("threads", n.threads);
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
        print_number(totals[i].name, total_value(&n, i));
}

bool hak_trim(void)
{
    (void)hak_api_thread();
    hak_thread_flush();
    return hak_purge_all();
}

int hak_entry_malloc_trim(size_t pad)
{
    (void)pad;
    return hak_trim() ? 1 : 0;
}

/* glibc's parameters tune bins, tops and arenas, which hakmem does not have: none is taken, and that is said. */
int hak_entry_mallopt(int parameter, int value)
{
    (void)parameter;
    (void)value;
    return 0;
}

const char *hak_version(void)
{
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
    return TEXT(HAK_VERSION_MAJOR) "." TEXT(HAK_VERSION_MINOR) "." TEXT(HAK_VERSION_PATCH);
}
