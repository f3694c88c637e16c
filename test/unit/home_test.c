/* home_test.c
 * Purpose.     A program frees many blocks in another order than it made them: wherever they wait or go, none is
 *              touched, lost or counted wrongly.
 * Design.      Each test is a child, whose caches start empty. The memory of the blocks is inaccessible while they are
 *              free. Linker wraps refuse the lists their memory, and see to it that two threads have two heaps.
 * Not here.    What comes in between: interrupt_test.c.
 * link: -Wl,--wrap=hak_meta_take,--wrap=hak_thread_init
 */
#include "support/child.h"
#include "support/lists.h"

#include <pthread.h>
#include <sys/mman.h>

#include "api/init.h"
#include "base/figures.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/slab.h"
#include "heap/thread.h"
#include "heap/thread_list.h"
#include "heap/transfer.h"
#include "segment/meta.h"
#include "segment/view.h"

enum { MANY = 1 << 17, GRANULES = 32, ONE_BYTES = 32 };

/* Blocks of so many granules, to be freed in steps far apart: by the golden section of all. */
struct pile {
    void *block[MANY];
    size_t size;
    unsigned count, step, freed;
};

static struct pile pile, other_pile;

static bool no_lists; /* there is no memory for what lists need */

void *__real_hak_meta_take(unsigned shift);
void *__wrap_hak_meta_take(unsigned shift);
void *__wrap_hak_meta_take(unsigned shift) {
    return no_lists ? NULL : __real_hak_meta_take(shift);
}

void __real_hak_thread_init(unsigned cpu_count);
void __wrap_hak_thread_init(unsigned cpu_count);
void __wrap_hak_thread_init(unsigned cpu_count) {
    hak_options.heaps = 2;
    __real_hak_thread_init(cpu_count);
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
        unit_fill(made->block[i], size, 64, i);
    }
}

/* Which one is the n-th, each once. */
static unsigned nth(const struct pile *made, unsigned n) {
    return (unsigned)((uint64_t)n * made->step % made->count);
}

static bool holds(const struct pile *made, unsigned i) {
    return unit_holds(made->block[i], made->size, made->size, 64, i);
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

/* Of all slabs that the blocks lie in. */
static void set_access(const struct pile *made, int access) {
    uintptr_t last = 0;
    for (unsigned i = 0; i < made->count; i++) {
        uintptr_t granule = (uintptr_t)made->block[i] & ~(HAK_GRANULE_SIZE - 1);
        size_t bytes = made->size > HAK_GRANULE_SIZE / 2 ? 2 * HAK_GRANULE_SIZE : HAK_GRANULE_SIZE;
        if (granule != last)
            EXPECT(mprotect((void *)granule, bytes, access) == 0);
        last = granule;
    }
}

/* ---- no block is touched ---- */

/* Each is in one place: in the list, on its way to others, or home, where most are. Others were in the list before. */
static void check_where_they_are(struct thread *thread, unsigned c, int64_t others) {
    int64_t out = 0;
    for (unsigned i = 0; i < pile.freed; i++)
        out += !home_has(pile.block[nth(&pile, i)]);
    int64_t there = length_of(thread, c) + hak_transfers[c].count + thread->outbox.count;
    EXPECT(out <= there && there <= out + others);
    EXPECT(out <= pile.count / 4);
}

static int32_t longest_room;

/* What is free is neither written nor read: while it is being freed, made again, freed again and sent home. */
static void free_one_class(void *size) {
    static void *again[MANY];
    struct thread *thread = lists_begin_patient();
    make(&pile, (size_t)size);
    set_access(&pile, PROT_NONE);
    unsigned c = size_class_of(pile.size);
    const struct hak_slot *slot = &thread->view.slot[c];
    struct hak_class_sum before = figures_class_sum(&thread->view, c);
    int64_t others = length_of(thread, c);
    while (is_left(&pile)) {
        free_next(&pile);
        struct hak_class_sum now = figures_class_sum(&thread->view, c);
        EXPECT(now.mallocs == before.mallocs && now.frees == before.frees + pile.freed);
        EXPECT(slot->frees_left >= 0 && slot->frees_left + length_of(thread, c) <= slot->room);
        if (pile.freed == pile.count / 2)
            check_where_they_are(thread, c, others);
    }
    check_where_they_are(thread, c, others);
    for (unsigned i = 0; i < pile.count; i++) {
        EXPECT((again[i] = hak_malloc(pile.size)) != NULL);
        EXPECT(slot->frees_left + length_of(thread, c) <= slot->room);
        longest_room = slot->room > longest_room ? slot->room : longest_room;
    }
    EXPECT(figures_class_sum(&thread->view, c).mallocs == before.mallocs + pile.count);
    for (unsigned i = 0; i < pile.count; i++)
        hak_free(again[nth(&pile, i)]);
    lists_expect_nothing_left();
    set_access(&pile, PROT_READ | PROT_WRITE);
    EXPECT(hak_view.purged_bytes == 0);
    for (unsigned i = 0; i < pile.count; i++)
        EXPECT(holds(&pile, i));
}

static void what_is_free_is_not_touched(void **state) {
    (void)state;
    for (size_t size = 16; size <= HAK_MID_MAX; size *= 2)
        assert_true(child_succeeds(free_one_class, (void *)size));
}

/* Nor is it by who frees what another thread made, and uses it again if he may. */
static void *free_and_make(void *unused) {
    static void *again[MANY];
    (void)lists_begin_patient();
    free_rest(&pile);
    for (unsigned i = 0; i < pile.count; i++)
        EXPECT((again[i] = hak_malloc(pile.size)) != NULL);
    for (unsigned i = 0; i < pile.count; i++)
        hak_free(again[nth(&pile, i)]);
    return unused;
}

static void free_in_a_thread(void *size) {
    pthread_t other;
    (void)lists_begin_patient();
    make(&pile, (size_t)size);
    set_access(&pile, PROT_NONE);
    EXPECT(pthread_create(&other, NULL, free_and_make, NULL) == 0 && pthread_join(other, NULL) == 0);
    lists_expect_nothing_left();
    set_access(&pile, PROT_READ | PROT_WRITE);
    for (unsigned i = 0; i < pile.count; i++)
        EXPECT(holds(&pile, i));
}

static void nor_is_it_by_other_threads(void **state) {
    (void)state;
    for (size_t size = 16; size <= HAK_MID_MAX; size *= 2)
        assert_true(child_succeeds(free_in_a_thread, (void *)size));
}

/* ---- none is lost ---- */

/* Whatever function takes them back counts itself. */
static void free_by_other_names(void *unused) {
    struct thread *thread = lists_begin_patient();
    (void)unused;
    make(&pile, 64);
    const uint64_t *served = thread->view.tally.served;
    uint64_t sized = served[HAK_ENTRY_FREE_SIZED], frees = figures_class_sum(&thread->view, 4).frees;
    for (; is_left(&pile); pile.freed++)
        hak_free_sized(pile.block[nth(&pile, pile.freed)], 64);
    EXPECT(served[HAK_ENTRY_FREE_SIZED] == sized + pile.count);
    EXPECT(figures_class_sum(&thread->view, 4).frees == frees + pile.count);
    lists_expect_nothing_left();
}

static void every_entry_counts(void **state) {
    (void)state;
    assert_true(child_succeeds(free_by_other_names, NULL));
}

static void *one;

/* Each goes to its own heap; none stays behind when the thread is to keep nothing, or ends: neither in its lists nor on
 * the way to others, as one that it has used often enough. */
static void *free_others(void *flushes) {
    const struct thread *thread = lists_begin_patient();
    EXPECT(entry_heap_id(page_map_flat_get(pile.block[0])) != thread->heap->id);
    make(&other_pile, pile.size);
    while (is_left(&pile)) {
        free_next(&other_pile);
        free_next(&pile);
    }
    const struct outbox *outbox = &thread->outbox;
    unsigned pairs = 0;
    for (hak_free(one); outbox->count == 0 || outbox->block[outbox->count - 1] != one; hak_free(one))
        EXPECT(hak_malloc(ONE_BYTES) == one && ++pairs <= 2 * HAK_PASSING_MAX);
    if (flushes != NULL) {
        hak_thread_flush();
        EXPECT(outbox->count == 0 && length_of(thread, size_class_of(pile.size)) == 0);
    }
    return NULL;
}

static void free_two_heaps(void *flushes) {
    static const size_t sizes[] = {16, 112, 256, 8192};
    pthread_t other;
    (void)lists_begin_patient();
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make(&pile, sizes[i]);
        EXPECT((one = hak_malloc(ONE_BYTES)) != NULL);
        EXPECT(pthread_create(&other, NULL, free_others, flushes) == 0 && pthread_join(other, NULL) == 0);
        for (struct hak_thread_view *view = hak_view.threads; view != NULL; view = view->next)
            EXPECT(container_of(view, struct thread, view)->outbox.count == 0);
        lists_expect_nothing_left();
    }
}

static void each_goes_to_its_own_heap(void **state) {
    (void)state;
    assert_true(child_succeeds(free_two_heaps, NULL));
    assert_true(child_succeeds(free_two_heaps, &pile));
}

/* ---- without memory for lists ---- */

static void free_without_lists(void *size) {
    no_lists = true;
    free_one_class(size);
    EXPECT(hak_thread_self->view.flow[size_class_of((size_t)size)].base == NULL);
}

/* A list that has some room goes on with that. */
static void free_with_a_short_list(void *size) {
    const struct thread *thread = lists_begin_patient();
    void *block = hak_malloc((size_t)size);
    int32_t room = thread->view.slot[size_class_of((size_t)size)].room;
    no_lists = true;
    hak_free(block);
    free_one_class(size);
    EXPECT(room > 0 && longest_room == room);
}

static void no_memory_for_lists_is_needed(void **state) {
    (void)state;
    for (size_t size = 16; size <= HAK_MID_MAX; size *= 2) {
        assert_true(child_succeeds(free_without_lists, (void *)size));
        assert_true(child_succeeds(free_with_a_short_list, (void *)size));
    }
}

/* ---- misuse ---- */

static const void *twice;
static unsigned times_told;

static void on_bad_block(const void *block) {
    EXPECT(block == twice && times_told < 2);
    times_told++;
    for (unsigned i = 0; i < 100 && is_left(&other_pile); i++)
        free_next(&other_pile);
}

/* Noticed when others could have it, when it goes home, or both; whoever is told may free. Nothing else is lost. */
static void free_twice(void *first) {
    (void)lists_begin_patient();
    make(&pile, 80);
    make(&other_pile, 80);
    hak_heap_on_bad_block = on_bad_block;
    for (size_t i = 0; i <= (size_t)first; i++)
        free_next(&pile);
    twice = pile.block[nth(&pile, pile.freed - 1)];
    hak_free((void *)(uintptr_t)twice);
    free_rest(&pile);
    hak_thread_flush();
    EXPECT(times_told > 0 && is_left(&other_pile));
    free_rest(&other_pile);
    lists_expect_nothing_left();
}

static void a_block_freed_twice_is_noticed(void **state) {
    (void)state;
    for (size_t first = 0; first < 6000; first += 101)
        assert_true(child_succeeds(free_twice, (void *)first));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_free_is_not_touched),
        cmocka_unit_test(nor_is_it_by_other_threads),
        cmocka_unit_test(every_entry_counts),
        cmocka_unit_test(each_goes_to_its_own_heap),
        cmocka_unit_test(no_memory_for_lists_is_needed),
        cmocka_unit_test(a_block_freed_twice_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
