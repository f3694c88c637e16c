/* bits_test.c
 * Purpose.     Arithmetic on sizes and bit sets, against loops over single bits.
 */
#include "support/unit.h"

#include "base/bits.h"

static bool has(uint64_t set, unsigned bit) {
    return (set >> bit & 1) != 0;
}

static bool is_run(uint64_t set, unsigned start, unsigned count) {
    for (unsigned i = start; i < start + count; i++) {
        if (i > 63 || !has(set, i)) {
            return false;
        }
    }
    return true;
}

/* Sets with long and short runs. */
static uint64_t pick_set(uint64_t *random, unsigned round) {
    uint64_t set = unit_random(random);
    for (unsigned i = 0; i < round % 4; i++) {
        set |= unit_random(random);
    }
    return round % 8 >= 4 ? ~set : set;
}

static void single_bits(void **state) {
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        uint64_t bit = (uint64_t)1 << i;
        assert_int_equal(bits_log2(bit), i);
        assert_int_equal(bits_log2(bit | (bit - 1)), i);
        assert_int_equal(bits_lowest(bit), i);
        assert_int_equal(bits_lowest(~(uint64_t)0 << i), i);
        assert_true(is_power_of_two(bit));
        assert_false(is_power_of_two(bit | (bit >> 1 | bit << 1)));
    }
    assert_false(is_power_of_two(0));
    assert_false(is_power_of_two(SIZE_MAX));
}

static void a_bit_is_set_once(void **state) {
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        uint64_t others = (uint64_t)0x5555555555555555 << i % 2 & ~((uint64_t)1 << i), word = others;
        assert_true(bits_set(&word, i));
        assert_int_equal(word, others | (uint64_t)1 << i);
        assert_false(bits_set(&word, i));
        assert_int_equal(word, others | (uint64_t)1 << i);
    }
}

static void rounding(void **state) {
    (void)state;
    for (uintptr_t to = 1; to <= 4096; to *= 2) {
        for (uintptr_t x = 0; x < 10000; x++) {
            assert_int_equal(round_up(x, to), (x + to - 1) / to * to);
            assert_int_equal(round_down(x, to), x / to * to);
        }
    }
    assert_int_equal(round_up(UINTPTR_MAX - 4095, 4096), UINTPTR_MAX - 4095);
    assert_int_equal(round_down(UINTPTR_MAX, (uintptr_t)1 << 63), (uintptr_t)1 << 63);
}

static void ranges(void **state) {
    (void)state;
    for (unsigned start = 0; start < 64; start++) {
        for (unsigned count = 0; start + count <= 64; count++) {
            uint64_t range = bits_range(start, count);
            for (unsigned i = 0; i < 64; i++) {
                assert_int_equal(has(range, i), i >= start && i < start + count);
            }
        }
    }
}

static void starts_of_runs(void **state) {
    uint64_t random = 1;
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        uint64_t set = round == 0 ? ~(uint64_t)0 : round == 1 ? 0 : pick_set(&random, round);
        for (unsigned count = 1; count <= 64; count++) {
            uint64_t starts = bits_run_starts(set, count);
            for (unsigned i = 0; i < 64; i++) {
                assert_int_equal(has(starts, i), is_run(set, i, count));
            }
        }
    }
}

static void longest_runs(void **state) {
    uint64_t random = 2;
    (void)state;
    assert_int_equal(bits_longest_run(0), 0);
    assert_int_equal(bits_longest_run(~(uint64_t)0), 64);
    for (unsigned round = 0; round < 1000; round++) {
        uint64_t set = pick_set(&random, round);
        unsigned longest = 0;
        unsigned length = 0;
        for (unsigned i = 0; i < 64; i++) {
            length = has(set, i) ? length + 1 : 0;
            longest = length > longest ? length : longest;
        }
        assert_int_equal(bits_longest_run(set), longest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_bits), cmocka_unit_test(a_bit_is_set_once), cmocka_unit_test(rounding),
        cmocka_unit_test(ranges),      cmocka_unit_test(starts_of_runs),    cmocka_unit_test(longest_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
