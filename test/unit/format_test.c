/* format_test.c
 * Purpose.     Text without stdio: what printf would write, cut at the buffer's end and never beyond it.
 */
#include "support/unit.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/format.h"

static void numbers(void **state) {
    static const int64_t values[] = {0,    1,         -1,        9,         10,        99,       100,
                                     -100, 123456789, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    char expected[64];
    char buffer[64];
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct format f = format_into(buffer, sizeof buffer);
        format_number(&f, values[i]);
        snprintf(expected, sizeof expected, "%" PRId64, values[i]);
        assert_string_equal(buffer, expected);
        assert_int_equal(f.length, strlen(expected));
    }
}

static void pointers(void **state) {
    static const uintptr_t values[] = {0, 1, 0xf, 0x10, 0x7fffabcd1234, UINTPTR_MAX};
    char expected[64];
    char buffer[64];
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct format f = format_into(buffer, sizeof buffer);
        format_pointer(&f, (void *)values[i]);
        snprintf(expected, sizeof expected, "0x%" PRIxPTR, values[i]);
        assert_string_equal(buffer, expected);
    }
}

static void append_all(struct format *f) {
    format_text(f, "size ");
    format_number(f, -1200);
    format_text(f, "");
    format_text(f, " at ");
    format_pointer(f, (void *)(uintptr_t)0xabc);
}

static void too_long_text_is_cut_at_every_capacity(void **state) {
    static const char whole[] = "size -1200 at 0xabc";
    (void)state;
    for (size_t capacity = 1; capacity <= sizeof whole + 2; capacity++) {
        char buffer[64];
        memset(buffer, '#', sizeof buffer);
        struct format f = format_into(buffer, capacity);
        append_all(&f);
        size_t length = capacity - 1 < sizeof whole - 1 ? capacity - 1 : sizeof whole - 1;
        assert_int_equal(f.length, length);
        assert_memory_equal(buffer, whole, length);
        assert_int_equal(buffer[length], 0);
        for (size_t i = capacity; i < sizeof buffer; i++) {
            assert_int_equal(buffer[i], '#');
        }
    }
}

static void writing_keeps_errno(void **state) {
    char buffer[32];
    char got[32];
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    struct format f = format_into(buffer, sizeof buffer);
    append_all(&f);
    errno = 1234;
    format_write(&f, ends[1]);
    assert_int_equal(errno, 1234);
    assert_int_equal(read(ends[0], got, sizeof got), f.length);
    assert_memory_equal(got, buffer, f.length);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    format_write(&f, ends[1]);
    assert_int_equal(errno, 1234);
    close(ends[1]);
    errno = 1234;
    format_write(&f, ends[1]);
    assert_int_equal(errno, 1234);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(pointers),
        cmocka_unit_test(too_long_text_is_cut_at_every_capacity),
        cmocka_unit_test(writing_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
