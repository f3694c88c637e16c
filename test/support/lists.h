/* lists.h
 * Purpose.     For unit tests that look at the lists of a thread's record: a thread that has one, blocks to make and to
 *              free, and what holds of its lists.
 * Design.      The blocks are those of whoever made some last. Checks end the process.
 */
#ifndef TEST_SUPPORT_LISTS_H
#define TEST_SUPPORT_LISTS_H

#include "support/counts.h"
#include "support/expect.h"
#include "support/home.h"
#include "support/unit.h"

#include "api/init.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread.h"
#include "heap/thread_capacity.h"
#include "segment/view.h"

/* What a list may hold, less than as shipped: the blocks of a test are too many for it. */
enum { BLOCKS = 2500, LIST_BYTES = 262144 };

static void *blocks[BLOCKS];

/* The calling thread's record. */
static inline struct thread *lists_begin(void) {
    hak_options.cache_bytes = LIST_BYTES;
    while (hak_api_thread() == NULL) {
    }
    return hak_thread_self;
}

/* Free memory waits for who wants it, as long as it takes. */
static inline struct thread *lists_begin_patient(void) {
    struct thread *thread = lists_begin();
    hak_options.purge_delay = INT64_MAX / 2;
    return thread;
}

static inline void lists_make(size_t size, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        EXPECT((blocks[i] = hak_malloc(size)) != NULL);
}

static inline void lists_drop(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        hak_free(blocks[i]);
}

/* A list of 7, 15, 31 ... addresses, with NULL below them. */
static inline void lists_expect_whole(const struct thread *thread, unsigned c) {
    const struct hak_slot *slot = &thread->view.slot[c];
    const struct hak_flow *flow = &thread->view.flow[c];
    unsigned cells = (unsigned)slot->room + 1;
    int32_t length = length_of(thread, c);
    EXPECT(slot->room >= (1 << HAK_LIST_SHIFT) - 1 && (cells & (cells - 1)) == 0 && flow->base[-1] == NULL);
    EXPECT(length >= 0 && slot->frees_left >= 0 && length + slot->frees_left <= slot->room);
    for (int32_t i = 0; i < length; i++)
        EXPECT(entry_class(page_map_flat_get(flow->base[i])) == c);
}

/* No two lists share a cell. */
static inline void lists_expect_apart(const struct thread *thread) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        for (unsigned other = 1; other < c; other++) {
            const struct hak_flow *flow = &thread->view.flow[c], *others = &thread->view.flow[other];
            if (thread->view.slot[c].room != 0 && thread->view.slot[other].room != 0)
                EXPECT(flow->base + thread->view.slot[c].room < others->base ||
                       others->base + thread->view.slot[other].room < flow->base);
        }
}

static inline void lists_use_all(const struct thread *thread) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        lists_make(size_class_bytes(c), 100);
        lists_drop(100);
        lists_expect_whole(thread, c);
    }
    lists_expect_apart(thread);
}

/* Only short arrays stay with the record. */
static inline void lists_expect_closed(const struct thread *thread) {
    for (unsigned c = 0; c < HAK_CLASS_COUNT; c++) {
        const struct hak_slot *slot = &thread->view.slot[c];
        EXPECT(slot->room == 0 && slot->top == HAK_NO_LIST_TOP && slot->top[-1] == NULL);
        EXPECT(thread->view.slot[c].frees_left == 0 && !class_is_open(thread, c) && thread->passes[c] == 0);
    }
}

/* So many were counted since `before`. */
static inline void lists_expect_counted(const struct counts *before, unsigned c, uint64_t mallocs, uint64_t frees) {
    struct counts now = counts_now(&hak_view);
    EXPECT(now.of_class[c].mallocs - before->of_class[c].mallocs == mallocs);
    EXPECT(now.of_class[c].frees - before->of_class[c].frees == frees);
}

/* Where all has been freed. */
static inline void lists_expect_nothing_left(void) {
    hak_thread_flush();
    EXPECT(hak_view.active_bytes == 0 && load_relaxed(&hak_view.errors) == 0);
}

#endif
