/* heap/thread_list.c
 * Purpose.     See thread_list.h.
 */
#include "heap/thread_list.h"

#include "base/options.h"
#include "base/size_class.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/meta.h"
#include "segment/view.h"

struct heap *hak_heaps[HAK_HEAPS_MAX + 1];

static struct {
    struct lock lock;
    uint32_t heap_count;      /* ids 1..heap_count may be used */
    struct thread *free_list; /* records without a thread */
    bool orphans;             /* atomic: this is a fork's child that has not adopted yet */
} list = {.lock = {.rank = LOCK_RANK_THREADS}};

void hak_thread_init(void) {
    uint32_t count = 4 * hak_os_cpu_count();
    if (count < HAK_HEAPS_MIN)
        count = HAK_HEAPS_MIN;
    if (hak_options.heaps != 0)
        count = (uint32_t)hak_options.heaps;
    list.heap_count = count < HAK_HEAPS_MAX ? count : HAK_HEAPS_MAX;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        hak_view.class_size[c] = (uint32_t)size_class_bytes(c);
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

static struct thread *record_new(void) {
    struct thread *thread = list.free_list;
    if (thread != NULL) {
        list.free_list = thread->next_free;
        return thread;
    }
    thread = hak_meta_alloc(sizeof *thread);
    if (thread != NULL) {
        thread->view.next = hak_view.threads;
        store_release(&hak_view.threads, &thread->view);
    }
    return thread;
}

struct thread *hak_thread_list_add(void) {
    lock_acquire(&list.lock);
    struct heap *heap = least_used_heap();
    struct thread *thread = heap == NULL ? NULL : record_new();
    if (thread != NULL) {
        heap->threads++;
        thread->heap = heap;
        store_release(&thread->view.thread_id, hak_lock_self());
    }
    lock_release(&list.lock);
    return thread;
}

static void finish_class(const struct hak_thread_view *view, unsigned c) {
    struct hak_class_sum sum = hak_thread_class_sum(view, c);
    fetch_add_relaxed(&hak_view.finished.cached_mallocs, sum.mallocs);
    fetch_add_relaxed(&hak_view.finished.cached_frees, sum.frees);
    fetch_add_relaxed(&hak_view.finished_class[c].mallocs, sum.mallocs);
    fetch_add_relaxed(&hak_view.finished_class[c].frees, sum.frees);
}

static void record_retire(struct thread *thread) {
    struct hak_tally *tally = &thread->view.tally;
    store_relaxed(&thread->view.thread_id, 0);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        finish_class(&thread->view, c);
    for (unsigned i = 0; i < sizeof *tally / sizeof(uint64_t); i++)
        fetch_add_relaxed((uint64_t *)&hak_view.finished + i, ((uint64_t *)tally)[i]);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        thread->view.flow[c] = (struct hak_flow){.capacity = 0};
        thread->view.slot[c] = (struct hak_slot){.room = 0};
    }
    *tally = (struct hak_tally){.null_frees = 0};
    thread->heap->threads--;
    thread->next_free = list.free_list;
    list.free_list = thread;
}

void hak_thread_list_remove(struct thread *thread) {
    lock_acquire(&list.lock);
    record_retire(thread);
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

void hak_thread_list_collect(void) {
    for (uint32_t id = 1; id <= list.heap_count; id++) {
        struct heap *heap = load_acquire(&hak_heaps[id]);
        if (heap != NULL)
            hak_heap_collect(heap);
    }
}

struct hak_class_sum hak_thread_list_class_sum(unsigned size_class, uint64_t *threads) {
    *threads = 0;
    lock_acquire(&list.lock);
    struct hak_class_sum total = {.mallocs = load_relaxed(&hak_view.finished_class[size_class].mallocs),
                                  .frees = load_relaxed(&hak_view.finished_class[size_class].frees)};
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        if (view->thread_id == 0)
            continue;
        struct hak_class_sum sum = hak_thread_class_sum(view, size_class);
        total.mallocs += sum.mallocs;
        total.frees += sum.frees;
        ++*threads;
    }
    lock_release(&list.lock);
    return total;
}

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
    return any;
}

void hak_thread_prefork(void) {
    bool inside = hak_thread_is_inside();
    for_each_lock(prefork, &inside);
}

void hak_thread_postfork_parent(void) {
    for_each_lock(postfork_parent, NULL);
}

void hak_thread_postfork_child(void) {
    hak_lock_self_forked();
    for_each_lock(postfork_child, NULL);
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        struct thread *thread = container_of(view, struct thread, view);
        if (thread == hak_thread_self)
            view->thread_id = hak_lock_self();
        else if (view->thread_id != 0)
            thread->vanished = true;
    }
    list.orphans = true;
}

/* A vanished thread may have been stopped between two stores: its lists are whole, the room may be one off. A block
 * that was freed twice makes a ring of its list: the count ends at what the list may hold. */
static void recount(struct hak_thread_view *view) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        int32_t length = 0;
        for (struct block *block = view->slot[c].head; block != NULL && length < view->flow[c].capacity;
             block = block->next)
            length++;
        view->slot[c].room = view->flow[c].capacity - length;
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
        recount(view);
        hak_thread_empty(thread);
        record_retire(thread);
    }
    store_relaxed(&list.orphans, false);
    lock_release(&list.lock);
}
