/* heap/thread.c
 * Purpose.     Birth, service and end of a thread's record. See thread.h.
 */
#include "heap/thread.h"

#include <string.h>

#include "base/bits.h"
#include "base/figures.h"
#include "base/options.h"
#include "base/size_class.h"
#include "heap/slab.h"
#include "heap/thread_capacity.h"
#include "heap/thread_list.h"
#include "heap/transfer.h"
#include "os/os.h"
#include "segment/purge.h"

static const uint32_t nothing_mapped;

__attribute__((section(".data.rel.ro.hakmem"), aligned(HAK_ALIGNMENT))) struct thread_front hak_thread_nobody = {
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
    thread->view.entry_mask = ENTRY_MATCH & ~thread->heap->pattern;
    thread->outbox.most_bytes = (uint32_t)hak_capacity_outbox(thread);
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

/* One block of another heap stands for the next refills as well: they come and go. */
FAST void note_origin(struct thread *thread, unsigned size_class, bool is_foreign) {
    uint8_t *circulates = &thread->circulates[size_class];
    if (is_foreign)
        *circulates = HAK_CIRCULATES_REFILLS;
    else if (*circulates != 0)
        --*circulates;
}

/* Takes 1..want blocks: of those that others have given back and, if these are too few to be worth the way, out of
 * slabs; 0 if memory is out. */
static unsigned take_batch(struct thread *thread, unsigned size_class, unsigned want, struct block **chain) {
    struct heap *heap = thread->heap;
    *chain = NULL;
    unsigned got = hak_transfer_take(transfer_of(heap, size_class), want, chain);
    note_origin(thread, size_class, got != 0 && entry_heap(hak_slab_entry_of(*chain)) != heap->entry);
    if (got == 0 || got < want / 2)
        return got + hak_heap_take_more(heap, size_class, want - got, chain);
    COUNT(REFILL_TRANSFER);
    return got;
}

/* Gives back all blocks of a slot's list but `keep`: the most recent ones, which have been touched last. Where others
 * may want them, they wait for these, as far as there is room; true if all of them do. The list is empty meanwhile: a
 * fork at any moment must not return a block twice. */
static bool flush_slot(struct thread *thread, unsigned size_class, int32_t keep, bool wanted) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    struct hak_flow *flow = &thread->view.flow[size_class];
    int32_t count = length_of(thread, size_class) - keep;
    if (count <= 0)
        return true;
    struct block *chain = owner_load(&slot->head), *others = NULL;
    owner_store(&slot->head, NULL);
    fork_fence();
    unsigned left = (unsigned)count;
    if (wanted)
        chain = hak_transfer_put_chain(thread->heap, size_class, chain, &left);
    if (left != 0)
        chain = hak_heap_return(thread->heap, chain, left, &others);
    owner_add(&flow->returned, (uint64_t)(likely(chain != NULL) ? count : count + keep));
    /* A block that was freed twice makes a ring of the list. */
    owner_store(&slot->head, (void *)(keep == 0 ? NULL : chain));
    outbox_add_chain(&thread->outbox, others, count, hak_heaps);
    return left == 0;
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
    hak_capacity_halve(thread, c);
    int32_t capacity = thread->view.flow[c].capacity;
    thread->kept[c] = thread->kept[c] && capacity > 1;
    (void)flush_slot(thread, c, capacity, true);
    hak_capacity_admit(thread, c, length_of(thread, c));
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

static bool refill(struct thread *thread, unsigned size_class) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    struct hak_slot *slot = &thread->view.slot[size_class];
    struct block *chain;
    if (flow->capacity == 0)
        hak_capacity_open(thread, size_class);
    else
        grow_to_demand(thread, size_class);
    unsigned want = ((unsigned)flow->capacity + 1) / 2;
    tick();
    unsigned got = take_batch(thread, size_class, want < HAK_BATCH_MAX ? want : HAK_BATCH_MAX, &chain);
    if (got == 0)
        return false;
    owner_add(&flow->taken, got);
    owner_store(&slot->head, (void *)chain);
    capacity_earn(thread, got * size_class_bytes(size_class));
    thread->kept[size_class] = flow->capacity > 1;
    thread->goes_home[size_class] = false;
    hak_capacity_admit(thread, size_class, (int32_t)got);
    return true;
}

/* Empties the outbox, but for others' blocks that were among those that go home. Of a class that nobody has room for,
 * later blocks are kept. */
static void pass_on(struct thread *thread) {
    capacity_earn(thread, thread->outbox.bytes);
    if (load_relaxed(&hak_options.purge_delay) != 0)
        hak_outbox_pass_on(&thread->outbox, hak_heaps, thread->kept);
    else
        hak_outbox_flush(&thread->outbox, hak_heaps);
    hak_outbox_go_home(&thread->outbox, thread->heap, hak_heaps);
    thread->outbox.most_bytes = (uint32_t)hak_capacity_outbox(thread);
}

/* Spares a free the look. A list that is too long is left to the free that is to give some of it back. */
static void look_below_capacity(struct thread *thread, unsigned size_class) {
    int32_t length = length_of(thread, size_class);
    if (thread->kept[size_class] && length < owner_load(&thread->view.flow[size_class].capacity))
        hak_capacity_admit(thread, size_class, length);
}

/* What is due once per HAK_CHORES_INTERVAL mallocs of one class. */
static void chores(struct thread *thread, unsigned size_class) {
    owner_add(&thread->view.flow[size_class].mallocs_end, HAK_CHORES_INTERVAL);
    owner_store(&thread->view.slot[size_class].mallocs_left, HAK_CHORES_INTERVAL);
    look_below_capacity(thread, size_class);
    if ((thread->outbox.count | thread->outbox.home_count) != 0)
        pass_on(thread);
    hak_thread_list_adopt();
    if (++thread->chores % 8 == 0)
        hak_spare_cool(&thread->spares);
    if (thread->chores % 8 == 0 || load_relaxed(&hak_transfer_any) == HAK_TRANSFER_COOLING)
        tick();
    else
        tick_often();
}

void *hak_thread_take(struct thread *thread, unsigned size_class) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    if (owner_load(&slot->head) != NULL)
        COUNT(LEFT_COUNTDOWN);
    else if (!refill(thread, size_class))
        return NULL;
    /* A countdown that has ended stands at 0 here, whether a fast path or the line below let it end. */
    if (owner_load(&slot->mallocs_left) != 0)
        owner_add(&slot->mallocs_left, -1);
    struct block *block = owner_load(&slot->head);
    owner_store(&slot->head, (void *)block->next);
    if (owner_load(&slot->mallocs_left) == 0)
        chores(thread, size_class);
    return block;
}

/* Begins a countdown of frees: of one, where no block must come by. */
FAST void count_frees(struct thread *thread, unsigned size_class, int32_t length) {
    if (likely(thread->kept[size_class]))
        hak_capacity_admit(thread, size_class, length);
    else
        cache_admit_free(&thread->view, size_class);
}

/* Gives back some of a list that is as long as it may be. If the thread takes next to nothing from it, and others have
 * room for the blocks, it becomes shorter in time, in the end all of it is given back, and then they get what comes by
 * from now on. */
static void give_back_some(struct thread *thread, unsigned size_class, int32_t length, bool used) {
    int32_t capacity = thread->view.flow[size_class].capacity;
    bool unwanted = !used && class_is_shared(size_class), ends = unwanted && capacity <= HAK_FLUSH_MAX;
    int32_t least = capacity - share_of(capacity);
    int32_t keep = length - HAK_FLUSH_MAX > least ? length - HAK_FLUSH_MAX : least;
    if (!flush_slot(thread, size_class, keep, true) || !unwanted)
        return;
    if (!ends)
        hak_capacity_shrink(thread, size_class);
    else if (flush_slot(thread, size_class, 0, true))
        thread->kept[size_class] = false;
}

/* True if others have room for blocks that a list of the class gives back. A hint. */
static bool others_have_room(const struct thread *thread, unsigned size_class) {
    return hak_transfer_has_room(transfer_of(thread->heap, size_class));
}

static bool list_is_scattered(const struct block *block) {
    uint64_t granules = 0;
    for (unsigned i = 0; i < OUTBOX_SAMPLE && block != NULL; i++, block = block->next)
        granules |= outbox_granule_bit(block);
    return outbox_is_scattered(granules);
}

/* Sends a block of a class home that goes there, and those that came before it if these are many. If the list has room
 * by then, or others, or they are neighbours, the class goes home no more. False if that is so, with nothing done to
 * the block. */
SLOW static bool send_home(struct thread *thread, unsigned size_class, void *block) {
    size_t offset = size_class * SLOT_BYTES;
    if (thread_send_home(thread, offset, block))
        return true;
    hak_outbox_go_home(&thread->outbox, thread->heap, hak_heaps);
    thread->goes_home[size_class] =
        length_of(thread, size_class) >= owner_load(&thread->view.flow[size_class].capacity) &&
        hak_outbox_home_is_scattered(&thread->outbox) && !others_have_room(thread, size_class);
    return thread_send_home(thread, offset, block);
}

FAST void put_in_list(struct thread *thread, unsigned size_class, void *block) {
    size_t offset = size_class * SLOT_BYTES;
    (void)cache_push(&thread->view, &offset, block);
}

/* Puts a block into a list that is as long as it may be: lets it be longer, if the thread takes so much from it that
 * this spares the way to the heap, or gives some of it back. Where neither the thread nor others want any, and they are
 * no neighbours, blocks of the class go home past the list from now on, once it is not much too long. */
SLOW static void put_on_full(struct thread *thread, unsigned size_class, void *block, int32_t length) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    uint32_t mallocs = (uint32_t)figures_mallocs(&thread->view.slot[size_class], flow);
    bool used = mallocs - flow->mallocs_seen >= (uint32_t)share_of(flow->capacity);
    COUNT(LEFT_FULL);
    flow->mallocs_seen = mallocs;
    while (used && length >= owner_load(&flow->capacity) && hak_capacity_grow(thread, size_class)) {
    }
    if (length >= owner_load(&flow->capacity)) {
        thread->goes_home[size_class] =
            !used && size_class <= HAK_TINY_CLASSES && length < owner_load(&flow->capacity) + HAK_FLUSH_MAX &&
            !others_have_room(thread, size_class) && list_is_scattered(owner_load(&thread->view.slot[size_class].head));
        if (thread->goes_home[size_class] && send_home(thread, size_class, block))
            return;
        give_back_some(thread, size_class, length, used);
    }
    count_frees(thread, size_class, length_of(thread, size_class));
    put_in_list(thread, size_class, block);
}

void hak_thread_pass_on(struct thread *thread) {
    pass_on(thread);
    tick();
}

void hak_thread_keep(struct thread *thread, unsigned size_class, void *block) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    if (owner_load(&slot->frees_left) <= 0) {
        owner_store(&slot->frees_left, 0);
        bool went_home = thread->goes_home[size_class];
        if (went_home && send_home(thread, size_class, block)) {
            if (thread->outbox.home_count == 1)
                tick();
            return;
        }
        /* A list that none went to says nothing of what comes by now: it is looked at after some more. */
        int32_t length = length_of(thread, size_class);
        if (unlikely(length >= thread->view.flow[size_class].capacity) && !went_home) {
            put_on_full(thread, size_class, block, length);
            tick();
            return;
        }
        capacity_admit(thread, size_class, length);
    }
    put_in_list(thread, size_class, block);
}

void *hak_thread_take_direct(unsigned size_class) {
    struct heap *heap = hak_thread_list_any_heap();
    struct block *block;
    COUNT(LEFT_NO_RECORD);
    if (heap == NULL || hak_heap_take(heap, size_class, 1, &block) == 0)
        return NULL;
    hak_tally_add(&hak_view.recordless.cached_mallocs, 1);
    hak_tally_add(&hak_view.recordless_class[size_class].mallocs, 1);
    return block;
}

void hak_thread_put_direct(uint32_t entry, void *block) {
    struct block *blocks[] = {block};
    COUNT(FREE_DIRECT);
    hak_tally_add(&hak_view.recordless.cached_frees, 1);
    hak_tally_add(&hak_view.recordless_class[entry_class(entry)].frees, 1);
    hak_heap_return_remote(hak_heaps[entry_heap_id(entry)], blocks, 1);
}

/* Empties the caches of a record that no thread is using, or of the caller's, and closes its classes. */
void hak_thread_empty(struct thread *thread, bool wanted) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        if ((thread->used[c / 64] >> c % 64 & 1) == 0)
            continue;
        (void)flush_slot(thread, c, 0, wanted);
        hak_capacity_close(thread, c);
    }
    hak_capacity_forget(thread);
    memset(thread->kept, 0, sizeof thread->kept);
    memset(thread->goes_home, 0, sizeof thread->goes_home);
    memset(thread->circulates, 0, sizeof thread->circulates);
    hak_spare_flush(&thread->spares);
    hak_outbox_go_home(&thread->outbox, thread->heap, hak_heaps);
    hak_outbox_flush(&thread->outbox, hak_heaps);
}

/* Little enough to be left for the next thread: not more than HAK_WARM_BYTES in its caches. */
static bool is_worth_keeping(const struct thread *thread) {
    size_t bytes = 0;
    for (unsigned word = 0; word < USED_WORDS; word++)
        for (uint64_t used = thread->used[word]; used != 0; used &= used - 1) {
            unsigned c = word * 64 + bits_lowest(used);
            bytes += (size_t)length_of(thread, c) * size_class_bytes(c);
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
    pass_on(thread);
    hak_outbox_flush(&thread->outbox, hak_heaps);
    memset(thread->goes_home, 0, sizeof thread->goes_home);
    hak_spare_flush(&thread->spares);
    if (!is_worth_keeping(thread) || !hak_thread_list_remove_warm(thread)) {
        hak_thread_empty(thread, true);
        hak_thread_list_remove(thread);
    }
    tick();
}

void hak_thread_flush(void) {
    if (thread_is_alive(hak_thread_self))
        hak_thread_empty(hak_thread_self, false);
    hak_thread_list_adopt();
    hak_thread_list_collect();
}
