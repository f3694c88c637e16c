/* heap/thread_list.c
 * Purpose.     See thread_list.h.
 */
#include "heap/thread_list.h"

#include "base/compiler.h"
#include "base/figures.h"
#include "base/options.h"
#include "base/size_class.h"
#include "heap/spare.h"
#include "heap/thread_capacity.h"
#include "heap/transfer.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/meta.h"
#include "segment/view.h"

struct heap *hak_heaps[HAK_HEAPS_MAX + 1];

static struct {
    struct lock lock;
    uint32_t heap_count;    /* ids 1..heap_count may be used */
    uint32_t record_count;  /* records that a thread has */
    uint32_t few;           /* so many are not many */
    struct link cold;       /* records without a thread and without blocks */
    bool cold_arrays;       /* some of these may keep the arrays of their lists */
    struct link warm;       /* records without a thread, the latest first, whose caches are left for the next one */
    uint32_t warm_count;    /* of them; atomic: read without the lock */
    uint32_t warm_most;     /* so many may be */
    uint64_t warm_since_ms; /* when the oldest of them became warm, or earlier; atomic: read by ticks */
    uint64_t cooled_ms;     /* when all transfer caches had been looked at; atomic: read by ticks */
    uint32_t cool_next;     /* 0, or the one that is next in a round of looks; atomic: read by ticks */
    bool cool_any;          /* in that round, blocks were left */
    bool orphans;           /* atomic: this is a fork's child that has not adopted yet */
} list = {.lock = {.rank = LOCK_RANK_THREADS}, .cold = {&list.cold, &list.cold}, .warm = {&list.warm, &list.warm}};

void hak_thread_init(unsigned cpu_count) {
    uint32_t count = (cpu_count + HAK_HEAP_CPUS - 1) / HAK_HEAP_CPUS;
    if (hak_options.heaps != 0)
        count = (uint32_t)hak_options.heaps;
    list.heap_count = count < HAK_HEAPS_MAX ? count : HAK_HEAPS_MAX;
    list.warm_most = 2 * cpu_count < HAK_WARM_MIN   ? HAK_WARM_MIN
                     : 2 * cpu_count < HAK_WARM_MAX ? 2 * cpu_count
                                                    : HAK_WARM_MAX;
    list.few = cpu_count > HAK_CACHE_THREADS_MIN ? cpu_count : HAK_CACHE_THREADS_MIN;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        hak_view.class_size[c] = (uint32_t)size_class_bytes(c);
    VIEW_PUBLISH(heap, HAK_HEAP_FIELDS);
    VIEW_PUBLISH(thread, HAK_THREAD_FIELDS);
    VIEW_PUBLISH(outbox, HAK_OUTBOX_FIELDS);
    VIEW_PUBLISH(transfer, HAK_TRANSFER_FIELDS);
    hak_view.regions.transfers = hak_transfers;
    hak_view.regions.transfer_count = HAK_CLASS_COUNT;
    hak_view.regions.heaps = hak_heaps;
    hak_view.regions.heap_count = HAK_HEAPS_MAX + 1;
}

/* The lock is held in the static functions. */

static struct heap *heap_with_id(uint32_t id) {
    if (hak_heaps[id] == NULL)
        store_release(&hak_heaps[id], hak_heap_new(id));
    return hak_heaps[id];
}

static struct heap *least_used_heap(void) {
    uint32_t best = 1;
    for (uint32_t id = 1; id <= list.heap_count; id++) {
        uint32_t threads = hak_heaps[id] == NULL ? 0 : hak_heaps[id]->threads;
        if (threads < (hak_heaps[best] == NULL ? 0 : hak_heaps[best]->threads))
            best = id;
        if (threads == 0)
            break;
    }
    return heap_with_id(best);
}

/* The caller's thread has the record from now on. */
static void assign(struct thread *thread) {
    thread->heap->threads++;
    thread->busy = false;
    hak_thread_share_among(++list.record_count, list.few);
    store_release(&thread->view.thread_id, hak_lock_self());
}

static struct thread *record_of(struct link *unused) {
    struct thread *thread = container_of(unused, struct thread, unused);
    list_remove(unused);
    return thread;
}

static struct thread *warm_record(struct link *unused) {
    store_relaxed(&list.warm_count, list.warm_count - 1);
    return record_of(unused);
}

/* Without the lock, which is not held while pages become resident: where many threads begin at once, those that sleep
 * meanwhile wait for all others' turns. */
static struct thread *new_record(void) {
    struct thread *thread = hak_meta_alloc(sizeof *thread);
    if (thread != NULL) {
        list_init(&thread->unused);
        for (unsigned c = 0; c < HAK_CLASS_COUNT; c++)
            thread->view.slot[c].top = HAK_NO_LIST_TOP;
        store_relaxed(&thread->view.thread_id, 0u);
    }
    return thread;
}

/* A record without blocks, chained, or NULL. The lock is released meanwhile if it has to be made. */
static struct thread *empty_record(void) {
    if (!list_is_empty(&list.cold))
        return record_of(list.cold.next);
    lock_release(&list.lock);
    struct thread *thread = new_record();
    lock_acquire(&list.lock);
    if (thread != NULL) {
        thread->view.next = hak_view.threads;
        store_release(&hak_view.threads, &thread->view);
    }
    return thread;
}

/* A record with a heap. */
static struct thread *record_take(void) {
    if (!list_is_empty(&list.warm))
        return warm_record(list.warm.next);
    struct thread *thread = empty_record();
    if (thread == NULL)
        return NULL;
    thread->heap = least_used_heap();
    thread->trims = load_relaxed(&hak_view.control.trims); /* it holds nothing */
    if (thread->heap != NULL)
        return thread;
    list_push_front(&list.cold, &thread->unused);
    return NULL;
}

SLOW struct thread *hak_thread_list_add(void) {
    lock_acquire(&list.lock);
    struct thread *thread = record_take();
    if (thread != NULL)
        assign(thread);
    lock_release(&list.lock);
    return thread;
}

static void retire(struct thread *thread, struct link *to) {
    store_relaxed(&thread->view.thread_id, 0);
    thread->vanished = false;
    thread->heap->threads--;
    hak_thread_share_among(--list.record_count, list.few);
    list_push_front(to, &thread->unused);
    list.cold_arrays |= to == &list.cold;
}

bool hak_thread_list_remove_warm(struct thread *thread) {
    bool kept = false;
    uint64_t now = hak_os_now_ms();
    lock_acquire(&list.lock);
    if (list.warm_count < list.warm_most && load_relaxed(&hak_options.purge_delay) != 0) {
        thread->ended_ms = now;
        retire(thread, &list.warm);
        if (list.warm_count == 0)
            store_relaxed(&list.warm_since_ms, now);
        store_relaxed(&list.warm_count, list.warm_count + 1);
        kept = true;
    }
    lock_release(&list.lock);
    return kept;
}

bool hak_thread_list_is_warm(void) {
    return load_relaxed(&list.warm_count) != 0;
}

static bool has_cooled(uint64_t since_ms, uint64_t now_ms) {
    return now_ms >= since_ms + (uint64_t)load_relaxed(&hak_options.purge_delay) / 4;
}

/* The record that has been warm for longest, if that was long enough. Until it is retired again it belongs to the
 * caller's thread, so that a fork's child adopts it. */
static struct thread *take_cooled(uint64_t now_ms) {
    if (list_is_empty(&list.warm))
        return NULL;
    struct thread *thread = container_of(list.warm.prev, struct thread, unused);
    store_relaxed(&list.warm_since_ms, thread->ended_ms);
    if (!has_cooled(thread->ended_ms, now_ms))
        return NULL;
    (void)warm_record(&thread->unused);
    assign(thread);
    return thread;
}

void hak_thread_list_remove(struct thread *thread) {
    lock_acquire(&list.lock);
    retire(thread, &list.cold);
    lock_release(&list.lock);
}

struct heap *hak_thread_list_any_heap(void) {
    uint32_t id = 1 + hak_lock_self() % list.heap_count;
    struct heap *heap = load_acquire(&hak_heaps[id]);
    if (heap == NULL) {
        lock_acquire(&list.lock);
        heap = heap_with_id(id);
        lock_release(&list.lock);
    }
    return heap;
}

/* Without the lock, which is not held while blocks go back and pages with them. */
static void cool(struct thread *thread) {
    hak_thread_empty(thread, false);
    hak_thread_list_remove(thread);
}

/* A round of looks goes through all of them, a few at a time: no call shall pay for all. */
SLOW bool hak_thread_list_cool(void) {
    uint64_t now_ms = hak_os_now_ms();
    bool is_due = load_relaxed(&list.cool_next) != 0 || has_cooled(load_relaxed(&list.cooled_ms), now_ms);
    if (load_relaxed(&hak_transfer_any) == HAK_TRANSFER_NONE || !is_due || !lock_try(&list.lock))
        return false;
    uint32_t next = list.cool_next;
    unsigned left = HAK_COOL_BLOCKS;
    bool any = list.cool_any;
    if (next == 0)
        store_relaxed(&hak_transfer_any, HAK_TRANSFER_NONE);
    while (next < HAK_CLASS_COUNT && left != 0) {
        unsigned sent = hak_transfer_cool(&hak_transfers[next], hak_heaps, left);
        any |= load_relaxed(&hak_transfers[next].count) != 0;
        next += sent < left;
        left -= (unsigned)least(sent, left);
    }
    bool is_done = next == HAK_CLASS_COUNT;
    if (is_done)
        store_relaxed(&list.cooled_ms, now_ms);
    if (!is_done)
        store_relaxed(&hak_transfer_any, HAK_TRANSFER_COOLING);
    else if (any || load_relaxed(&hak_transfer_any) == HAK_TRANSFER_COOLING)
        store_relaxed(&hak_transfer_any, HAK_TRANSFER_SOME);
    store_relaxed(&list.cool_next, is_done ? 0 : next);
    list.cool_any = !is_done && any;
    lock_release(&list.lock);
    return !is_done;
}

/* Gives back the arrays that cold records keep for their next threads. */
static void give_arrays_of_cold(void) {
    lock_acquire(&list.lock);
    for (struct link *unused = list.cold.next; list.cold_arrays && unused != &list.cold; unused = unused->next)
        hak_capacity_give_arrays(container_of(unused, struct thread, unused));
    list.cold_arrays = false;
    lock_release(&list.lock);
}

void hak_thread_list_collect(void) {
    struct thread *thread;
    do {
        lock_acquire(&list.lock);
        thread = take_cooled(UINT64_MAX);
        lock_release(&list.lock);
        if (thread != NULL)
            cool(thread);
    } while (thread != NULL);
    give_arrays_of_cold();
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        hak_transfer_empty(&hak_transfers[c], hak_heaps);
    hak_spare_collect();
    for (uint32_t id = 1; id <= list.heap_count; id++) {
        struct heap *heap = load_acquire(&hak_heaps[id]);
        if (heap != NULL)
            hak_heap_collect(heap);
    }
}

void hak_thread_list_tick(void) {
    if (!hak_thread_list_is_warm())
        return;
    uint64_t now_ms = hak_os_now_ms();
    if (!has_cooled(load_relaxed(&list.warm_since_ms), now_ms) || !lock_try(&list.lock))
        return;
    struct thread *thread = take_cooled(now_ms);
    lock_release(&list.lock);
    if (thread != NULL)
        cool(thread);
}

struct hak_class_sum hak_thread_list_class_sum(unsigned size_class, uint64_t *threads) {
    *threads = 0;
    lock_acquire(&list.lock);
    struct hak_class_sum total = {.mallocs = load_relaxed(&hak_view.recordless_class[size_class].mallocs),
                                  .frees = load_relaxed(&hak_view.recordless_class[size_class].frees)};
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        struct hak_class_sum sum = figures_class_sum(view, size_class);
        total.mallocs += sum.mallocs;
        total.frees += sum.frees;
        *threads += view->thread_id != 0;
    }
    lock_release(&list.lock);
    return total;
}

#if HAK_STATS
uint64_t hak_thread_list_counter(enum hak_counter counter) {
    lock_acquire(&list.lock);
    uint64_t sum = load_relaxed(&hak_counters_shared[counter]);
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next)
        sum += owner_load(&container_of(view, struct thread, view)->counters[counter]);
    lock_release(&list.lock);
    return sum;
}
#endif

/* ---- fork ---- */

static void for_each_lock(void (*visit)(struct lock *lock, void *context), void *context) {
    visit(&list.lock, context);
    for (uint32_t id = 1; id <= list.heap_count; id++) {
        struct heap *heap = load_acquire(&hak_heaps[id]);
        if (heap != NULL)
            visit(&heap->lock, context);
    }
    visit(hak_arena_lock(), context);
    visit(hak_meta_lock(), context);
}

static void is_mine(struct lock *lock, void *any) {
    *(bool *)any |= lock_is_mine(lock);
}

static void prefork(struct lock *lock, void *bounded) {
    hak_lock_prefork(lock, *(bool *)bounded);
}

static void postfork_parent(struct lock *lock, void *unused) {
    (void)unused;
    hak_lock_postfork_parent(lock);
}

static void postfork_child(struct lock *lock, void *unused) {
    (void)unused;
    hak_lock_postfork_child(lock);
}

bool hak_thread_is_inside(void) {
    bool any = false;
    for_each_lock(is_mine, &any);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        any |= load_relaxed(&hak_transfers[c].busy) == hak_lock_self();
    return any;
}

void hak_thread_prefork(void) {
    bool inside = hak_thread_is_inside();
    for_each_lock(prefork, &inside);
}

void hak_thread_postfork_parent(void) {
    for_each_lock(postfork_parent, NULL);
}

/* A record may be the forking thread's own though hak_thread_self does not lead to it: a signal handler has interrupted
 * the thread's birth or end. The interrupted code goes on with it in the child. */
void hak_thread_postfork_child(void) {
    uint32_t forked = hak_lock_self();
    hak_lock_self_forked();
    for_each_lock(postfork_child, NULL);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        hak_transfer_forked(&hak_transfers[c], forked);
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        struct thread *thread = container_of(view, struct thread, view);
        if (view->thread_id == forked)
            view->thread_id = hak_lock_self();
        else if (view->thread_id != 0)
            thread->vanished = true;
    }
    list.orphans = true;
}

/* A vanished thread may have been stopped while its list moved to another array, or gave its own back: what was in it
 * is lost. All else is whole, and what is counted of it may be off by a batch or a countdown. */
static void drop_broken(struct hak_thread_view *view) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct hak_slot *slot = &view->slot[c];
        int64_t length = figures_length(slot, &view->flow[c]);
        if (slot->room == 0)
            slot->top = HAK_NO_LIST_TOP;
        else if (length < 0 || length > slot->room)
            slot->top = view->flow[c].base;
    }
}

void hak_thread_list_adopt(void) {
    if (likely(!load_relaxed(&list.orphans)))
        return;
    lock_acquire(&list.lock);
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        struct thread *thread = container_of(view, struct thread, view);
        if (!thread->vanished)
            continue;
        thread->vanished = false;
        thread->busy = false;
        drop_broken(view);
        hak_spare_adopt(&thread->spares);
        hak_thread_empty(thread, false);
        retire(thread, &list.cold);
    }
    store_relaxed(&list.orphans, false);
    lock_release(&list.lock);
    /* Whoever was just about to say that something is there is gone. */
    hak_spare_collect();
}
