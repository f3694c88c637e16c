/* account_print.c
 * Purpose.     The parts of account.h as text and JSON, the largest first, and what changes each.
 */
#include "account.h"

#include "basics.h"
#include "json.h"

#include <inttypes.h>

enum owner { HAKMEM, OTHERS };

#define PART_ROW(id, key, owner, title, change) {#key, owner, title, change},
static const struct {
    const char *key;
    enum owner owner;
    const char *title, *change;
} rows[PART_COUNT] = {ACCOUNT_PARTS(PART_ROW)};

/* Parts of less than one in so many are shown without what changes them. */
#define WORTH_CHANGING 50u
#define CLASSES_SHOWN 3u

/* The others are the kernel's to tell. */
static bool is_recorded(unsigned part) {
    return rows[part].owner == HAKMEM && part != PART_SLACK && part != PART_PAGE_MAP && part != PART_LIBRARY;
}

static void sort_parts(const struct account *account, unsigned order[PART_COUNT]) {
    for (unsigned i = 0; i < PART_COUNT; i++) {
        unsigned at = i;
        for (; at > 0 && account->part[order[at - 1]] < account->part[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* The classes with the most live bytes, at most CLASSES_SHOWN. */
static unsigned sort_classes(const struct account *account, unsigned order[CLASSES_SHOWN]) {
    unsigned count = 0;
    for (unsigned c = 0; c < HAK_CLASS_COUNT; c++) {
        uint64_t bytes = account->live[c].resident_bytes;
        unsigned at = count;
        while (at > 0 && account->live[order[at - 1]].resident_bytes < bytes)
            at--;
        if (bytes == 0 || at == CLASSES_SHOWN)
            continue;
        count += count < CLASSES_SHOWN;
        for (unsigned i = count - 1; i > at; i--)
            order[i] = order[i - 1];
        order[at] = c;
    }
    return count;
}

static uint64_t hakmem_bytes(const struct account *account) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < PART_COUNT; i++)
        sum += rows[i].owner == HAKMEM ? account->part[i] : 0;
    return sum;
}

/* ---- text ---- */

/* What else is known of a part. */
static void print_more(const struct account *account, unsigned part, struct subject of, FILE *out) {
    unsigned order[CLASSES_SHOWN];
    if (part == PART_LIVE) {
        unsigned count = sort_classes(account, order);
        for (unsigned i = 0; i < count; i++) {
            const struct account_class *live = &account->live[order[i]];
            fprintf(out, "%20s%" PRIu64 " KiB in %" PRIu64 " blocks of ", "", kib(live->resident_bytes), live->blocks);
            if (order[i] != 0)
                fprintf(out, "%" PRIu32 " B\n", of.class_size[order[i]]);
            else
                fprintf(out, "more than %" PRIu32 " B\n", of.class_size[HAK_CLASS_COUNT - 1]);
        }
        fprintf(out,
                "%20sup to %" PRIu64 " KiB of it is rounding, more if realloc left room: only blocks are recorded\n",
                "", kib(account->rounding_bytes));
    } else if (part == PART_CACHES) {
        fprintf(out, "%20sof %" PRIu64 " thread%s\n", "", account->threads, account->threads == 1 ? "" : "s");
    } else if (part != PART_RETAINED || !account->retains || account->recorded) {
        return;
    } else if (account->purge_ms > 0) {
        fprintf(out, "%20sthe oldest is due in %.1f s\n", "", (double)account->purge_ms / 1000);
    } else {
        fprintf(out, "%20sdue: given back when a thread of the program next allocates or frees much\n", "");
    }
}

void account_print_text(const struct account *account, struct subject of, FILE *out) {
    unsigned order[PART_COUNT];
    uint64_t sum = account_sum(account);
    fprintf(out, "%d  %.100s\n\n", (int)of.pid, of.program);
    fprintf(out, "%10s %6s\n", "KiB", "%");
    sort_parts(account, order);
    for (unsigned i = 0; i < PART_COUNT && account->part[order[i]] != 0; i++) {
        unsigned part = order[i];
        fprintf(out, "%10" PRIu64 " %6.1f  %s\n", kib(account->part[part]), percent(account->part[part], sum),
                rows[part].title);
        if (account->part[part] < sum / WORTH_CHANGING)
            continue;
        print_more(account, part, of, out);
        fprintf(out, "%20s-> %s\n", "", rows[part].change);
    }
    uint64_t ours = hakmem_bytes(account);
    if (account->recorded) {
        fprintf(out, "%10" PRIu64 " %6.1f  in all, as hakmem's records tell\n", kib(sum), percent(sum, sum));
        fprintf(out, "\nWhat of it was resident is the kernel's to say, and not in a core file.\n");
        return;
    }
    fprintf(out, "%10" PRIu64 " %6.1f  in all: hakmem %" PRIu64 " KiB, not hakmem's %" PRIu64 " KiB\n", kib(sum),
            percent(sum, sum), kib(ours), kib(sum - ours));
    fprintf(out, "%10" PRIu64 " %6.1f  the kernel's RSS\n", kib(account->kernel_bytes),
            percent(account->kernel_bytes, sum));
    if (account->swapped_bytes != 0)
        fprintf(out, "%10" PRIu64 " %6s  more is in swap\n", kib(account->swapped_bytes), "");
}

/* ---- JSON ---- */

static void print_live_json(const struct account *account, struct subject of, struct json *json) {
    json_open(json, "live_blocks", '[');
    for (unsigned i = 0; i < HAK_CLASS_COUNT; i++) {
        unsigned c = (i + 1) % HAK_CLASS_COUNT; // those without a class last
        if (account->live[c].blocks == 0)
            continue;
        json_open(json, NULL, '{');
        if (c != 0)
            json_count(json, "block_bytes", of.class_size[c]);
        else
            json_text(json, "block_bytes", NULL);
        json_count(json, "blocks", account->live[c].blocks);
        json_count(json, account->recorded ? "bytes" : "resident_bytes", account->live[c].resident_bytes);
        json_close(json, '{');
    }
    json_close(json, '[');
}

/* What is not known is null. */
static void count_if(struct json *json, const char *key, uint64_t number, bool known) {
    if (known)
        json_count(json, key, number);
    else
        json_text(json, key, NULL);
}

void account_print_json(const struct account *account, struct subject of, FILE *out) {
    struct json json = {.out = out};
    unsigned order[PART_COUNT];
    json_open(&json, NULL, '{');
    json_number(&json, "pid", of.pid);
    count_if(&json, "kernel_rss_bytes", account->kernel_bytes, !account->recorded);
    json_count(&json, "sum_bytes", account_sum(account));
    json_count(&json, "hakmem_bytes", hakmem_bytes(account));
    count_if(&json, "swapped_bytes", account->swapped_bytes, !account->recorded);
    json_open(&json, "parts", '[');
    sort_parts(account, order);
    for (unsigned i = 0; i < PART_COUNT; i++) {
        if (account->recorded && !is_recorded(order[i]))
            continue;
        json_open(&json, NULL, '{');
        json_text(&json, "part", rows[order[i]].key);
        json_count(&json, "bytes", account->part[order[i]]);
        json_bool(&json, "hakmem", rows[order[i]].owner == HAKMEM);
        json_text(&json, "title", rows[order[i]].title);
        json_text(&json, "change", rows[order[i]].change);
        json_close(&json, '{');
    }
    json_close(&json, '[');
    print_live_json(account, of, &json);
    json_count(&json, "rounding_bytes", account->rounding_bytes);
    json_count(&json, "threads", account->threads);
    if (account->retains && !account->recorded)
        json_number(&json, "purge_due_ms", account->purge_ms);
    else
        json_text(&json, "purge_due_ms", NULL);
    json_close(&json, '{');
}
