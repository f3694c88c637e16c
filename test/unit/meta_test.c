/* meta_test.c
 * Purpose.     Memory for hakmem's own structures: zero, on cache lines, never handed out twice, between inaccessible
 *              pages, and counted; and what is given back serves the next one that wants its size.
 */
#include "support/child.h"
#include "support/fake_os.h"
#include "support/unit.h"

#include <pthread.h>

#include "base/bits.h"
#include "os/os.h"
#include "segment/meta.h"
#include "segment/view.h"

enum { PIECES = 400, THREADS = 4 };

struct piece {
    char *start;
    size_t bytes;
    uint64_t seed;
};

static void check_pieces(const struct piece *pieces, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        EXPECT(unit_holds(pieces[i].start, pieces[i].bytes, pieces[i].bytes, 64, pieces[i].seed));
    }
}

static void get_pieces(struct piece *pieces, unsigned count, uint64_t random) {
    for (unsigned i = 0; i < count; i++) {
        size_t bytes = 1 + unit_below(&random, unit_below(&random, 16) == 0 ? 100000 : 600);
        char *start = hak_meta_alloc(bytes);
        EXPECT(start != NULL && (uintptr_t)start % HAK_CACHE_LINE == 0);
        EXPECT(unit_is_zero(start, round_up(bytes, HAK_CACHE_LINE)));
        pieces[i] = (struct piece){start, bytes, random};
        unit_fill(start, bytes, 64, random);
    }
}

static void pieces_are_zero_disjoint_and_counted(void **state) {
    static struct piece pieces[PIECES];
    uint64_t before = hak_view.metadata_bytes;
    uint64_t bytes = 0;
    (void)state;
    get_pieces(pieces, PIECES, 1);
    check_pieces(pieces, PIECES);
    for (unsigned i = 0; i < PIECES; i++) {
        bytes += round_up(pieces[i].bytes, HAK_CACHE_LINE);
    }
    assert_int_equal(hak_view.metadata_bytes - before, bytes);
}

static void *get_in_a_thread(void *pieces) {
    get_pieces(pieces, PIECES, (uintptr_t)pieces);
    return NULL;
}

static void threads_get_different_pieces(void **state) {
    static struct piece pieces[THREADS][PIECES];
    pthread_t threads[THREADS];
    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, get_in_a_thread, pieces[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        check_pieces(pieces[i], PIECES);
    }
}

static void touch(void *p) {
    *(volatile char *)p = 1;
}

static void chunks_stand_between_inaccessible_pages(void **state) {
    static struct child child;
    size_t bytes = ((size_t)6 << 20) - HAK_CACHE_LINE; /* more than a chunk: gets one of its own, behind
                                                           the chunk's own line */
    char *start = hak_meta_alloc(bytes);
    (void)state;
    assert_non_null(start);
    memset(start, 1, bytes);
    child_run(&child, touch, start - HAK_CACHE_LINE - 1);
    assert_true(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGSEGV);
    child_run(&child, touch, start + bytes);
    assert_true(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGSEGV);
}

static void what_cannot_be_had_is_not_counted(void **state) {
    static const unsigned sets[] = {FAKE_OS_BIT(RESERVE), FAKE_OS_BIT(COMMIT)};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t before = hak_view.metadata_bytes;
        uint64_t released = fake_os_calls(FAKE_OS_RELEASE);
        fake_os_fail(sets[i], 1, UINT64_MAX);
        assert_null(hak_meta_alloc((size_t)9 << 20));
        fake_os_succeed();
        assert_int_equal(hak_view.metadata_bytes, before);
        assert_int_equal(fake_os_calls(FAKE_OS_RELEASE) - released, i);
        assert_non_null(hak_meta_alloc((size_t)9 << 20));
    }
    assert_null(hak_meta_alloc(SIZE_MAX / 2 + 4096));
    assert_false(lock_is_mine(hak_meta_lock()));
}

static size_t size_of(unsigned shift) {
    size_t bytes = (size_t)1 << shift;
    return bytes < HAK_CACHE_LINE ? HAK_CACHE_LINE : bytes;
}

/* With the line that keeps neighbours from the same sets of the processor's cache. */
static size_t counted_size(unsigned shift) {
    return size_of(shift) + HAK_CACHE_LINE;
}

/* They lie apart, each on a boundary and as large as it is wanted, a line at least, and count as long as they exist. */
static void powers_of_two_are_taken(void **state) {
    enum { EACH = 3, COUNT = EACH * (HAK_META_SHIFT_MAX + 1) };
    struct piece pieces[COUNT];
    uint64_t before = hak_view.metadata_bytes, bytes = 0;
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned shift = i / EACH;
        pieces[i] = (struct piece){hak_meta_take(shift), size_of(shift), i};
        assert_non_null(pieces[i].start);
        assert_int_equal((uintptr_t)pieces[i].start % HAK_CACHE_LINE, 0);
        unit_fill(pieces[i].start, pieces[i].bytes, 64, i);
        bytes += counted_size(shift);
    }
    check_pieces(pieces, COUNT);
    assert_int_equal(hak_view.metadata_bytes - before, bytes);
    /* Each once again, to who wants their size: none is made, and nothing but the start of it was written to. */
    for (unsigned i = 0; i < COUNT; i++)
        hak_meta_give(pieces[i].start, i / EACH);
    for (unsigned i = 0; i < COUNT; i++) {
        size_t at = sizeof(void *), rest = pieces[i].bytes - 64;
        if (rest >= 64)
            assert_true(unit_marked_at(pieces[i].start, 64, i));
        assert_int_equal(pieces[i].start[pieces[i].bytes - at], (int)(i & 0x7f) + 1);
    }
    bool again[COUNT] = {false};
    for (unsigned n = COUNT; n > 0; n--) {
        unsigned shift = (n - 1) / EACH, i = shift * EACH;
        const void *memory = hak_meta_take(shift);
        while (i < (shift + 1) * EACH && pieces[i].start != memory)
            i++;
        assert_true(i < (shift + 1) * EACH && !again[i]);
        again[i] = true;
    }
    assert_int_equal(hak_view.metadata_bytes - before, bytes);
    /* And now there are none. */
    for (unsigned shift = 0; shift <= HAK_META_SHIFT_MAX; shift++) {
        void *memory = hak_meta_take(shift);
        for (unsigned i = 0; i < COUNT; i++)
            assert_ptr_not_equal(memory, pieces[i].start);
        bytes += counted_size(shift);
        assert_int_equal(hak_view.metadata_bytes - before, bytes);
    }
}

/* None has been given back of a size that no other test takes: those that are made one after the other are neighbours,
 * unless a chunk ends between them. */
static void neighbours_start_at_different_sets(void *unused) {
    enum { EACH = 8, PLACES = 4096 };
    (void)unused;
    for (unsigned shift = 0; shift <= HAK_META_SHIFT_MAX; shift++) {
        const char *last = hak_meta_take(shift);
        unsigned neighbours = 0;
        for (unsigned i = 1; i < EACH; i++) {
            const char *next = hak_meta_take(shift);
            EXPECT(last != NULL && next != NULL);
            if ((size_t)(next - last) == counted_size(shift)) {
                EXPECT((uintptr_t)next % PLACES != (uintptr_t)last % PLACES);
                neighbours++;
            }
            last = next;
        }
        EXPECT(neighbours >= EACH / 2);
    }
}

static void arrays_of_one_size_are_spread_over_the_cache(void **state) {
    (void)state;
    assert_true(child_succeeds(neighbours_start_at_different_sets, NULL));
}

/* What waits is there all the same, for who wants that size. */
static void what_was_given_back_needs_no_memory(void **state) {
    unsigned shift = HAK_META_SHIFT_MAX, count = 0;
    void *taken[8];
    (void)state;
    fake_os_fail(FAKE_OS_BIT(RESERVE), 1, UINT64_MAX);
    while ((taken[count] = hak_meta_take(shift)) != NULL)
        assert_true(++count < 8); /* what was left of a chunk */
    fake_os_succeed();
    assert_non_null(taken[count++] = hak_meta_take(shift));
    uint64_t bytes = hak_view.metadata_bytes;
    fake_os_fail(FAKE_OS_BIT(RESERVE), 1, UINT64_MAX);
    for (unsigned i = 0; i < count; i++)
        hak_meta_give(taken[i], shift);
    while (count > 0) {
        void *memory = hak_meta_take(shift);
        unsigned i = 0;
        while (i < count && taken[i] != memory)
            i++;
        assert_true(i < count);
        taken[i] = taken[--count];
    }
    while (hak_meta_take(shift) != NULL)
        assert_true(++count < 8);
    fake_os_succeed();
    assert_int_equal(hak_view.metadata_bytes - bytes, count * counted_size(shift));
    assert_false(lock_is_mine(hak_meta_lock()));
}

enum { TURNS = 3000, MOST_HELD = 24 };

static void *take_and_give(void *seed) {
    struct piece held[MOST_HELD];
    uint64_t random = (uintptr_t)seed;
    unsigned count = 0;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned shift = 3 + unit_below(&random, 8);
        if (count < MOST_HELD && unit_below(&random, 2) == 0) {
            held[count] = (struct piece){hak_meta_take(shift), (size_t)1 << shift, unit_random(&random)};
            EXPECT(held[count].start != NULL);
            unit_fill(held[count].start, held[count].bytes, 64, held[count].seed);
            count++;
        } else if (count > 0) {
            unsigned at = unit_below(&random, count);
            check_pieces(&held[at], 1);
            hak_meta_give(held[at].start, bits_log2(held[at].bytes));
            held[at] = held[--count];
        }
    }
    check_pieces(held, count);
    for (; count > 0; count--)
        hak_meta_give(held[count - 1].start, bits_log2(held[count - 1].bytes));
    return NULL;
}

/* No more is made than all of them hold at once. */
static void threads_share_what_is_given_back(void **state) {
    pthread_t threads[THREADS];
    uint64_t before = hak_view.metadata_bytes;
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(hak_view.metadata_bytes - before <= THREADS * MOST_HELD * ((2 << 10) + 4 * HAK_CACHE_LINE));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zero_disjoint_and_counted),
        cmocka_unit_test(threads_get_different_pieces),
        cmocka_unit_test(chunks_stand_between_inaccessible_pages),
        cmocka_unit_test(what_cannot_be_had_is_not_counted),
        cmocka_unit_test(arrays_of_one_size_are_spread_over_the_cache),
        cmocka_unit_test(powers_of_two_are_taken),
        cmocka_unit_test(what_was_given_back_needs_no_memory),
        cmocka_unit_test(threads_share_what_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
