#!/bin/bash
# A look at a running thread: while the command copies its record, the thread may move an end and its countdown between
# any two words. What is counted is what it has done all the same.
. "$(dirname "$0")/support.bash"
source_dir=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}

compile look -I"$source_dir/include" -I"$source_dir/src" -I"$source_dir/cli" \
    "$source_dir"/cli/{view,count,basics}.c <<'C'
#include <stdio.h>
#include <string.h>
#include "view.h"
enum { MALLOCS = 900, FREES = 4960, WORDS = 3 * sizeof(struct hak_thread_view) / 8 };
static struct hak_thread_view record;
static unsigned copied, first, moves_left, looks;

static void start_record(void) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        record.slot[c] = (struct hak_slot){.mallocs_left = 100, .frees_left = 40};
        record.flow[c] = (struct hak_flow){.mallocs_end = MALLOCS + 100, .frees_end = FREES + 40};
    }
}
static void the_thread_goes_on(void) {
    if (moves_left == 0 || copied++ < first)
        return;
    moves_left--;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        record.flow[c].mallocs_end += 512;
        record.slot[c].mallocs_left += 512;
        record.flow[c].frees_end += 4096;
        record.slot[c].frees_left += 4096;
    }
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
static struct counts look(unsigned moves) {
    struct target target = {.bytes = 1 << 30};
    struct hak_view view = {.threads = &record};
    struct counts counts = {0};
    start_record();
    moves_left = moves;
    copied = looks = 0;
    if (view_threads(&target, &view, count, &counts) != NULL)
        puts("failed");
    return counts;
}
int main(void) {
    unsigned moved = 0;
    for (first = 0; first < WORDS; first++) {
        struct counts counts = look(1);
        moved += moves_left == 0;
        if (counts.allocations != MALLOCS * (HAK_CLASS_COUNT - 1) || counts.frees != FREES * (HAK_CLASS_COUNT - 1)) {
            printf("moved before word %u: %lu mallocs, %lu frees\n", first, counts.allocations, counts.frees);
            return 1;
        }
    }
    first = 0;
    look(-1);
    printf("moved in %u of %u looks; %u reads where it never ends\n", moved, WORDS, looks);
    return moved > WORDS / 3 && looks < 10 ? 0 : 1;
}
C
expect 0 "$work/look"
