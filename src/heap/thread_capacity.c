/* heap/thread_capacity.c
 * Purpose.     See thread_capacity.h.
 */
#include "heap/thread_capacity.h"

#include "base/options.h"
#include "base/size_class.h"

size_t hak_thread_share = HAK_THREAD_CACHE_BYTES;

/* What the capacities of all threads add up to, and what they may as long as no thread is to have less than its share.
 * Signed: a fork's child may be off by what its parent's threads were just changing. */
static int64_t all_bytes, most_bytes_of_all;

void hak_thread_share_among(uint32_t threads, uint32_t few) {
    size_t most = HAK_THREAD_CACHE_BYTES * few, share = threads <= few ? HAK_THREAD_CACHE_BYTES : most / threads;
    store_relaxed(&most_bytes_of_all, (int64_t)most);
    store_relaxed(&hak_thread_share, share > HAK_CACHE_LEAST_BYTES ? share : HAK_CACHE_LEAST_BYTES);
}

/* Where threads are many. */
SLOW static size_t limit_of_one_of_many(const struct thread *thread, size_t share) {
    size_t begin = share / HAK_CACHE_BEGIN_PART;
    begin = begin > HAK_CACHE_LEAST_BYTES ? begin : HAK_CACHE_LEAST_BYTES;
    bool some_is_left = load_relaxed(&all_bytes) < load_relaxed(&most_bytes_of_all);
    return least(some_is_left ? HAK_THREAD_CACHE_BYTES : share, begin + thread->earned_bytes);
}

/* What the capacities of the thread's classes may add up to. Where threads are few, what a class begins with is not
 * taken from the others. */
FAST size_t limit_of(const struct thread *thread) {
    size_t share = load_relaxed(&hak_thread_share);
    return likely(share == HAK_THREAD_CACHE_BYTES) ? share + thread->begun_bytes : limit_of_one_of_many(thread, share);
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

size_t hak_capacity_outbox(const struct thread *thread) {
    return least(HAK_OUTBOX_BYTES, limit_of(thread) / 2);
}

static int32_t capacity_for(unsigned size_class, size_t bytes) {
    size_t blocks = bytes / size_class_bytes(size_class);
    return blocks < 4 ? 4 : blocks > HAK_CACHE_BLOCKS ? HAK_CACHE_BLOCKS : (int32_t)blocks;
}

int32_t hak_capacity_excess_in_balance(const struct thread *thread, unsigned size_class) {
    const struct hak_slot *slot = &thread->view.slot[size_class];
    const struct hak_flow *flow = &thread->view.flow[size_class];
    if (size_class > HAK_TINY_CLASSES ||
        figures_mallocs(slot, flow) < figures_cached_frees(slot, flow) / 2 + HAK_RETURN_MAX)
        return 0;
    size_t most = limit_of(thread);
    if (thread->cache_bytes >= most)
        return 0;
    size_t bytes = (most - thread->cache_bytes) / HAK_EXCESS_SHARE;
    size_t blocks = least(bytes, (size_t)load_relaxed(&hak_options.cache_bytes)) / size_class_bytes(size_class);
    return (int32_t)least(blocks, HAK_EXCESS_MAX);
}

void hak_capacity_admit(struct thread *thread, unsigned size_class, int32_t length) {
    if (thread->kept[size_class])
        capacity_admit(thread, size_class, length);
    else
        set_frees_left(thread, size_class, 0);
}

void hak_capacity_open(struct thread *thread, unsigned size_class) {
    struct hak_slot *slot = &thread->view.slot[size_class];
    struct hak_flow *flow = &thread->view.flow[size_class];
    int32_t capacity = capacity_for(size_class, HAK_CACHE_START_BYTES);
    size_t bytes = counted(size_class, capacity);
    if (!threads_are_many())
        thread->begun_bytes += bytes;
    else if (thread->cache_bytes + bytes > limit_of(thread))
        capacity = 1;
    thread->used[size_class / 64] |= (uint64_t)1 << size_class % 64;
    set_capacity(thread, size_class, capacity);
    hak_capacity_admit(thread, size_class, 0);
    if (owner_load(&slot->mallocs_left) == 0) {
        owner_add(&flow->mallocs_end, HAK_CHORES_INTERVAL);
        owner_store(&slot->mallocs_left, HAK_CHORES_INTERVAL);
    }
}

void hak_capacity_close(struct thread *thread, unsigned size_class) {
    set_capacity(thread, size_class, 0);
    hak_capacity_admit(thread, size_class, 0);
    /* Last: a fork's child has to find what is not empty yet. */
    fork_fence();
    thread->used[size_class / 64] &= ~((uint64_t)1 << size_class % 64);
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
    size_t others = thread->cache_bytes - counted(size_class, capacity), limit = limit_of(thread);
    if (more <= 0 || others + counted(size_class, capacity + more) > limit)
        return false;
    set_capacity(thread, size_class, capacity + more);
    return true;
}

void hak_capacity_shrink(struct thread *thread, unsigned size_class) {
    int32_t capacity = thread->view.flow[size_class].capacity;
    int32_t less = capacity - HAK_FLUSH_MAX < HAK_FLUSH_MAX / 2 ? capacity - HAK_FLUSH_MAX : HAK_FLUSH_MAX / 2;
    if (less > 0)
        set_capacity(thread, size_class, capacity - less);
}

bool hak_capacity_is_short(const struct thread *thread, unsigned size_class) {
    int32_t capacity = thread->view.flow[size_class].capacity, more = wanted_growth(thread, size_class);
    size_t others = thread->cache_bytes - counted(size_class, capacity), limit = limit_of(thread);
    size_t grown = counted(size_class, capacity + more);
    return more > 0 && grown <= limit / 2 && others + grown > limit;
}

void hak_capacity_halve(struct thread *thread, unsigned size_class) {
    set_capacity(thread, size_class, thread->view.flow[size_class].capacity / 2);
}
