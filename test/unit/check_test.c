/* check_test.c
 * Purpose.     The way out when hakmem is broken: one line on stderr, then abort; and assertions that are off cost
 *              nothing, not even the evaluation of their expression.
 */
#include "support/child.h"
#include "support/unit.h"

#include "base/check.h"

static void die(void *text) {
    hak_fatal(text);
}

static void fatal_says_so_and_aborts(void **state) {
    static char text[] = "metadata is not ours";
    static struct child child;
    (void)state;
    child_run(&child, die, text);
    assert_true(child_aborted(&child));
    assert_string_equal(child.text, "hakmem: metadata is not ours\n");
}

static void long_text_is_cut(void **state) {
    static char text[2000];
    static struct child child;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    child_run(&child, die, text);
    assert_true(child_aborted(&child));
    assert_in_range(child.length, 100, 600);
    assert_memory_equal(child.text, "hakmem: xxxx", 12);
}

static int evaluated;

static int count_evaluation(int value) {
    evaluated++;
    return value;
}

static void true_assertions_pass(void **state) {
    (void)state;
    evaluated = 0;
    hak_assert(count_evaluation(1));
    assert_int_equal(evaluated, HAK_DEBUG >= 1);
    hak_assert_slow(count_evaluation(1));
    assert_int_equal(evaluated, HAK_DEBUG >= 2 ? 2 : HAK_DEBUG >= 1);
}

static void assert_false_cheap(void *unused) {
    (void)unused;
    hak_assert(count_evaluation(0));
}

static void assert_false_slow(void *unused) {
    (void)unused;
    hak_assert_slow(count_evaluation(0) == 1);
}

static void false_assertions_die_where_they_are_on(void **state) {
    static struct child child;
    (void)state;
    child_run(&child, assert_false_cheap, NULL);
    assert_int_equal(child_aborted(&child), HAK_DEBUG >= 1);
    assert_int_equal(strstr(child.text, "check_test.c:") != NULL, HAK_DEBUG >= 1);
    child_run(&child, assert_false_slow, NULL);
    assert_int_equal(child_aborted(&child), HAK_DEBUG >= 2);
    assert_int_equal(strstr(child.text, ": count_evaluation(0) == 1\n") != NULL, HAK_DEBUG >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fatal_says_so_and_aborts),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(true_assertions_pass),
        cmocka_unit_test(false_assertions_die_where_they_are_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
