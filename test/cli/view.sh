#!/bin/bash
# A look at a running thread: while the command copies its record, the thread may move words that count together,
# between any two words of the copy, and may be stopped for a while in between. What is counted is what it has done.
. "$(dirname "$0")/support.bash"
source_dir=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}

compile look -I"$source_dir/include" -I"$source_dir/src" -I"$source_dir/cli" \
    "$source_dir"/cli/{view,count,basics}.c <<'C'
#include <stdio.h>
#include <string.h>
#include "view.h"
enum { MALLOCS = 900, FREES = 4960, LENGTH = 10, STEPS = 9 };
enum { FLOW_WORDS = HAK_CLASS_COUNT * sizeof(struct hak_flow) / 8, RECORD_WORDS = sizeof(struct hak_thread_view) / 8 };
enum { WORDS = 2 * RECORD_WORDS };
static struct hak_thread_view record;
static void *small[100], *large[1000];
static unsigned copied, first, stops_before, stops_for, step, looks;
static bool never_ends;

static void start_record(void) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        record.slot[c] = (struct hak_slot){.top = small + LENGTH, .frees_left = 40, .room = 99};
        record.flow[c] = (struct hak_flow){
            .base = small, .frees_end = FREES + 40, .taken = MALLOCS + 5 + LENGTH, .returned = FREES + 5};
    }
}
/* A refill, a look at the list, and another array for it, in one. */
static void go_on(struct hak_slot *slot, struct hak_flow *flow) {
    switch (step) {
    case 0: flow->moves++; break;
    case 1: flow->taken += 512; break;
    case 2: slot->top += 512; break;
    case 3: flow->base = large; break;
    case 4: slot->top = large + LENGTH + 512; break;
    case 5: slot->room = 999; break;
    case 6: flow->frees_end += 4096; break;
    case 7: slot->frees_left += 4096; break;
    case 8: flow->moves++; break;
    }
}
static void the_thread_goes_on(void) {
    copied++;
    if (never_ends)
        step %= STEPS;
    if (step == STEPS || copied <= first || (step == stops_before && copied <= first + step + stops_for))
        return;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        go_on(&record.slot[c], &record.flow[c]);
    step++;
}
/* Of the command: memory of the process, a word at a time. */
bool target_read_now(const struct target *target, uintptr_t address, void *into, size_t size) {
    looks++;
    for (size_t at = 0; at < size; at += 8) {
        the_thread_goes_on();
        memcpy((char *)into + at, (char *)address + at, 8);
    }
    return true;
}
bool target_read(struct target *target, uintptr_t address, void *into, size_t size) { return false; }
bool target_read_string(struct target *target, uintptr_t address, char *into, size_t size) { return false; }
uintptr_t object_symbol(struct target *target, const struct object *object, const char *name) { return 0; }
int symbol_index(const char *name) { return 0; }

static void count(void *context, uintptr_t address, const struct hak_thread_view *thread) {
    counts_add_thread(context, thread);
}
static struct counts look(void) {
    struct target target = {.bytes = 1 << 30};
    struct hak_view view = {.threads = &record};
    struct counts counts = {0};
    start_record();
    copied = looks = step = 0;
    if (view_threads(&target, &view, count, &counts) != NULL)
        puts("failed");
    return counts;
}
int main(void) {
    unsigned moved = 0, stopped = 0;
    /* Not stopped; stopped before some step, for as long as it takes to copy the flow, or most of a record as well. */
    static const unsigned stops[] = {0, FLOW_WORDS / 2, FLOW_WORDS, FLOW_WORDS + RECORD_WORDS / 2};
    for (unsigned i = 0; i < sizeof stops / sizeof *stops; i++)
        for (stops_before = 0, stops_for = stops[i]; stops_before < STEPS; stops_before++)
            for (first = 0; first < WORDS; first += i == 0 ? 1 : 7) {
                struct counts counts = look();
                moved += step == STEPS;
                stopped += looks > 3;
                if (counts.allocations != (uint64_t)MALLOCS * (HAK_CLASS_COUNT - 1) ||
                    counts.frees != (uint64_t)FREES * (HAK_CLASS_COUNT - 1)) {
                    printf("moved before word %u, stopped for %u before step %u: %lu mallocs, %lu frees\n", first,
                           stops_for, stops_before, counts.allocations, counts.frees);
                    return 1;
                }
            }
    /* Stopped from before the first look until after the next. */
    for (first = 0, stops_before = 1, stops_for = FLOW_WORDS + RECORD_WORDS; stops_before < STEPS; stops_before++) {
        struct counts counts = look();
        if (counts.allocations != (uint64_t)MALLOCS * (HAK_CLASS_COUNT - 1) ||
            counts.frees != (uint64_t)FREES * (HAK_CLASS_COUNT - 1)) {
            printf("stopped before step %u: %lu mallocs, %lu frees\n", stops_before, counts.allocations, counts.frees);
            return 1;
        }
    }
    first = stops_for = 0;
    never_ends = true;
    look();
    printf("moved in %u looks, of which %u took several; %u reads where it never ends\n", moved, stopped, looks);
    return moved > WORDS && stopped > 0 && looks < 10 ? 0 : 1;
}
C
expect 0 "$work/look"
