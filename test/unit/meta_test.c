/* meta_test.c
 * Purpose.     Memory for hakmem's own structures: zero, on cache lines, never handed out twice, between inaccessible
 *              pages, and counted.
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zero_disjoint_and_counted),
        cmocka_unit_test(threads_get_different_pieces),
        cmocka_unit_test(chunks_stand_between_inaccessible_pages),
        cmocka_unit_test(what_cannot_be_had_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
