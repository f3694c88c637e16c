/* home_test.c
 * Purpose.     Blocks that go home past a full list: they are not touched, none is lost or counted wrongly, and the
 *              list gets them again as soon as the thread, or others, take some, or neighbours come by.
 * Design.      Each test is a child, whose caches start empty.
 */
#include "support/child.h"
#include "support/unit.h"

#include <pthread.h>

#include "api/init.h"
#include "base/figures.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread.h"
#include "heap/thread_list.h"
#include "heap/transfer.h"
#include "segment/view.h"

enum { MANY = 1 << 17, GRANULES = 32 };

/* Blocks of so many granules, to be freed in steps far apart: by the golden section of all. */
struct pile {
    uint64_t *block[MANY];
    size_t size;
    unsigned count, step, freed;
};

static struct pile pile, other_pile;

static struct thread *begin(void) {
    while (hak_api_thread() == NULL) {
    }
    hak_options.purge_delay = 1 << 30;
    return hak_thread_self;
}

static unsigned common_divisor(unsigned a, unsigned b) {
    return b == 0 ? a : common_divisor(b, a % b);
}

static void make(struct pile *made, size_t size) {
    made->size = size;
    made->freed = 0;
    made->count = (unsigned)(GRANULES * HAK_GRANULE_SIZE / size);
    made->step = (unsigned)(made->count * (uint64_t)618 / 1000);
    while (common_divisor(made->count, made->step) != 1)
        made->step--;
    EXPECT(made->count <= MANY);
    for (unsigned i = 0; i < made->count; i++) {
        EXPECT((made->block[i] = hak_malloc(size)) != NULL);
        *made->block[i] = i;
    }
}

/* Which one is the n-th, each once. */
static unsigned nth(const struct pile *made, unsigned n) {
    return (unsigned)((uint64_t)n * made->step % made->count);
}

static bool is_left(const struct pile *made) {
    return made->freed < made->count;
}

static void free_next(struct pile *made) {
    EXPECT(is_left(made));
    hak_free(made->block[nth(made, made->freed++)]);
}

static void free_rest(struct pile *made) {
    while (is_left(made))
        free_next(made);
}

static void free_until_home(const struct thread *thread, struct pile *made) {
    while (!thread->goes_home[size_class_of(made->size)])
        free_next(made);
}

static int64_t length_of(const struct thread *thread, unsigned c) {
    int64_t length = 0;
    for (const struct block *block = thread->view.slot[c].head; block != NULL; block = block->next)
        length++;
    EXPECT(length == figures_length(&thread->view, c) && thread->view.slot[c].frees_left >= 0);
    return length;
}

static void nothing_is_left(void) {
    hak_thread_flush();
    EXPECT(hak_view.active_bytes == 0 && load_relaxed(&hak_view.errors) == 0);
}

/* What was written into them is still there, where a list would have its link: until they are made again. */
static void free_one_class(void *size) {
    struct thread *thread = begin();
    make(&pile, (size_t)size);
    free_until_home(thread, &pile);
    unsigned c = size_class_of(pile.size), first = pile.freed;
    const struct hak_flow *flow = &thread->view.flow[c];
    int64_t length = length_of(thread, c);
    EXPECT(length >= flow->capacity && length < flow->capacity + HAK_FLUSH_MAX);
    EXPECT(!hak_transfer_has_room(transfer_of(thread->heap, c)));
    uint64_t frees = figures_class_sum(&thread->view, c).frees, remote = flow->remote_frees;
    while (is_left(&pile)) {
        free_next(&pile);
        EXPECT(thread->goes_home[c] && thread->outbox.home_count <= HAK_HOME_BLOCKS);
    }
    EXPECT(pile.freed > first + HAK_HOME_BLOCKS && length_of(thread, c) == length);
    EXPECT(figures_class_sum(&thread->view, c).frees == frees + pile.freed - first && flow->remote_frees == remote);
    EXPECT(hak_view.purged_bytes == 0);
    for (unsigned i = first; i < pile.count; i++)
        EXPECT(*pile.block[nth(&pile, i)] == nth(&pile, i));
    nothing_is_left();
}

static void what_goes_home_is_not_touched(void **state) {
    (void)state;
    for (size_t size = 16; size <= HAK_TINY_MAX; size *= 2)
        assert_true(child_succeeds(free_one_class, (void *)size));
}

static void free_larger_ones(void *unused) {
    struct thread *thread = begin();
    (void)unused;
    for (unsigned c = HAK_TINY_CLASSES + 1; c < HAK_CLASS_COUNT; c += 13) {
        make(&pile, size_class_bytes(c));
        while (is_left(&pile)) {
            free_next(&pile);
            EXPECT(!thread->goes_home[c]);
        }
    }
    EXPECT(thread->outbox.home_count == 0);
    nothing_is_left();
}

static void larger_ones_go_through_lists(void **state) {
    (void)state;
    assert_true(child_succeeds(free_larger_ones, NULL));
}

static void free_in_order(struct thread *thread, unsigned count) {
    unsigned c = size_class_of(pile.size);
    for (unsigned i = 0; i < count; i++, pile.freed++) {
        hak_free(pile.block[pile.freed]);
        EXPECT(!thread->goes_home[c] || i < 2 * HAK_HOME_BLOCKS);
    }
}

/* In the order that they were made in they go through the list, from the first on or from then on. */
static void free_neighbours(void *unused) {
    struct thread *thread = begin();
    (void)unused;
    make(&pile, 80);
    unsigned c = size_class_of(80);
    for (unsigned i = 0; i < pile.count; i++) {
        hak_free(pile.block[i]);
        EXPECT(!thread->goes_home[c]);
    }
    EXPECT(thread->outbox.home_count == 0 && !hak_transfer_has_room(transfer_of(thread->heap, c)));
    hak_thread_flush();
    /* First apart, then in order: those of the first eight granules are left for that. */
    make(&pile, 80);
    unsigned in_order = pile.count / 4;
    for (unsigned i = 0; i < pile.count; i++) {
        unsigned n = nth(&pile, i);
        if (n >= in_order)
            hak_free(pile.block[n]);
    }
    EXPECT(thread->goes_home[c]);
    pile.freed = 0;
    free_in_order(thread, in_order);
    EXPECT(thread->outbox.home_count == 0);
    nothing_is_left();
}

static void neighbours_go_through_lists(void **state) {
    (void)state;
    assert_true(child_succeeds(free_neighbours, NULL));
}

/* A list that is much too long becomes shorter first. */
static void free_beyond_capacity(void *unused) {
    struct thread *thread = begin();
    const struct hak_flow *flow = &thread->view.flow[4];
    (void)unused;
    for (unsigned i = 0; i < 4 * HAK_CHORES_INTERVAL; i++)
        hak_free(hak_malloc(64));
    make(&pile, 64);
    int64_t longest = 0;
    while (!thread->goes_home[4]) {
        free_next(&pile);
        int64_t length = figures_length(&thread->view, 4) - flow->capacity;
        longest = length > longest ? length : longest;
    }
    EXPECT(longest > HAK_FLUSH_MAX && figures_length(&thread->view, 4) < flow->capacity + HAK_FLUSH_MAX);
    free_rest(&pile);
    nothing_is_left();
}

static void a_long_list_becomes_shorter_first(void **state) {
    (void)state;
    assert_true(child_succeeds(free_beyond_capacity, NULL));
}

/* Where the list has room again, the way home ends with those that are on it. */
static void make_and_free(void *unused) {
    struct thread *thread = begin();
    unsigned c = size_class_of(48), pairs = 0;
    (void)unused;
    make(&pile, 48);
    free_until_home(thread, &pile);
    for (; thread->goes_home[c]; pairs++) {
        void *block = hak_malloc(48);
        EXPECT(block != NULL && pairs < HAK_FLUSH_MAX + 2 * HAK_HOME_BLOCKS);
        hak_free(block);
    }
    EXPECT(thread->outbox.home_count == 0);
    int64_t length = length_of(thread, c);
    free_next(&pile);
    EXPECT(length_of(thread, c) == length + 1 && thread->outbox.home_count == 0);
    free_rest(&pile);
    nothing_is_left();
}

static void room_in_the_list_ends_it(void **state) {
    (void)state;
    assert_true(child_succeeds(make_and_free, NULL));
}

/* So does a refill, at once. */
static void empty_the_list(void *unused) {
    struct thread *thread = begin();
    unsigned c = size_class_of(1024), count = 0;
    (void)unused;
    make(&pile, 1024);
    free_until_home(thread, &pile);
    while (thread->view.slot[c].head != NULL) {
        EXPECT((other_pile.block[count++] = hak_malloc(1024)) != NULL);
        EXPECT(thread->goes_home[c]);
    }
    EXPECT((other_pile.block[count++] = hak_malloc(1024)) != NULL && !thread->goes_home[c]);
    while (count > 0)
        hak_free(other_pile.block[--count]);
    free_rest(&pile);
    nothing_is_left();
}

static void a_refill_ends_it(void **state) {
    (void)state;
    assert_true(child_succeeds(empty_the_list, NULL));
}

static void others_take(void *unused) {
    struct thread *thread = begin();
    unsigned c = size_class_of(64);
    (void)unused;
    make(&pile, 64);
    free_until_home(thread, &pile);
    hak_transfer_empty(transfer_of(thread->heap, c), hak_heaps);
    for (unsigned more = 0; thread->goes_home[c]; more++) {
        EXPECT(more <= HAK_HOME_BLOCKS);
        free_next(&pile);
    }
    EXPECT(thread->outbox.home_count == 0);
    free_until_home(thread, &pile);
    EXPECT(transfer_of(thread->heap, c)->count == transfer_of(thread->heap, c)->room);
    free_rest(&pile);
    nothing_is_left();
}

static void others_that_take_get_some_again(void **state) {
    (void)state;
    assert_true(child_succeeds(others_take, NULL));
}

/* The class that begins to go home finds the way full of another one. */
static void free_two_classes(void *unused) {
    struct thread *thread = begin();
    (void)unused;
    make(&other_pile, 16);
    make(&pile, 48);
    while (thread->outbox.home_count != HAK_HOME_BLOCKS)
        free_next(&other_pile);
    EXPECT(thread->goes_home[1]);
    free_until_home(thread, &pile);
    EXPECT(thread->outbox.home_count == 1 && thread->outbox.home[0] == (void *)pile.block[nth(&pile, pile.freed - 1)]);
    free_rest(&other_pile);
    free_rest(&pile);
    nothing_is_left();
}

static void several_classes_share_the_way(void **state) {
    (void)state;
    assert_true(child_succeeds(free_two_classes, NULL));
}

/* Whatever function takes them back counts itself. */
static void free_by_other_names(void *unused) {
    struct thread *thread = begin();
    (void)unused;
    make(&pile, 64);
    free_until_home(thread, &pile);
    const uint64_t *served = thread->view.tally.served;
    uint64_t sized = served[HAK_ENTRY_FREE_SIZED], frees = figures_class_sum(&thread->view, 4).frees;
    for (unsigned i = 0; i < 3 * HAK_HOME_BLOCKS; i++)
        hak_free_sized(pile.block[nth(&pile, pile.freed++)], 64);
    EXPECT(served[HAK_ENTRY_FREE_SIZED] == sized + 3 * HAK_HOME_BLOCKS);
    EXPECT(figures_class_sum(&thread->view, 4).frees == frees + 3 * HAK_HOME_BLOCKS && thread->goes_home[4]);
    free_rest(&pile);
    nothing_is_left();
}

static void every_entry_counts(void **state) {
    (void)state;
    assert_true(child_succeeds(free_by_other_names, NULL));
}

/* Of those that any thread's list may hold, each goes to its own heap; none stays behind when the thread is to keep
 * nothing. */
static void *free_others(void *unused) {
    struct thread *thread = begin();
    unsigned c = size_class_of(256);
    make(&other_pile, 256);
    while (is_left(&pile)) {
        free_next(&other_pile);
        free_next(&pile);
    }
    EXPECT(thread->goes_home[c] && thread->outbox.home_count > 1);
    if (unused != NULL) {
        hak_thread_flush();
        EXPECT(thread->outbox.home_count == 0 && thread->outbox.count == 0);
    }
    return NULL;
}

static void free_two_heaps(void *flushes) {
    pthread_t other;
    (void)begin();
    make(&pile, 256);
    EXPECT(pthread_create(&other, NULL, free_others, flushes) == 0 && pthread_join(other, NULL) == 0);
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        const struct thread *each = (const struct thread *)(const void *)view;
        EXPECT(each->outbox.home_count == 0 && each->outbox.count == 0);
    }
    hak_thread_flush();
    nothing_is_left();
}

static void each_goes_to_its_own_heap(void **state) {
    (void)state;
    assert_true(child_succeeds(free_two_heaps, NULL));
    assert_true(child_succeeds(free_two_heaps, &pile));
}

static pthread_barrier_t barrier;

static void *free_and_stay(void *busy) {
    struct thread *thread = begin();
    make(&pile, 32);
    free_until_home(thread, &pile);
    while (thread->outbox.home_count != HAK_HOME_BLOCKS / 2)
        free_next(&pile);
    uint32_t count = thread->outbox.home_count;
    if (busy != NULL)
        thread->outbox.home_count = HAK_HOME_BUSY;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    thread->outbox.home_count = count;
    return NULL;
}

static void adopt(void *busy) {
    (void)begin();
    hak_thread_flush();
    free_rest(&pile);
    if (busy == NULL)
        nothing_is_left();
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next)
        EXPECT(((const struct thread *)(const void *)view)->outbox.home_count == 0);
}

static void fork_amid(void *busy) {
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    EXPECT(pthread_create(&thread, NULL, free_and_stay, busy) == 0);
    pthread_barrier_wait(&barrier);
    EXPECT(child_succeeds(adopt, busy));
    pthread_barrier_wait(&barrier);
    EXPECT(pthread_join(thread, NULL) == 0);
}

/* All of them, or, if the fork came while they were being returned, none twice. */
static void a_forks_child_sends_them_home(void **state) {
    (void)state;
    assert_true(child_succeeds(fork_amid, NULL));
    assert_true(child_succeeds(fork_amid, &pile));
}

/* A handler that frees while those on the way are being returned adds none to them. */
static void free_in_between(void *unused) {
    struct thread *thread = begin();
    (void)unused;
    make(&pile, 112);
    free_until_home(thread, &pile);
    uint32_t count = thread->outbox.home_count;
    thread->outbox.home_count = HAK_HOME_BUSY;
    for (unsigned i = 0; i < HAK_HOME_BLOCKS; i++) {
        free_next(&pile);
        EXPECT(thread->outbox.home_count == HAK_HOME_BUSY);
    }
    thread->outbox.home_count = count;
    free_rest(&pile);
    nothing_is_left();
}

static void none_is_added_to_those_that_return(void **state) {
    (void)state;
    assert_true(child_succeeds(free_in_between, NULL));
}

/* The next thread begins without it. */
static void *end_amid(void *unused) {
    const struct thread *thread = begin();
    make(&pile, 32);
    free_rest(&pile);
    EXPECT(thread->goes_home[2] && thread->outbox.home_count != 0);
    return unused;
}

static void end_a_thread(void *unused) {
    pthread_t thread;
    (void)unused;
    (void)begin();
    EXPECT(pthread_create(&thread, NULL, end_amid, NULL) == 0 && pthread_join(thread, NULL) == 0);
    for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next) {
        const struct thread *each = (const struct thread *)(const void *)view;
        EXPECT(!each->goes_home[2] && each->outbox.home_count == 0);
    }
    nothing_is_left();
}

static void a_thread_that_ends_leaves_none(void **state) {
    (void)state;
    assert_true(child_succeeds(end_a_thread, NULL));
}

static const void *bad;

static void on_bad_block(const void *block) {
    EXPECT(bad == NULL && hak_thread_self->outbox.home_count == HAK_HOME_BUSY);
    bad = block;
}

/* Noticed when it goes home; whoever is told may free, and adds none to those that are just returned. */
static void free_twice(void *unused) {
    struct thread *thread = begin();
    (void)unused;
    make(&pile, 80);
    free_until_home(thread, &pile);
    hak_heap_on_bad_block = on_bad_block;
    free_next(&pile);
    const void *twice = pile.block[nth(&pile, pile.freed - 1)];
    hak_free((void *)(uintptr_t)twice);
    EXPECT(bad == NULL);
    while (thread->outbox.home_count != 1)
        free_next(&pile);
    EXPECT(bad == twice);
}

static void a_block_freed_twice_is_noticed(void **state) {
    (void)state;
    assert_true(child_succeeds(free_twice, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_home_is_not_touched),
        cmocka_unit_test(larger_ones_go_through_lists),
        cmocka_unit_test(neighbours_go_through_lists),
        cmocka_unit_test(a_long_list_becomes_shorter_first),
        cmocka_unit_test(room_in_the_list_ends_it),
        cmocka_unit_test(a_refill_ends_it),
        cmocka_unit_test(others_that_take_get_some_again),
        cmocka_unit_test(several_classes_share_the_way),
        cmocka_unit_test(every_entry_counts),
        cmocka_unit_test(each_goes_to_its_own_heap),
        cmocka_unit_test(a_forks_child_sends_them_home),
        cmocka_unit_test(none_is_added_to_those_that_return),
        cmocka_unit_test(a_thread_that_ends_leaves_none),
        cmocka_unit_test(a_block_freed_twice_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
