/* realloc_test.c
 * Purpose.     When realloc moves a small block, and what it does where there is no memory to move it to. That contents
 *              stay is api_test's.
 * Design.      Each test is a child: options and limits start anew.
 */
#include "support/child.h"
#include "support/unit.h"

#include "api/limit.h"
#include "base/options.h"
#include "hakmem.h"
#include "heap/thread.h"

/* A quarter more room each time, unless all of these sizes have one class. */
static void grow_piece_by_piece(void *unused) {
    (void)unused;
    char *text = hak_malloc(100);
    unsigned moves = 0;
    for (size_t size = 101; size <= 1000; size++) {
        char *longer = hak_realloc(text, size);
        EXPECT(longer != NULL);
        moves += longer != text;
        text = longer;
    }
    EXPECT(hak_options.wrap_tiny ? moves > 5 && moves <= 11 : moves == 0);
    hak_free(text);
}

static void grow_without_tiny(void *unused) {
    hak_options.wrap_tiny = 0;
    grow_piece_by_piece(unused);
}

static void text_that_grows_piece_by_piece_moves_seldom(void **state) {
    (void)state;
    assert_true(child_succeeds(grow_piece_by_piece, NULL));
    assert_true(child_succeeds(grow_without_tiny, NULL));
}

/* No slab more, and nothing that could be given back for one. */
static void move_at_the_limit(void *unused) {
    (void)unused;
    char *block = hak_malloc(100), *other = hak_malloc(128);
    EXPECT(block != NULL && other != NULL);
    unit_fill(block, 100, 4096, 7);
    hak_thread_flush();
    hak_limit_set(HAK_LIMIT_NONE, limit_used() + 1);
    errno = 0;
    EXPECT(hak_realloc(block, 300) == NULL && errno == ENOMEM);
    EXPECT(hak_realloc(block, 20) == block && unit_holds(block, 100, 100, 4096, 7));
    /* There is no room for a quarter more, but for what is asked for. */
    char *moved = hak_realloc(block, 120);
    EXPECT(moved != NULL && hak_usable_size(moved) == 128 && unit_holds(moved, 100, 100, 4096, 7));
    hak_free(moved);
    hak_free(other);
}

static void a_small_block_that_finds_no_place_stays(void **state) {
    (void)state;
    assert_true(child_succeeds(move_at_the_limit, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_grows_piece_by_piece_moves_seldom),
        cmocka_unit_test(a_small_block_that_finds_no_place_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
