/* top_show.c
 * Purpose.     See top.h: the screen of one process.
 * Design.      From the whole to the parts. Where lines are few the tables of classes and threads are cut, a third for
 *              the threads.
 */
#include "top.h"

#include "basics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* From so many lines on there are empty ones between the parts. */
#define AIRY_LINES 32u
#define CURVE_TITLE 5 // columns

const char top_keys[] = "q quit  s < > sort  ^ v order  p pause  + - interval  w write  ? help";

static void gap(struct room room, struct page *page) {
    if (room.lines == 0 || room.lines >= AIRY_LINES)
        page_add(page, STYLE_PLAIN, "%s", "");
}

/* ---- head ---- */

static void show_head(const struct top *top, struct page *page) {
    uint64_t age = top->now->age > 0 ? (uint64_t)top->now->age : 0;
    page_add(page, STYLE_STRONG, "%d  %.100s", (int)top->pid, top->program);
    page_add(page, STYLE_PLAIN, "up %" PRIu64 ":%02u:%02u   threads %" PRIu64 ", with caches %" PRIu64, age / 3600,
             (unsigned)(age / 60 % 60), (unsigned)(age % 60), top->now->os_threads, top->now->figures.known.threads);
    page_append(page, "   every %g s%s", top->interval, top->paused ? "   PAUSED" : "");
}

static void show_memory(const struct look *now, struct page *page) {
    const struct figures *figures = &now->figures;
    const uint64_t bytes[] = {now->account.kernel_bytes,    figures->known.live_bytes,     figures->known.active_bytes,
                              figures->resident_bytes,      figures->known.retained_bytes, figures->known.mapped_bytes,
                              figures->known.metadata_bytes};
    page_add(page, STYLE_HEAD, "%11s%10s%10s%10s%10s%12s%10s", "KiB    RSS", "live", "active", "resident", "retained",
             "mapped", "metadata");
    page_add(page, STYLE_PLAIN, "%11" PRIu64, kib(bytes[0]));
    for (size_t i = 1; i < sizeof bytes / sizeof *bytes; i++)
        page_append(page, "%*" PRIu64, i == 5 ? 12 : 10, kib(bytes[i]));
}

/* A number per second, or a mark for one that is not known. */
static void append_rate(struct page *page, int columns, bool known, double rate) {
    if (known)
        page_append(page, "%*.0f", columns, rate);
    else
        page_append(page, "%*s", columns, "-");
}

static void show_rates(const struct top *top, struct page *page) {
    struct rates rates = rates_between(top->before, top->now);
    bool known = top->before != NULL;
    page_add(page, STYLE_HEAD, "%11s%13s%13s%13s%13s%13s", "per second", "allocations", "frees", "alloc. KiB",
             "refills", "purged KiB");
    page_add(page, STYLE_PLAIN, "%11s", "");
    append_rate(page, 13, known, rates.allocations);
    append_rate(page, 13, known, rates.frees);
    append_rate(page, 13, known, rates.allocated_bytes / 1024);
    append_rate(page, 13, known && top->now->counts_refills, rates.refills);
    append_rate(page, 13, known, rates.purged_bytes / 1024);
}

/* ---- bar ---- */

static const struct {
    const char *title;
    int columns;
} groups[] = {{"live", 11},     {"cached", 11},   {"free slots", 14},
              {"retained", 12}, {"metadata", 12}, {"not hakmem's", 16}};
#define GROUP_COUNT (sizeof groups / sizeof *groups)
_Static_assert(sizeof PAGE_BAR == GROUP_COUNT + 1, "a letter for each");

enum { LIVE, CACHED, FREE_SLOTS, RETAINED, METADATA, OTHERS };
static const unsigned char group_of[PART_COUNT] = {
    [PART_LIVE] = LIVE,        [PART_CACHES] = CACHED,         [PART_OUTBOXES] = CACHED,   [PART_SPARES] = CACHED,
    [PART_TRANSFERS] = CACHED, [PART_FREE_SLOTS] = FREE_SLOTS, [PART_TAILS] = FREE_SLOTS,  [PART_RETAINED] = RETAINED,
    [PART_SLACK] = RETAINED,   [PART_METADATA] = METADATA,     [PART_PAGE_MAP] = METADATA, [PART_LIBRARY] = METADATA,
    [PART_STACKS] = OTHERS,    [PART_FILES] = OTHERS,          [PART_SHARED] = OTHERS,     [PART_LIBC_HEAP] = OTHERS,
    [PART_ANONYMOUS] = OTHERS,
};

static void show_bar(const struct look *now, struct room room, struct page *page) {
    uint64_t bytes[GROUP_COUNT] = {0}, sum = account_sum(&now->account);
    for (unsigned i = 0; i < PART_COUNT; i++)
        bytes[group_of[i]] += now->account.part[i];
    size_t columns = room.columns;
    char *bar = need(columns + 1);
    uint64_t end = bytes[0];
    for (size_t i = 0, group = 0; i < columns && sum != 0; i++) {
        double middle = ((double)i + 0.5) * (double)sum / (double)columns;
        while (group + 1 < GROUP_COUNT && (double)end <= middle)
            end += bytes[++group];
        bar[i] = PAGE_BAR[group];
    }
    page_add(page, STYLE_BAR, "%s", bar);
    free(bar);
    page_add(page, STYLE_PLAIN, "%-4s", "RSS");
    for (size_t i = 0; i < GROUP_COUNT; i++)
        page_append(page, "%*c %s", groups[i].columns - (int)strlen(groups[i].title) - 1, PAGE_BAR[i], groups[i].title);
    page_add(page, STYLE_PLAIN, "%-4s", "KiB");
    for (size_t i = 0; i < GROUP_COUNT; i++)
        page_append(page, "%*" PRIu64, groups[i].columns, kib(bytes[i]));
    page_add(page, STYLE_PLAIN, "%-4s", "%");
    for (size_t i = 0; i < GROUP_COUNT; i++)
        page_append(page, "%*.1f", groups[i].columns, percent(bytes[i], sum));
}

/* ---- curves ---- */

static void show_curve(const struct top *top, enum curve curve, const char *title, struct room room,
                       struct page *page) {
    static const char *const block[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    enum { LEVELS = sizeof block / sizeof *block, NOTE = 36 };
    const struct history *history = &top->history;
    size_t columns = room.columns > NOTE + CURVE_TITLE + 8 ? room.columns - NOTE - CURVE_TITLE : 8;
    columns = history->count < columns ? history->count : columns;
    uint64_t peak = history_column(history, curve, 0, 1);
    double seconds = history->sample[history->count - 1].at - history->sample[0].at;
    page_add(page, STYLE_PLAIN, "%-*s", CURVE_TITLE, title);
    for (size_t i = 0; i < columns; i++) {
        uint64_t bytes = history_column(history, curve, i, columns);
        size_t level = peak != 0 ? (size_t)((double)bytes / (double)peak * (LEVELS - 1) + 0.5) : 0;
        page_append(page, "%s", (room.block_elements ? block : ascii)[level]);
    }
    page_append(page, "  at most %" PRIu64 " KiB in %.0f s", kib(peak), seconds);
}

/* ---- tables ---- */

static void show_tiers(const struct top *top, struct page *page) {
#define TIER_NAME(id, name) name,
    static const char *const name[] = {HAK_TIERS(TIER_NAME)};
#undef TIER_NAME
    bool known = top->before != NULL;
    page_add(page, STYLE_HEAD, "%11s%13s%13s%15s%13s", "tier", "live KiB", "live blocks", "allocations/s", "frees/s");
    for (unsigned i = 0; i < HAK_TIER_COUNT; i++) {
        struct tier_row row = rates_of_tier(top->before, top->now, i);
        page_add(page, STYLE_PLAIN, "%11s%13" PRIu64 "%13" PRIu64, name[i], kib(row.live_bytes), row.live_blocks);
        append_rate(page, 15, known, row.allocations);
        append_rate(page, 13, known, row.frees);
    }
}

static void show_class_title(const struct top *top, struct page *page) {
    static const struct {
        const char *title;
        enum class_order order;
    } column[] = {{"block bytes", ORDER_SIZE}, {"live KiB", ORDER_LIVE},     {"live blocks", ORDER_COUNT},
                  {"calls/s", ORDER_CALLS},    {"unused KiB", ORDER_UNUSED}, {"unused %", ORDER_COUNT},
                  {"slabs", ORDER_COUNT}};
    page_add(page, STYLE_HEAD, "%s", "");
    for (size_t i = 0; i < sizeof column / sizeof *column; i++) {
        bool sorted = column[i].order == top->order;
        const char *mark = top->ascending ? "^" : "v";
        page_append(page, "%*s%s", (i == 0 ? 11 : 12) - sorted, column[i].title, sorted ? mark : "");
    }
}

/* At most `most` of the classes, of the threads. */
static void show_classes(const struct top *top, size_t most, struct page *page) {
    struct class_row row[HAK_CLASS_COUNT];
    size_t count = rates_of_classes(top->before, top->now, top->order, top->ascending, row);
    show_class_title(top, page);
    for (size_t i = 0; i < count && i < most; i++) {
        page_add(page, STYLE_PLAIN, "%11" PRIu32 "%12" PRIu64 "%12" PRIu64, row[i].block_bytes, kib(row[i].live_bytes),
                 row[i].live_blocks);
        append_rate(page, 12, top->before != NULL, row[i].calls);
        page_append(page, "%12" PRIu64 "%12.1f%12" PRIu64, kib(row[i].unused_bytes), row[i].unused_percent,
                    row[i].slabs);
    }
}

static void show_threads(const struct top *top, size_t most, struct page *page) {
    struct thread_row *row = rates_of_threads(top->before, top->now);
    page_add(page, STYLE_HEAD, "%11s%15s%13s%13s  %s", "thread", "allocations/s", "frees/s", "cached KiB", "name");
    for (size_t i = 0; i < top->now->thread_count && i < most; i++) {
        page_add(page, STYLE_PLAIN, "%11d", (int)row[i].thread->tid);
        append_rate(page, 15, top->before != NULL, row[i].allocations);
        append_rate(page, 13, top->before != NULL, row[i].frees);
        page_append(page, "%13" PRIu64 "  %s", kib(row[i].thread->cached_bytes), row[i].thread->name);
    }
    free(row);
}

void top_show(const struct top *top, struct room room, struct page *page) {
    show_head(top, page);
    gap(room, page);
    show_memory(top->now, page);
    show_rates(top, page);
    gap(room, page);
    show_bar(top->now, room, page);
    gap(room, page);
    show_curve(top, CURVE_RSS, "RSS", room, page);
    show_curve(top, CURVE_LIVE, "live", room, page);
    gap(room, page);
    show_tiers(top, page);
    gap(room, page);
    size_t classes = SIZE_MAX, threads = SIZE_MAX;
    if (room.lines != 0) {
        size_t left = room.lines > page->count ? room.lines - page->count : 0;
        threads = top->now->thread_count < left / 3 ? top->now->thread_count : left / 3;
        size_t taken = threads + 3; // titles, gap
        classes = left > taken ? left - taken : 0;
    }
    show_classes(top, classes, page);
    gap(room, page);
    show_threads(top, threads, page);
}

void top_show_help(struct page *page) {
    static const char *const text[] = {
        "keys",
        "  q            quit",
        "  s, right     sort the size classes by the next of: live bytes, calls, unused bytes, size",
        "  left         by the one before",
        "  up, down     the smallest, the largest first",
        "  p            pause: what is shown stays",
        "  + -          look less often, more often",
        "  w            write what hakmem explain and hakmem stat tell of this moment to a file",
        "  control-L    draw the screen again from nothing",
        "",
        "words (doc/STATS.md tells more)",
        "  alloc. KiB   of memory handed out per second, in blocks and by realloc to blocks in their place",
        "  refills      of thread caches; '-' if the library counts none",
        "  purged       given back to the kernel",
        "  unused       in slabs and not live: free slots, thread caches, ends: fragmentation",
        "  free slots   also ends of slabs and blocks that no block reaches",
        "  retained     free, not given back yet; also never used and resident with a huge page",
        "  metadata     records, page map, the library itself",
        "  v ^          what a table is sorted by, the largest or the smallest first",
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        page_add(page, text[i][0] != ' ' ? STYLE_STRONG : STYLE_PLAIN, "%s", text[i]);
}
