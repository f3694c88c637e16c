#!/bin/bash
# The equations of cli/count.c on records that are made up, with numbers worked out by hand.
. "$(dirname "$0")/support.bash"
source_dir=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}

compile count -Werror -I"$source_dir/include" -I"$source_dir/src" -I"$source_dir/cli" \
    "$source_dir/cli/count.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "count.h"

#define IS(expression, wanted) is(#expression, expression, wanted)
static void is(const char *what, uint64_t found, uint64_t wanted) {
    if (found == wanted)
        return;
    printf("%s is %llu instead of %llu\n", what, (unsigned long long)found, (unsigned long long)wanted);
    exit(1);
}

static struct hak_view view;
static struct hak_thread_view one, two, unused;
static void *list[40];

int main(void) {
    struct counts c;

    /* What threads without a record did: 100 blocks past the caches, 10 large; of them 5 by calloc, 20 by realloc. */
    view.recordless.cached_mallocs = 100;
    view.recordless.cached_frees = 60;
    view.recordless.large_allocs = 10;
    view.recordless.large_frees = 4;
    view.recordless.served[HAK_ENTRY_CALLOC] = 5;
    view.recordless.served[HAK_ENTRY_REALLOC] = 33;
    view.recordless.served[HAK_ENTRY_DELETE] = 6;
    view.recordless.served[HAK_ENTRY_MALLOC] = 12345;
    view.recordless.served[HAK_ENTRY_FREE] = 12345;
    view.recordless.resize_allocs = 20;
    view.recordless.resize_frees = 18;
    view.recordless.null_frees = 7;
    view.foreign_frees = 2;
    view.errors = 3;
    counts_begin(&c, &view);
    counts_finish(&c);
    IS(c.allocations, 110);
    IS(c.frees, 64);
    IS(c.served[HAK_ENTRY_MALLOC], 110 - 5 - 20);
    IS(c.served[HAK_ENTRY_FREE], 64 - 6 - 18 + 7);
    IS(c.served[HAK_ENTRY_REALLOC], 33);
    IS(c.foreign_frees, 2);
    IS(c.errors, 3);
    IS(c.threads, 0);

    /* A thread: 38 frees of class 1 into the list, 3 past it; 24 blocks that came and stayed, and 12 in the list: 50
     * mallocs. 70 of class 104, which has no list: what its words say of one is nothing. */
    one.thread_id = 11;
    one.flow[1].base = &list[1];
    one.slot[1].top = &list[1 + 12];
    one.slot[1].room = 39;
    one.flow[1].taken = 32;
    one.flow[1].returned = 8;
    one.flow[1].capacity = 40;
    one.flow[1].frees_end = 66;
    one.slot[1].frees_left = 28;
    one.flow[1].passed_frees = 3;
    one.flow[HAK_CLASS_COUNT - 1].base = &list[30];
    one.slot[HAK_CLASS_COUNT - 1].top = &list[2];
    one.flow[HAK_CLASS_COUNT - 1].taken = 70;
    one.tally.served[HAK_ENTRY_CALLOC] = 1;
    one.tally.large_allocs = 2;
    counts_begin(&c, &view);
    counts_add_thread(&c, &one);
    counts_finish(&c);
    IS(c.allocations, 110 + 50 + 70 + 2);
    IS(c.frees, 64 + (66 - 28 + 3));
    IS(c.served[HAK_ENTRY_CALLOC], 6);
    IS(c.served[HAK_ENTRY_MALLOC], 232 - 6 - 20);
    IS(c.threads, 1);

    /* A countdown of frees below zero: the list may be full for a moment. Blocks of others, 5 of which came into the
     * list and 3 left it. A record whose thread has ended keeps its counts. */
    two.thread_id = 12;
    two.flow[3].base = &list[1];
    two.slot[3].top = &list[1 + 2];
    two.slot[3].room = 7;
    two.flow[3].returned = 3;
    two.flow[3].capacity = 4;
    two.flow[3].frees_end = 4;
    two.slot[3].frees_left = -1;
    unused.flow[1].taken = 9;
    counts_begin(&c, &view);
    counts_add_thread(&c, &two);
    counts_add_thread(&c, &unused);
    counts_finish(&c);
    IS(c.allocations, 110 + 9);
    IS(c.frees, 64 + 5);
    IS(c.threads, 1);

    /* A fork child starts with its parent's numbers. */
    struct counts before = c;
    counts_add_thread(&c, &one);
    counts_finish(&c);
    counts_subtract(&c, &before);
    IS(c.allocations, 122);
    IS(c.frees, 41);
    IS(c.served[HAK_ENTRY_MALLOC], 121);
    IS(c.served[HAK_ENTRY_CALLOC], 1);
    IS(c.foreign_frees, 0);
    before = c;
    counts_add(&c, &before);
    IS(c.allocations, 244);
    IS(c.served[HAK_ENTRY_MALLOC], 242);

    /* The sum of everything served is the sum of everything moved, whatever the numbers. */
    uint64_t out = 0, back = 0;
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++) {
        out += entry_kind(i) == ENTRY_ALLOC ? c.served[i] : 0;
        back += entry_kind(i) == ENTRY_FREE ? c.served[i] : 0;
    }
    IS(out + c.resize_allocations, c.allocations);
    IS(back + c.resize_frees, c.frees + c.null_frees);
    IS(strcmp(entry_name(HAK_ENTRY_DELETE_ARRAY_SIZED), "operator delete[](size)"), 0);
    puts("equations hold");
}
C
expect 0 "$work/count"
out_has 'equations hold'
