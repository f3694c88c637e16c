/* heap/thread.h
 * Purpose.     A thread's allocator state: birth, its caches' dealings with the heap, end.
 * Design.      Thread-local storage is one pointer (and a few words that only slow paths read). Before a thread has
 *              earned its record and after its end it leads to a read-only record without blocks, to which no
 *              pointer is a block's either, so the fast paths need no test.
 *              Without a record, calls go straight to a heap, one block at a time.
 *              Records are never unmapped: tools read them (hakmem_stats.h). A new thread reuses a finished one's, and
 *              goes on with its counts: so they need not be added up anywhere when a thread ends.
 * Concurrency. A record belongs to its thread; the list of records and heap choice to the lock of the thread list.
 * Not here.    When a thread is born and who tells its end (api/init.c); what a request is (api/malloc.c).
 */
#ifndef HAK_HEAP_THREAD_H
#define HAK_HEAP_THREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/size_class.h"
#include "heap/outbox.h"
#include "heap/spare.h"
#include "heap/thread_cache.h"
#include "segment/view.h"

#define USED_WORDS ((HAK_CLASS_COUNT + 63) / 64)

struct thread {
    struct hak_thread_view view; /* first: malloc indexes it */
    COUNT_ONLY(uint64_t counters[HAK_COUNTER_COUNT];)
    struct heap *heap;                   /* const while the thread lives */
    uint32_t trims;                      /* hak_view.control.trims, as far as the thread has followed them */
    size_t cache_bytes;                  /* what the capacities of all classes add up to */
    size_t begun_bytes;                  /* of these, with what classes began while threads were few */
    size_t earned_bytes;                 /* what they may add up to beyond the least, where threads are many */
    uint64_t used[USED_WORDS];           /* a bit for each class with capacity != 0 */
    uint8_t passes[HAK_CLASS_COUNT];     /* frees that pass the list before the next look at it */
    uint8_t circulates[HAK_CLASS_COUNT]; /* refills during which others' blocks are thought to go round */
    uint8_t shortages;                   /* times that a class could not grow for what others have, the lower bits */
    uint8_t gives_up_last;               /* class that last lost capacity to another one */
    uint32_t chores;                     /* done so far */
    int32_t chores_left;                 /* blocks in or out of lists until the next ones */
    bool busy;                           /* with lists or the outbox: what a signal handler frees passes them */
    struct link unused;                  /* list of unused records, warm or cold */
    uint64_t ended_ms;                   /* warm record: when its thread ended */
    bool vanished;                       /* this is a fork's child, and the thread stayed in the parent */
    uint32_t calls[HAK_CLASS_COUNT];     /* mallocs and frees of a class when chores last looked, the lower half */
    struct spares spares;
    struct outbox outbox;
};

HAK_TLS_SHARED struct thread *hak_thread_self; /* never NULL */
HAK_TLS_SHARED bool hak_thread_ended;          /* after hak_thread_end */

/* What the fast paths read of a record, in the same places. */
struct thread_front {
    struct hak_slot slot[HAK_CLASS_COUNT];
    uint32_t thread_id;
    uintptr_t address_mask;
    const uint32_t *page_map;
};
_Static_assert(offsetof(struct thread, view) == 0, "a record begins with its view");
COUNT_ONLY(_Static_assert(offsetof(struct thread, counters) == sizeof(struct hak_thread_view), "and its counters");)
_Static_assert(offsetof(struct thread_front, slot) == offsetof(struct hak_thread_view, slot), "");
_Static_assert(offsetof(struct thread_front, address_mask) == offsetof(struct hak_thread_view, address_mask), "");
_Static_assert(offsetof(struct thread_front, page_map) == offsetof(struct hak_thread_view, page_map), "");

/* A list without room. */
extern void *const hak_no_list[1];
#define HAK_NO_LIST_TOP ((void **)(uintptr_t)(hak_no_list + 1))

/* Stands in where there is no record. Read-only: nothing that reads its empty lists and its page map goes on to write.
 * No longer than that, since every process holds it. */
extern struct thread_front hak_thread_nobody;

/* True if the calling thread has a record of its own. */
FAST bool thread_is_alive(const struct thread *thread) {
    return (const void *)thread != &hak_thread_nobody;
}

/* Once, before the first birth. `cpu_count`: how many the process may use. */
void hak_thread_init(unsigned cpu_count);

/* Gives the calling, unborn thread a record. False if memory is out: it stays unborn. */
bool hak_thread_begin(void);

/* The calling thread holds nothing any more; its record serves another thread, with what little is in its caches. */
void hak_thread_end(void);

/* A block of `size_class`, through the cache, which is filled if it is empty; NULL if memory is out. */
void *hak_thread_take(struct thread *thread, unsigned size_class) NODISCARD;

/* Takes back a block into the thread's list of its class, whose countdown of frees has ended, or not; or past it. */
void hak_thread_keep(struct thread *thread, unsigned size_class, void *block);

/* The same where it has ended. */
void hak_thread_keep_full(struct thread *thread, unsigned size_class, void *block);

/* The same for threads without a record. */
void *hak_thread_take_direct(unsigned size_class) NODISCARD;
void hak_thread_put_direct(uint32_t entry, void *block);

/* The tally that the calling thread may add to with `hak_tally_add`. */
FAST struct hak_tally *hak_thread_tally(void) {
    return likely(thread_is_alive(hak_thread_self)) ? &hak_thread_self->view.tally : &hak_view.recordless;
}

FAST void hak_tally_add(uint64_t *counter, uint64_t n) {
    if (likely(thread_is_alive(hak_thread_self))) {
        owner_add(counter, n);
    } else {
        COUNT(ATOMIC_OTHER);
        fetch_add_relaxed(counter, n);
    }
}

/* Makes room in an address space that the program has limited after the start, by giving up the flat page map. Only a
 * program with a single thread can: no other may be looking at it. True if that was done. */
bool hak_thread_drop_page_map(void);

/* Empties the calling thread's cache and outbox, adopts what vanished threads left, collects every heap. */
void hak_thread_flush(void);

/* True if the calling thread holds a lock of this layer or below: a signal handler has interrupted a slow path. */
bool hak_thread_is_inside(void);

/* Fork: takes and releases the locks of this layer and below. The child's other threads are gone; what their caches
 * hold is adopted later. */
void hak_thread_prefork(void);
void hak_thread_postfork_parent(void);
void hak_thread_postfork_child(void);

/* Blocks of a class taken and given back so far, by all records and without one; *threads says how many threads
 * live. */
struct hak_class_sum hak_thread_list_class_sum(unsigned size_class, uint64_t *threads);

#endif
