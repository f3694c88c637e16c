/* list_test.c
 * Purpose.     Circular lists: order, emptiness, and removal that is harmless twice.
 */
#include "support/unit.h"

#include "base/list.h"

enum { ITEMS = 12 };

struct item {
    int number;
    struct link link;
};

static struct link list;
static struct item items[ITEMS];

static int start(void **state) {
    (void)state;
    list_init(&list);
    for (int i = 0; i < ITEMS; i++) {
        items[i].number = i;
        list_init(&items[i].link);
    }
    return 0;
}

/* The list holds just these numbers, in both directions. */
static void check(const int *numbers, size_t count) {
    struct link *forward = list.next;
    struct link *backward = list.prev;
    for (size_t i = 0; i < count; i++) {
        assert_ptr_not_equal(forward, &list);
        assert_int_equal(container_of(forward, struct item, link)->number, numbers[i]);
        assert_int_equal(container_of(backward, struct item, link)->number, numbers[count - 1 - i]);
        forward = forward->next;
        backward = backward->prev;
    }
    assert_ptr_equal(forward, &list);
    assert_ptr_equal(backward, &list);
    assert_int_equal(list_is_empty(&list), count == 0);
}

static void pushes_keep_order(void **state) {
    (void)state;
    check(NULL, 0);
    list_push_back(&list, &items[1].link);
    list_push_back(&list, &items[2].link);
    list_push_front(&list, &items[0].link);
    check((const int[]){0, 1, 2}, 3);
}

static void removal_is_harmless_twice(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        list_push_back(&list, &items[i].link);
    }
    list_remove(&items[2].link);
    list_remove(&items[2].link);
    check((const int[]){0, 1, 3}, 3);
    assert_true(list_is_empty(&items[2].link));
    list_remove(&items[0].link);
    list_remove(&items[3].link);
    list_push_front(&list, &items[2].link);
    check((const int[]){2, 1}, 2);
    list_remove(&items[1].link);
    list_remove(&items[2].link);
    check(NULL, 0);
}

static void random_operations_agree_with_an_array(void **state) {
    int expected[ITEMS];
    size_t count = 0;
    uint64_t random = 3;
    (void)state;
    for (unsigned step = 0; step < 5000; step++) {
        struct item *item = &items[unit_below(&random, ITEMS)];
        size_t at = 0;
        while (at < count && expected[at] != item->number) {
            at++;
        }
        if (at < count) {
            memmove(&expected[at], &expected[at + 1], (count - at - 1) * sizeof *expected);
            count--;
            list_remove(&item->link);
        } else if (unit_below(&random, 2) == 0) {
            expected[count++] = item->number;
            list_push_back(&list, &item->link);
        } else {
            memmove(&expected[1], expected, count * sizeof *expected);
            expected[0] = item->number;
            count++;
            list_push_front(&list, &item->link);
        }
        check(expected, count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pushes_keep_order, start),
        cmocka_unit_test_setup(removal_is_harmless_twice, start),
        cmocka_unit_test_setup(random_operations_agree_with_an_array, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
