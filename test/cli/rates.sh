#!/bin/bash
# cli/rates.c on looks that are made up, with numbers worked out by hand: what `hakmem top` shows, without a terminal.
. "$(dirname "$0")/support.bash"
source_dir=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}

cli=$source_dir/cli
compile rates -Werror -I"$source_dir/include" -I"$cli" "$cli/rates.c" "$cli/basics.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rates.h"

#define IS(expression, wanted) is(__LINE__, #expression, expression, wanted)
static void is(int line, const char *what, double found, double wanted) {
    if (found == wanted)
        return;
    printf("%d: %s is %g instead of %g\n", line, what, found, wanted);
    exit(1);
}

static struct look before, after;
static struct history history;

/* A look two seconds after another. */
static void make_up(void) {
    before.at = 10;
    after.at = 12;
    before.figures.known.allocations = 100, after.figures.known.allocations = 700;
    before.figures.known.frees = 50, after.figures.known.frees = 49; // ran backwards
    before.figures.known.purged_bytes = 0, after.figures.known.purged_bytes = 8192;
    before.figures.known.allocated_bytes = 500, after.figures.known.allocated_bytes = 6500;
    before.refills = 3, after.refills = 13;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        after.class_size[c] = c * 16;
    /* class           1: many calls   2: much live   3: a lot unused    4: given up, called before */
    after.figures.known.class_allocations[1] = 400, before.figures.known.class_allocations[1] = 100;
    after.figures.known.class_frees[1] = 360, before.figures.known.class_frees[1] = 60;
    after.figures.known.class_live_blocks[1] = 40, after.figures.known.class_live_bytes[1] = 640;
    after.figures.class_slabs[1] = 1, after.figures.class_slab_bytes[1] = 1280;
    after.figures.known.class_allocations[2] = before.figures.known.class_allocations[2] = 1000;
    after.figures.known.class_live_blocks[2] = 1000, after.figures.known.class_live_bytes[2] = 32000;
    after.figures.class_slabs[2] = 2, after.figures.class_slab_bytes[2] = 32000;
    after.figures.known.class_allocations[3] = 10;
    after.figures.known.class_live_blocks[3] = 10, after.figures.known.class_live_bytes[3] = 480;
    after.figures.class_slabs[3] = 3, after.figures.class_slab_bytes[3] = 48000;
    after.figures.known.class_allocations[4] = before.figures.known.class_allocations[4] = 9;
    after.figures.known.tier_allocations[HAK_TIER_LARGE] = 8, before.figures.known.tier_allocations[HAK_TIER_LARGE] = 2;
    after.figures.known.tier_frees[HAK_TIER_LARGE] = 1;
    after.figures.known.tier_live_blocks[HAK_TIER_LARGE] = 7;
    after.figures.known.tier_live_bytes[HAK_TIER_LARGE] = 70000;
}

static void in_order(enum class_order order, bool ascending, const char *wanted) {
    struct class_row row[HAK_CLASS_COUNT];
    char found[100] = "";
    size_t count = rates_of_classes(&before, &after, order, ascending, row);
    for (size_t i = 0; i < count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%u ", row[i].block_bytes);
    if (strcmp(found, wanted) == 0)
        return;
    printf("order %d%s: %sinstead of %s\n", order, ascending ? " ascending" : "", found, wanted);
    exit(1);
}

static void check_classes(void) {
    struct class_row row[HAK_CLASS_COUNT];
    IS(rates_of_classes(&before, &after, ORDER_SIZE, true, row), 4);
    IS(row[0].calls, 300);
    IS(row[0].live_blocks, 40);
    IS(row[0].unused_bytes, 640);
    IS(row[0].unused_percent, 50);
    IS(row[1].unused_bytes, 0);
    IS(row[2].slabs, 3);
    IS(row[2].unused_percent, 99);
    IS(row[2].calls, 5);
    IS(row[3].unused_percent, 0);
    in_order(ORDER_LIVE, false, "32 16 48 64 ");
    in_order(ORDER_LIVE, true, "64 48 16 32 ");
    in_order(ORDER_CALLS, false, "16 48 32 64 ");
    in_order(ORDER_UNUSED, false, "48 16 32 64 ");
    in_order(ORDER_UNUSED, true, "32 64 16 48 ");
    in_order(ORDER_SIZE, false, "64 48 32 16 ");
    IS(rates_of_classes(NULL, &after, ORDER_LIVE, false, row), 4);
    IS(row[1].calls, 0);
}

/* A record goes on under another thread: what that one did is not known from two looks. */
static void check_threads(void) {
    struct look_thread old[] = {{.record = 10, .tid = 1, .allocations = 5}, {.record = 20, .tid = 2},
                                {.record = 40, .tid = 4, .allocations = 100, .frees = 50}};
    struct look_thread new[] = {{.record = 10, .tid = 9, .allocations = 1000}, {.record = 30, .tid = 3},
                                {.record = 40, .tid = 4, .allocations = 300, .frees = 60},
                                {.record = 50, .tid = 5, .frees = 7}};
    before.thread = old, before.thread_count = 3;
    after.thread = new, after.thread_count = 4;
    struct thread_row *row = rates_of_threads(&before, &after);
    const int tids[] = {4, 3, 5, 9};
    for (int i = 0; i < 4; i++)
        IS(row[i].thread->tid, tids[i]);
    IS(row[0].allocations, 100);
    IS(row[0].frees, 5);
    IS(row[3].allocations, 0);
    free(row);
    row = rates_of_threads(NULL, &after);
    IS(row[0].thread->tid, 3);
    IS(row[0].allocations, 0);
    free(row);
    before.thread_count = after.thread_count = 0;
}

static void check_history(void) {
    for (unsigned i = 0; i < 10; i++) {
        after.at = i;
        after.account.kernel_bytes = i == 3 ? 1000 : i;
        after.figures.known.live_bytes = 10 * i;
        history_add(&history, &after);
    }
    IS(history_column(&history, CURVE_RSS, 0, 1), 1000);
    IS(history_column(&history, CURVE_LIVE, 0, 1), 90);
    IS(history_column(&history, CURVE_LIVE, 4, 10), 40);
    IS(history_column(&history, CURVE_RSS, 0, 3), 2); // 0 1 2, 3 4 5, 6 7 8 9
    IS(history_column(&history, CURVE_RSS, 1, 3), 1000);
    IS(history_column(&history, CURVE_RSS, 2, 3), 9);
    for (unsigned i = 0; i < HISTORY_MAX; i++)
        history_add(&history, &after);
    IS(history.count, HISTORY_MAX);
    IS(history_column(&history, CURVE_RSS, 0, 1), 9);
}

int main(void) {
    make_up();
    struct rates rates = rates_between(&before, &after);
    IS(rates.allocations, 300);
    IS(rates.frees, 0);
    IS(rates.allocated_bytes, 3000);
    IS(rates.refills, 5);
    IS(rates.purged_bytes, 4096);
    rates = rates_between(NULL, &after);
    IS(rates.allocations + rates.frees + rates.allocated_bytes + rates.refills + rates.purged_bytes, 0);
    struct tier_row tier = rates_of_tier(&before, &after, HAK_TIER_LARGE);
    IS(tier.allocations, 3);
    IS(tier.frees, 0.5);
    IS(tier.live_blocks, 7);
    IS(tier.live_bytes, 70000);
    check_classes();
    check_threads();
    check_history();
    return 0;
}
C
expect 0 "$work/rates"
