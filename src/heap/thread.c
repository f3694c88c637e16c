/* heap/thread.c
 * Purpose.     Birth, service and end of a thread's record. See thread.h.
 */
#include "heap/thread.h"

#include <string.h>

#include "base/bits.h"
#include "base/figures.h"
#include "base/options.h"
#include "base/size_class.h"
#include "heap/thread_capacity.h"
#include "heap/thread_list.h"
#include "heap/transfer.h"
#include "os/os.h"
#include "segment/purge.h"

static const uint32_t nothing_mapped;
void *const hak_no_list[1];

__attribute__((section(".data.rel.ro.hakmem"), aligned(HAK_ALIGNMENT))) struct thread_front hak_thread_nobody = {
    .slot = {[0 ... HAK_CLASS_COUNT - 1] = {.top = HAK_NO_LIST_TOP}},
    .address_mask = 0,
    .page_map = &nothing_mapped,
};

#define NOBODY ((struct thread *)(void *)&hak_thread_nobody)

HAK_TLS_DEFINE struct thread *hak_thread_self = NOBODY;
HAK_TLS_DEFINE bool hak_thread_ended;

static void use_page_map(struct thread *thread) {
    thread->view.page_map = hak_page_map.flat;
    thread->view.address_mask = hak_page_map.address_mask;
}

bool hak_thread_begin(void) {
    struct thread *thread = hak_thread_list_add();
    if (thread == NULL)
        return false;
    hak_assert((uintptr_t)thread % HAK_ALIGNMENT == 0); /* slot_for */
    use_page_map(thread);
    hak_thread_self = thread;
    COUNT_IN(thread->counters);
    return true;
}

bool hak_thread_drop_page_map(void) {
    if (!hak_os_is_single_threaded() || !hak_page_map_drop())
        return false;
    if (thread_is_alive(hak_thread_self))
        use_page_map(hak_thread_self);
    return true;
}

/* What is due by the clock. */
static void tick_often(void) {
    hak_thread_list_tick();
    hak_purge_tick();
    hak_spare_tick();
}

static void tick(void) {
    if (load_relaxed(&hak_transfer_any) != HAK_TRANSFER_NONE)
        (void)hak_thread_list_cool();
    tick_often();
}

/* A refill from another thread stands for the next ones as well: they come and go. */
FAST void note_origin(struct thread *thread, unsigned size_class, bool by_another) {
    uint8_t *circulates = &thread->circulates[size_class];
    if (by_another)
        *circulates = HAK_CIRCULATES_REFILLS;
    else if (*circulates != 0)
        --*circulates;
}

/* Takes 1..want blocks: of those that others have given back and, if these are too few to be worth the way, out of
 * slabs; 0 if memory is out. */
static unsigned take_batch(struct thread *thread, unsigned size_class, unsigned want, void **blocks) {
    bool by_another;
    unsigned got = hak_transfer_take(size_class, want, blocks, &by_another);
    bool served = got != 0 && got >= want / 2;
    note_origin(thread, size_class, by_another && served);
    if (!served)
        return got + hak_heap_take(thread->heap, size_class, want - got, blocks + got);
    COUNT(REFILL_TRANSFER);
    return got;
}

/* Gives back all blocks of a list but the first `keep`. Where others may want them, they wait for these, as far as
 * there is room; true if all of them do. They are in the list no more from the start: a fork at any moment must not
 * return a block twice. */
static bool flush_list(struct thread *thread, unsigned size_class, int32_t keep, bool wanted) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    struct hak_flow *flow = &thread->view.flow[size_class];
    /* Before its length is looked at, and at once: what a signal handler frees from here on passes the list. */
    flow_begin(flow);
    int32_t frees_left = exchange_acquire(&slot->frees_left, 0);
    store_release(&flow->frees_end, flow->frees_end - (uint64_t)(int64_t)frees_left);
    flow_end(flow);
    flow->admitted -= frees_left; /* those that came count when the class is weighed */
    if (length_of(thread, size_class) <= keep)
        return true;
    unsigned count = (unsigned)(length_of(thread, size_class) - keep);
    void **from = flow->base + keep;
    flow_begin(flow);
    store_release(&flow->returned, flow->returned + count);
    store_release(&slot->top, from);
    flow_end(flow);
    unsigned put = wanted ? hak_transfer_put(size_class, from, count) : 0;
    /* A few under one hold of the lock: others want it. */
    for (unsigned done = put, some; done < count; done += some) {
        some = (unsigned)least(count - done, HAK_FLUSH_MAX);
        unsigned others = hak_heap_return_array(thread->heap, from + done, some);
        COUNT_ADD(SENT_HOME, others);
        hak_heap_return_any(hak_heaps, from + done, others);
    }
    return put == count;
}

/* Halves what a class may hold, for another one; all have their turns, though not many in one call. */
SLOW static void give_up_capacity(struct thread *thread, unsigned wanted_by) {
    unsigned c = thread->gives_up_last;
    for (unsigned looks = 0; looks < HAK_CACHE_LOOKS_MAX; looks++) {
        c = c % (HAK_CLASS_COUNT - 1) + 1;
        if (c != wanted_by && thread->view.flow[c].capacity > 1)
            break;
    }
    thread->gives_up_last = (uint8_t)c;
    if (c == wanted_by || thread->view.flow[c].capacity <= 1)
        return;
    struct hak_slot *slot = &thread->view.slot[c];
    struct hak_flow *flow = &thread->view.flow[c];
    int32_t freed = flow->admitted - owner_load(&slot->frees_left);
    hak_capacity_halve(thread, c);
    (void)capacity_weigh(flow, (uint32_t)figures_mallocs(slot, flow), freed);
    (void)flush_list(thread, c, flow->capacity > 1 ? flow->capacity : 0, true);
    hak_capacity_admit(thread, c, length_of(thread, c), 0);
}

/* More capacity for a class whose list is empty, if the program has as many blocks as it had room for: a batch may be
 * much less. */
static void grow_to_demand(struct thread *thread, unsigned size_class) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    if (owner_load(&flow->taken) - owner_load(&flow->returned) < (uint64_t)flow->capacity / 2)
        return;
    if (unlikely(threads_are_many()) && hak_capacity_is_short(thread, size_class)) {
        if (++thread->shortages % HAK_CACHE_SHORTAGES != 0)
            return;
        give_up_capacity(thread, size_class);
    }
    (void)hak_capacity_grow(thread, size_class);
}

/* What a signal handler frees between the two passes lists and outbox. */
FAST void begin_work(struct thread *thread) {
    thread->busy = true;
    fork_fence();
}
FAST void end_work(struct thread *thread) {
    fork_fence();
    thread->busy = false;
}

static bool others_may_want_it(void) {
    return load_relaxed(&hak_options.purge_delay) != 0;
}

static void empty_outbox(struct thread *thread, bool wanted) {
    if (unlikely(thread->outbox.count != 0))
        capacity_earn(thread, hak_outbox_send(&thread->outbox, hak_heaps, wanted));
}

/* Whether the thread has made no malloc and no free of the class since the last time. */
static bool is_unused(struct thread *thread, unsigned size_class) {
    const struct hak_slot *slot = &thread->view.slot[size_class];
    const struct hak_flow *flow = &thread->view.flow[size_class];
    uint64_t frees = figures_cached_frees(slot, flow) + owner_load(&flow->passed_frees);
    uint32_t calls = (uint32_t)(figures_mallocs(slot, flow) + frees), before = thread->calls[size_class];
    thread->calls[size_class] = calls;
    return calls == before;
}

/* What its list holds goes home, up to `most` blocks; how many. */
static unsigned scavenge_list(struct thread *thread, unsigned size_class, unsigned most) {
    unsigned length = (unsigned)length_of(thread, size_class);
    if (length > most) {
        (void)flush_list(thread, size_class, (int32_t)(length - most), false);
        return most;
    }
    if (length != 0 || hak_capacity_has_grown(thread, size_class)) {
        (void)flush_list(thread, size_class, 0, false);
        hak_capacity_restart(thread, size_class);
        thread->passes[size_class] = 0;
    }
    return length;
}

/* What waits of classes that the thread does not use goes home, some at once, so that the slabs of sizes that it is
 * through with become free: its lists, and what others have not wanted of transfer caches into which it put some last.
 * Not of the class that it is at work with. Not inlined: what it keeps on the stack does not add to the longest way
 * down. */
__attribute__((noinline)) static void scavenge(struct thread *thread, unsigned size_class) {
    bool any_waits = load_relaxed(&hak_transfer_any) != HAK_TRANSFER_NONE;
    unsigned left = HAK_COOL_BLOCKS;
    for (unsigned c = 1 + thread->chores % HAK_SCAVENGE_CHORES; c < HAK_CLASS_COUNT && left != 0;
         c += HAK_SCAVENGE_CHORES) {
        bool is_open = class_is_open(thread, c);
        if (c == size_class || (is_open && !is_unused(thread, c)))
            continue;
        if (is_open)
            left -= scavenge_list(thread, c, left);
        if (any_waits && unlikely(transfer_is_own(&hak_transfers[c])))
            left -= (unsigned)least(left, hak_transfer_cool(&hak_transfers[c], hak_heaps, left));
    }
}

/* What is due once per HAK_CHORES_INTERVAL blocks that have gone into lists, or out of slabs. */
static void chores(struct thread *thread, unsigned size_class) {
    thread->chores_left = HAK_CHORES_INTERVAL;
    empty_outbox(thread, others_may_want_it());
    hak_thread_list_adopt();
    if (++thread->chores % 8 == 0)
        hak_spare_cool(&thread->spares);
    if (thread->chores % 8 == 0 || load_relaxed(&hak_transfer_any) == HAK_TRANSFER_COOLING)
        tick();
    else
        tick_often();
    scavenge(thread, size_class);
}

FAST void count_to_chores(struct thread *thread, unsigned size_class, int32_t blocks) {
    thread->chores_left -= blocks;
    if (unlikely(thread->chores_left <= 0))
        chores(thread, size_class);
}

/* Fills an empty list, into which none is put meanwhile. False if memory is out. */
static bool refill(struct thread *thread, unsigned size_class) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    struct hak_slot *slot = &thread->view.slot[size_class];
    int32_t freed = flow->admitted - owner_load(&slot->frees_left);
    capacity_begin_countdown(thread, size_class, 0, 0);
    if (unlikely(length_of(thread, size_class) != 0)) /* a signal handler has freed before that */
        return true;
    if (flow->capacity == 0)
        hak_capacity_open(thread, size_class);
    else
        grow_to_demand(thread, size_class);
    unsigned want = ((unsigned)flow->capacity + 1) / 2;
    want = want < HAK_BATCH_MAX ? want : HAK_BATCH_MAX;
    if (unlikely(slot->room < (int32_t)want) && !hak_capacity_widen(thread, size_class, (int32_t)want))
        want = (unsigned)slot->room;
    if (want == 0)
        return false;
    tick();
    unsigned got = take_batch(thread, size_class, want, flow->base);
    if (got == 0)
        return false;
    flow_begin(flow);
    store_release(&flow->taken, flow->taken + got);
    store_release(&slot->top, flow->base + got);
    flow_end(flow);
    capacity_earn(thread, got * size_class_bytes(size_class));
    if (thread->circulates[size_class] == HAK_CIRCULATES_REFILLS)
        hak_capacity_clip(thread, size_class);
    flow->admitted = freed;
    (void)capacity_weigh(flow, (uint32_t)figures_mallocs(slot, flow), freed);
    hak_capacity_admit(thread, size_class, (int32_t)got, 0);
    thread->passes[size_class] = 0;
    count_to_chores(thread, size_class, (int32_t)got);
    return true;
}

/* A block passes its list where that has no memory. */
SLOW static void *take_past_list(struct thread *thread, unsigned size_class) {
    void *block = NULL;
    owner_add(&thread->view.flow[size_class].taken, hak_heap_take(thread->heap, size_class, 1, &block));
    return block;
}

void *hak_thread_take(struct thread *thread, unsigned size_class) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    void *block = cache_pop(slot);
    if (unlikely(block != NULL))
        return block;
    if (unlikely(thread->busy))
        return take_past_list(thread, size_class);
    begin_work(thread);
    bool filled = refill(thread, size_class);
    end_work(thread);
    return likely(filled) ? cache_pop(slot) : slot->room == 0 ? take_past_list(thread, size_class) : NULL;
}

/* Gives back some of a list that is too long. If the thread takes next to nothing from it, and others have room for the
 * blocks, it may hold less from now on. */
static void give_back_some(struct thread *thread, unsigned size_class, int32_t length, bool used) {
    int32_t capacity = thread->view.flow[size_class].capacity;
    int32_t least = used ? capacity - share_of(capacity) : 0;
    int32_t keep = length - HAK_FLUSH_MAX > least ? length - HAK_FLUSH_MAX : least;
    if (flush_list(thread, size_class, keep, true) && !used)
        hak_capacity_shrink(thread, size_class);
}

/* A list that is too long is let be longer, if the thread takes so much from it that this spares the way to the heap,
 * or some of it is given back. */
SLOW static void shorten(struct thread *thread, unsigned size_class, int32_t length, bool used) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    if (flow->capacity == 0)
        hak_capacity_open(thread, size_class);
    while (used && length >= owner_load(&flow->capacity) && hak_capacity_grow(thread, size_class)) {
    }
    if (length != 0 && length >= hak_capacity_now(thread, size_class)) {
        COUNT(LEFT_FULL);
        give_back_some(thread, size_class, length, used);
    }
    int32_t left = length_of(thread, size_class);
    hak_capacity_admit(thread, size_class, left, length - left);
}

/* What is due when a countdown of frees has ended. True if the thread takes what it frees. */
FAST bool look_at_list(struct thread *thread, unsigned size_class) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    uint32_t moved = (uint32_t)(flow->taken - flow->returned + flow->frees_end);
    int32_t length = length_of(thread, size_class), left = flow->capacity - length, freed = flow->admitted;
    bool used = capacity_weigh(flow, moved - (uint32_t)length, freed);
    COUNT(LEFT_COUNTDOWN);
    if (likely(used) && likely(left > 0)) {
        capacity_begin_countdown(thread, size_class, length, capacity_more(thread, size_class, left));
    } else {
        shorten(thread, size_class, length, used);
        tick();
    }
    count_to_chores(thread, size_class, freed);
    return used;
}

/* A block passes its list where that has no memory, where its class is to keep nothing, and where a signal handler has
 * interrupted this thread's work with its lists: what that frees is left to its heap. The outbox is sent away when it
 * is full. */
static void put_past_list(struct thread *thread, unsigned size_class, void *block) {
    owner_add(&thread->view.flow[size_class].passed_frees, 1);
    if (unlikely(thread->busy)) {
        hak_heap_leave(hak_heaps, block);
        return;
    }
    begin_work(thread);
    if (unlikely(outbox_add(&thread->outbox, size_class, block, least(HAK_OUTBOX_BYTES, capacity_limit(thread) / 2)))) {
        count_to_chores(thread, size_class, (int32_t)thread->outbox.count);
        empty_outbox(thread, others_may_want_it());
        tick();
    }
    end_work(thread);
}

/* Puts a block in the place of one further down in a list of that length, another one each time, and returns that. */
SLOW static void *change_places(struct hak_flow *flow, int32_t length, void *block) {
    void **place = flow->base + flow->moves / 2 % (uint32_t)length, *other = *place;
    *place = block;
    fork_fence();
    return other;
}

/* A thread that frees what it has just taken uses the same block again and again: one that lies beside another thread's
 * data should not stay with it for ever. So the small block whose free ends a countdown makes way for another of the
 * list; or it goes to others, if these are few. */
void hak_thread_keep_full(struct thread *thread, unsigned size_class, void *block) {
    size_t offset = size_class * SLOT_BYTES;
    uint8_t *passes = &thread->passes[size_class];
    owner_store(SLOT_FIELD(&thread->view, offset, frees_left), 0);
    if (likely(*passes == 0) && likely(!thread->busy)) {
        begin_work(thread);
        bool stays = true;
        if (look_at_list(thread, size_class) && size_class_bytes(size_class) < HAK_NEIGHBOURS_BYTES) {
            int32_t length = length_of(thread, size_class);
            stays = length >= HAK_NEIGHBOURS_LIST;
            if (stays)
                block = change_places(&thread->view.flow[size_class], length, block);
        }
        end_work(thread);
        if (owner_load(SLOT_FIELD(&thread->view, offset, frees_left)) == 0)
            *passes = HAK_PASSES;
        else if (stays && likely(cache_push(&thread->view, &offset, block)))
            return;
    }
    if (*passes != 0)
        --*passes;
    put_past_list(thread, size_class, block);
}

void hak_thread_keep(struct thread *thread, unsigned size_class, void *block) {
    size_t offset = size_class * SLOT_BYTES;
    if (unlikely(!cache_push(&thread->view, &offset, block)))
        hak_thread_keep_full(thread, size_class, block);
}

void *hak_thread_take_direct(unsigned size_class) {
    bool by_another;
    void *block;
    COUNT(LEFT_NO_RECORD);
    if (hak_transfer_take(size_class, 1, &block, &by_another) != 0) {
        COUNT(REFILL_TRANSFER);
    } else {
        struct heap *heap = hak_thread_list_any_heap();
        if (heap == NULL || hak_heap_take(heap, size_class, 1, &block) == 0)
            return NULL;
    }
    hak_tally_add(&hak_view.recordless.cached_mallocs, 1);
    hak_tally_add(&hak_view.recordless_class[size_class].mallocs, 1);
    return block;
}

void hak_thread_put_direct(uint32_t entry, void *block) {
    COUNT(FREE_DIRECT);
    hak_tally_add(&hak_view.recordless.cached_frees, 1);
    hak_tally_add(&hak_view.recordless_class[entry_class(entry)].frees, 1);
    /* Where threads are many, most are without one, and the next call wants it. */
    unsigned put = threads_are_many() ? hak_transfer_put(entry_class(entry), &block, 1) : 0;
    COUNT_ADD(TRANSFERRED, put);
    if (put == 0)
        hak_heap_return_any(hak_heaps, &block, 1);
}

/* Empties the caches of a record that no thread is using, or of the caller's, and closes its classes. */
void hak_thread_empty(struct thread *thread, bool wanted) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        if (!class_is_open(thread, c))
            continue;
        (void)flush_list(thread, c, 0, wanted);
        hak_capacity_close(thread, c, wanted);
    }
    empty_outbox(thread, wanted);
    hak_capacity_forget(thread);
    memset(thread->passes, 0, sizeof thread->passes);
    memset(thread->circulates, 0, sizeof thread->circulates);
    hak_spare_flush(&thread->spares);
}

/* The next thread may do something else with a class: that it takes what it frees has to show soon. */
static void forget_balance(struct thread *thread, unsigned size_class) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    int32_t left = owner_load(&thread->view.slot[size_class].frees_left);
    flow->balance = flow->balance < HAK_PASSING_MAX ? flow->balance : HAK_PASSING_MAX;
    capacity_begin_countdown(thread, size_class, length_of(thread, size_class),
                             left < HAK_PASSING_MAX ? left : HAK_PASSING_MAX);
}

/* Makes a record ready for the next thread. False if that is not to get what is in its caches: more than
 * HAK_WARM_BYTES. */
static bool leave_to_next(struct thread *thread) {
    size_t bytes = 0;
    for (unsigned word = 0; word < USED_WORDS; word++)
        for (uint64_t used = thread->used[word]; used != 0; used &= used - 1) {
            unsigned c = word * 64 + bits_lowest(used);
            bytes += (size_t)length_of(thread, c) * size_class_bytes(c);
            forget_balance(thread, c);
        }
    return bytes <= HAK_WARM_BYTES;
}

void hak_thread_end(void) {
    struct thread *thread = hak_thread_self;
    if (!thread_is_alive(thread))
        return;
    hak_thread_self = NOBODY;
    COUNT_IN(NULL);
    hak_thread_ended = true;
    empty_outbox(thread, others_may_want_it());
    hak_spare_flush(&thread->spares);
    if (!leave_to_next(thread) || !hak_thread_list_remove_warm(thread)) {
        hak_thread_empty(thread, true);
        hak_thread_list_remove(thread);
    }
    tick();
}

void hak_thread_flush(void) {
    struct thread *thread = hak_thread_self;
    if (thread_is_alive(thread) && likely(!thread->busy)) {
        begin_work(thread);
        hak_thread_empty(thread, false);
        end_work(thread);
    }
    hak_thread_list_adopt();
    hak_thread_list_collect();
}
