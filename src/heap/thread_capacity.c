/* heap/thread_capacity.c
 * Purpose.     See thread_capacity.h.
 */
#include "heap/thread_capacity.h"

#include <string.h>

#include "base/options.h"
#include "base/size_class.h"
#include "segment/limit.h"
#include "segment/meta.h"

size_t hak_thread_share = HAK_THREAD_CACHE_BYTES;

/* What the capacities of all threads add up to, and what they may as long as no thread is to have less than its share.
 * Signed: a fork's child may be off by what its parent's threads were just changing. */
static int64_t all_bytes, most_bytes_of_all;

void hak_thread_share_among(uint32_t threads, uint32_t few) {
    size_t most = HAK_THREAD_CACHE_BYTES * few, share = threads <= few ? HAK_THREAD_CACHE_BYTES : most / threads;
    store_relaxed(&most_bytes_of_all, (int64_t)most);
    store_relaxed(&hak_thread_share, share > HAK_CACHE_LEAST_BYTES ? share : HAK_CACHE_LEAST_BYTES);
}

SLOW size_t hak_capacity_limit_of_many(const struct thread *thread, size_t share) {
    size_t begin = share / HAK_CACHE_BEGIN_PART;
    begin = begin > HAK_CACHE_LEAST_BYTES ? begin : HAK_CACHE_LEAST_BYTES;
    bool some_is_left = load_relaxed(&all_bytes) < load_relaxed(&most_bytes_of_all);
    return least(some_is_left ? HAK_THREAD_CACHE_BYTES : share, begin + thread->earned_bytes);
}

/* A capacity of 1 counts nothing: its list is empty whenever there is a choice. */
static size_t counted(unsigned size_class, int32_t capacity) {
    return capacity > 1 ? (size_t)capacity * size_class_bytes(size_class) : 0;
}

static void set_capacity(struct thread *thread, unsigned size_class, int32_t capacity) {
    int32_t *has = &thread->view.flow[size_class].capacity;
    size_t more = counted(size_class, capacity) - counted(size_class, *has);
    thread->cache_bytes += more;
    if (more != 0)
        fetch_add_relaxed(&all_bytes, (int64_t)more);
    owner_store(has, capacity);
}

static int32_t capacity_for(unsigned size_class, size_t bytes) {
    size_t blocks = bytes / size_class_bytes(size_class);
    return blocks < 4 ? 4 : blocks > HAK_CACHE_BLOCKS ? HAK_CACHE_BLOCKS : (int32_t)blocks;
}

/* What it takes to pass blocks on in batches. Nothing where threads are many: then those of all classes wait together,
 * in the outbox. */
static int32_t passing(unsigned size_class) {
    size_t bytes = least(HAK_PASSING_BYTES, (size_t)load_relaxed(&hak_options.cache_bytes));
    int32_t most = (int32_t)(bytes / size_class_bytes(size_class));
    most = most < HAK_PASSING_MIN ? HAK_PASSING_MIN : most > HAK_PASSING_MAX ? HAK_PASSING_MAX : most;
    return likely(!threads_are_many()) ? most : 0;
}

int32_t hak_capacity_now(const struct thread *thread, unsigned size_class) {
    const struct hak_flow *flow = &thread->view.flow[size_class];
    return flow->balance != 0 && flow->capacity > 1 ? flow->capacity : passing(size_class);
}

void hak_capacity_admit(struct thread *thread, unsigned size_class, int32_t length, int32_t given) {
    int32_t now = hak_capacity_now(thread, size_class), left = now - length;
    if (thread->view.flow[size_class].balance != 0 && left > 0)
        left = capacity_more(thread, size_class, left);
    else if (left <= 0)
        left = length > 0 ? given / 2 : 0;
    capacity_begin_countdown(thread, size_class, length, left);
}

/* With the cell below the first address. */
static unsigned list_shift(int32_t room) {
    return bits_log2((size_t)room) + 1 + bits_log2(sizeof(void *));
}

/* A fork at any moment leaves its child a list that is whole, or empty, or none that `base` belongs to. */
bool hak_capacity_widen(struct thread *thread, unsigned size_class, int32_t room) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    struct hak_flow *flow = &thread->view.flow[size_class];
    int32_t had = slot->room, least_room = (1 << HAK_LIST_SHIFT) - 1;
    if (had >= room)
        return true;
    unsigned shift = list_shift(room < least_room ? least_room : room);
    /* Neither a free nor a malloc that can do without is a reason to tell the program that a limit is reached. */
    void **array = limit_would_admit(((size_t)1 << shift) + HAK_CACHE_LINE) ? hak_meta_take(shift) : NULL;
    if (array == NULL)
        return false;
    void **base = flow->base;
    ptrdiff_t length = had == 0 ? 0 : slot->top - base;
    array[0] = NULL;
    if (length != 0)
        memcpy(array + 1, base, (size_t)length * sizeof *array);
    flow_begin(flow);
    store_release(&flow->base, array + 1);
    store_release(&slot->top, array + 1 + length);
    store_release(&slot->room, (int32_t)((size_t)1 << shift) / (int32_t)sizeof *array - 1);
    flow_end(flow);
    if (had != 0)
        hak_meta_give(base - 1, list_shift(had));
    return true;
}

static int32_t first_capacity(unsigned size_class) {
    return capacity_for(size_class, threads_are_many() ? HAK_CACHE_START_OF_MANY : HAK_CACHE_START_BYTES);
}

void hak_capacity_open(struct thread *thread, unsigned size_class) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    int32_t capacity = first_capacity(size_class);
    size_t bytes = counted(size_class, capacity);
    if (!threads_are_many())
        thread->begun_bytes += bytes;
    else if (thread->cache_bytes + bytes > capacity_limit(thread))
        capacity = 1;
    thread->used[size_class / 64] |= (uint64_t)1 << size_class % 64;
    set_capacity(thread, size_class, capacity);
    flow->balance = 0;
    flow->mallocs_seen = (uint32_t)figures_mallocs(&thread->view.slot[size_class], flow);
    flow->admitted = 0;
}

static void give_array(struct thread *thread, unsigned size_class) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    struct hak_flow *flow = &thread->view.flow[size_class];
    int32_t room = slot->room;
    flow_begin(flow);
    store_release(&slot->room, 0);
    store_release(&slot->top, HAK_NO_LIST_TOP);
    flow_end(flow);
    hak_meta_give(flow->base - 1, list_shift(room));
}

void hak_capacity_close(struct thread *thread, unsigned size_class, bool keeps_array) {
    set_capacity(thread, size_class, 0);
    capacity_begin_countdown(thread, size_class, 0, 0);
    if (thread->view.slot[size_class].room > (keeps_array ? HAK_LIST_KEPT : 0))
        give_array(thread, size_class);
    /* Last: a fork's child has to find what is not empty yet. */
    fork_fence();
    thread->used[size_class / 64] &= ~((uint64_t)1 << size_class % 64);
}

bool hak_capacity_has_grown(const struct thread *thread, unsigned size_class) {
    return thread->view.slot[size_class].room > HAK_LIST_KEPT ||
           thread->view.flow[size_class].capacity > first_capacity(size_class);
}

void hak_capacity_restart(struct thread *thread, unsigned size_class) {
    struct hak_flow *flow = &thread->view.flow[size_class];
    int32_t capacity = first_capacity(size_class);
    if (flow->capacity > capacity)
        set_capacity(thread, size_class, capacity);
    capacity_begin_countdown(thread, size_class, 0, 0);
    flow->balance = 0;
    flow->mallocs_seen = (uint32_t)figures_mallocs(&thread->view.slot[size_class], flow);
    if (thread->view.slot[size_class].room > HAK_LIST_KEPT)
        give_array(thread, size_class);
}

void hak_capacity_give_arrays(struct thread *thread) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        if (thread->view.slot[c].room != 0 && !class_is_open(thread, c))
            give_array(thread, c);
}

void hak_capacity_forget(struct thread *thread) {
    fetch_add_relaxed(&all_bytes, -(int64_t)thread->cache_bytes);
    thread->cache_bytes = thread->begun_bytes = thread->earned_bytes = 0;
}

/* What the list of a class may grow to. What goes round among threads need not wait with each of them. */
static size_t most_bytes(const struct thread *thread, unsigned size_class) {
    size_t bytes = (size_t)load_relaxed(&hak_options.cache_bytes);
    size_t few = HAK_CIRCULATES_BLOCKS * size_class_bytes(size_class), share = bytes / HAK_CIRCULATES_SHARE;
    return thread->circulates[size_class] == 0 ? bytes : least(bytes, few > share ? few : share);
}

/* By how much a class may grow at once, as far as that is its own affair. */
static int32_t wanted_growth(const struct thread *thread, unsigned size_class) {
    int32_t capacity = thread->view.flow[size_class].capacity;
    int32_t room = capacity_for(size_class, most_bytes(thread, size_class)) - capacity;
    return capacity < room ? capacity : room;
}

bool hak_capacity_grow(struct thread *thread, unsigned size_class) {
    int32_t capacity = thread->view.flow[size_class].capacity;
    if (capacity == 0) {
        hak_capacity_open(thread, size_class);
        return true;
    }
    int32_t more = wanted_growth(thread, size_class);
    size_t others = thread->cache_bytes - counted(size_class, capacity), limit = capacity_limit(thread);
    if (more <= 0 || others + counted(size_class, capacity + more) > limit)
        return false;
    set_capacity(thread, size_class, capacity + more);
    return true;
}

void hak_capacity_clip(struct thread *thread, unsigned size_class) {
    int32_t most = capacity_for(size_class, most_bytes(thread, size_class));
    if (thread->view.flow[size_class].capacity > most)
        set_capacity(thread, size_class, most);
}

void hak_capacity_shrink(struct thread *thread, unsigned size_class) {
    int32_t capacity = thread->view.flow[size_class].capacity;
    int32_t less = capacity - HAK_FLUSH_MAX < HAK_FLUSH_MAX / 2 ? capacity - HAK_FLUSH_MAX : HAK_FLUSH_MAX / 2;
    if (less > 0)
        set_capacity(thread, size_class, capacity - less);
}

bool hak_capacity_is_short(const struct thread *thread, unsigned size_class) {
    int32_t capacity = thread->view.flow[size_class].capacity, more = wanted_growth(thread, size_class);
    size_t others = thread->cache_bytes - counted(size_class, capacity), limit = capacity_limit(thread);
    size_t grown = counted(size_class, capacity + more);
    return more > 0 && grown <= limit / 2 && others + grown > limit;
}

void hak_capacity_halve(struct thread *thread, unsigned size_class) {
    set_capacity(thread, size_class, thread->view.flow[size_class].capacity / 2);
}
