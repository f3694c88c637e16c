/* looks_test.c
 * Purpose.     How often a thread looks at a list that it puts into and takes from: seldom, and still often enough for
 *              what all its lists may hold.
 * Design.      Each test is a child, whose caches start empty.
 */
#include "support/child.h"
#include "support/unit.h"

#include "api/init.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "heap/thread.h"

enum { PAIRS = 6 * HAK_CHORES_INTERVAL, SETTLED = 2 * HAK_CHORES_INTERVAL };

static struct thread *begin(void) {
    while (hak_api_thread() == NULL) {
    }
    return hak_thread_self;
}

/* A look begins the countdown of frees anew. How many there were, of frees and of mallocs. */
static void make_and_free(struct thread *thread, size_t size, unsigned *of_frees, unsigned *of_mallocs) {
    const struct hak_slot *slot = &thread->view.slot[size_class_of(size)];
    *of_frees = *of_mallocs = 0;
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        int32_t before = slot->frees_left;
        void *block = hak_malloc(size);
        EXPECT(block != NULL);
        int32_t between = slot->frees_left;
        hak_free(block);
        *of_mallocs += pair >= SETTLED && between != before;
        *of_frees += pair >= SETTLED && slot->frees_left != between - 1;
    }
}

static void use_few_classes(void *unused) {
    (void)unused;
    struct thread *thread = begin();
    for (size_t size = 16; size <= 128; size *= 2) {
        unsigned of_frees, of_mallocs;
        make_and_free(thread, size, &of_frees, &of_mallocs);
        EXPECT(of_frees == 0 && of_mallocs == (PAIRS - SETTLED) / HAK_CHORES_INTERVAL);
    }
}

static void what_goes_in_and_out_is_looked_at_by_chores_alone(void **state) {
    (void)state;
    assert_true(child_succeeds(use_few_classes, NULL));
}

static void have_caches_as_large_as_they_may_be(void *unused) {
    (void)unused;
    struct thread *thread = begin();
    thread->cache_bytes = HAK_THREAD_CACHE_BYTES;
    unsigned of_frees, of_mallocs;
    make_and_free(thread, 16, &of_frees, &of_mallocs);
    EXPECT(of_frees > (PAIRS - SETTLED) / HAK_RETURN_MAX / 2);
}

static void a_thread_that_holds_much_looks_often(void **state) {
    (void)state;
    assert_true(child_succeeds(have_caches_as_large_as_they_may_be, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_and_out_is_looked_at_by_chores_alone),
        cmocka_unit_test(a_thread_that_holds_much_looks_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
