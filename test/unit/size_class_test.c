/* size_class_test.c
 * Purpose.     Proves the table of size classes and the arithmetic on it, for every size and every alignment.
 * Design.      Exhaustive against definitions that are as plain as possible: the smallest class that fits, found by
 *              walking up. A walk over rising sizes meets every class in order, so a gap or a repetition shows.
 */
#include "support/unit.h"

#include "api/request.h"

/* As few granules as hold eight blocks or more and leave at most 1/32 of the slab unused. */
static unsigned granules_by_rule(size_t size) {
    unsigned granules = 1;
    for (;; granules++) {
        size_t bytes = granules * HAK_GRANULE_SIZE;
        if (bytes / size >= 8 && bytes % size * 32 <= bytes) {
            return granules;
        }
    }
}

static void table_is_what_the_design_says(void **state) {
    (void)state;
    assert_int_equal(size_class_bytes(0), 0);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct size_class *shape = &hak_size_class[c];
        assert_true(shape->size > hak_size_class[c - 1].size);
        assert_int_equal(shape->size % HAK_ALIGNMENT, 0);
        assert_int_equal(shape->capacity, shape->granules * HAK_GRANULE_SIZE / shape->size);
        assert_int_equal(shape->granules, granules_by_rule(shape->size));
        if (c <= HAK_TINY_CLASSES) {
            assert_int_equal(shape->size, c * HAK_ALIGNMENT);
        }
    }
    assert_int_equal(size_class_bytes(HAK_TINY_CLASSES), HAK_TINY_MAX);
    assert_int_equal(size_class_bytes(HAK_CLASS_COUNT - 1), HAK_MID_MAX);
}

static void mid_has_eight_even_steps_per_doubling(void **state) {
    (void)state;
    for (unsigned c = HAK_TINY_CLASSES + 1; c < HAK_CLASS_COUNT; c++) {
        unsigned doubling = (c - HAK_TINY_CLASSES - 1) / 8;
        unsigned step = (c - HAK_TINY_CLASSES - 1) % 8 + 1;
        size_t start = (size_t)HAK_TINY_MAX << doubling;
        assert_int_equal(size_class_bytes(c), start + step * start / 8);
    }
}

static void every_size_gets_the_smallest_class_that_fits(void **state) {
    (void)state;
    unsigned expected = 1;
    assert_int_equal(size_class_of(0), 1);
    for (size_t size = 1; size <= HAK_MID_MAX; size++) {
        if (size > size_class_bytes(expected)) {
            expected++;
        }
        unsigned c = size_class_of(size);
        assert_int_equal(c, expected);
        assert_true(size_class_bytes(c - 1) < size && size <= size_class_bytes(c));
        assert_int_equal(request_class(size), c);
    }
    assert_int_equal(expected, HAK_CLASS_COUNT - 1);
}

static void above_the_classes_there_is_none(void **state) {
    (void)state;
    for (size_t size = HAK_MID_MAX + 1; size <= 65536; size++) {
        assert_int_equal(request_class(size), 0);
        assert_int_equal(hak_size_class_aligned(size, 1), 0);
    }
    const size_t far[] = {HAK_LARGE_MAX, HAK_LARGE_MAX + 1, HAK_DIRECT_MIN,    (size_t)1 << 32, ((size_t)1 << 32) + 1,
                          PTRDIFF_MAX,   SIZE_MAX / 2 + 1,  SIZE_MAX - 0xffff, SIZE_MAX - 15,   SIZE_MAX};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        assert_int_equal(request_class(far[i]), 0);
        for (unsigned shift = 0; shift < 64; shift++) {
            assert_int_equal(hak_size_class_aligned(far[i], (size_t)1 << shift), 0);
        }
    }
}

static void waste_is_at_most_an_eighth(void **state) {
    (void)state;
    for (size_t size = 128; size <= HAK_MID_MAX; size++) {
        size_t waste = size_class_bytes(size_class_of(size)) - size;
        assert_true(waste * 8 <= size);
    }
}

static void a_tiny_class_is_the_offset_of_its_slot(void **state) {
    (void)state;
    for (size_t size = 1; size <= HAK_TINY_MAX; size++) {
        size_t rounded = round_up(size, HAK_ALIGNMENT);
        assert_int_equal(size_class_of(size) * sizeof(struct hak_slot), rounded);
    }
}

/* Every block of the class starts at a multiple of its size in a slab that starts on a granule. */
static void every_size_and_alignment_gets_the_smallest_class_that_fits(void **state) {
    (void)state;
    for (size_t alignment = 1; alignment <= HAK_MID_MAX; alignment *= 2) {
        unsigned expected = 1;
        for (size_t size = 0; size <= HAK_MID_MAX; size++) {
            while (expected < HAK_CLASS_COUNT &&
                   (size_class_bytes(expected) < size || size_class_bytes(expected) % alignment != 0)) {
                expected++;
            }
            unsigned c = hak_size_class_aligned(size, alignment);
            assert_int_equal(c, expected == HAK_CLASS_COUNT ? 0 : expected);
        }
    }
}

static void alignments_above_the_classes_have_none(void **state) {
    (void)state;
    for (size_t alignment = 2 * HAK_MID_MAX; alignment != 0; alignment *= 2) {
        for (size_t size = 0; size <= HAK_MID_MAX; size += 511) {
            assert_int_equal(hak_size_class_aligned(size, alignment), 0);
        }
    }
}

static void what_fits_is_what_realloc_and_the_classes_give(void **state) {
    (void)state;
    for (size_t size = 1; size <= HAK_MID_MAX; size++) {
        size_t bytes = size_class_bytes(size_class_of(size));
        assert_true(block_fits(bytes, size));
        assert_false(block_fits(bytes, bytes + 1));
        assert_false(block_fits(bytes, bytes / 2 > 9 ? bytes / 2 - 9 : 0));
        for (unsigned c = 1; c < HAK_CLASS_COUNT && size_class_bytes(c) < size; c++) {
            size_t roomy = roomy_size(size_class_bytes(c), size);
            assert_true(roomy >= size && roomy <= HAK_MID_MAX);
            assert_true(block_fits(size_class_bytes(size_class_of(roomy)), size));
        }
    }
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        assert_false(block_fits(size_class_bytes(c), 0));
        for (size_t size = SIZE_MAX; size > SIZE_MAX - 100000; size--) {
            assert_false(block_fits(size_class_bytes(c), size));
        }
    }
}

static void tiny_requests_are_mid_without_the_tiny_tier(void **state) {
    (void)state;
    hak_options.wrap_tiny = 0;
    for (size_t size = 0; size <= HAK_MID_MAX; size++) {
        unsigned c = request_class(size);
        assert_int_equal(c, size_class_of(size <= HAK_TINY_MAX ? HAK_TINY_MAX + 1 : size));
        for (size_t alignment = 32; alignment <= HAK_MID_MAX; alignment *= 2) {
            unsigned a = request_class_aligned(alignment, size);
            assert_true(a > HAK_TINY_CLASSES && size_class_bytes(a) >= size && size_class_bytes(a) % alignment == 0);
        }
    }
    hak_options.wrap_tiny = 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_what_the_design_says),
        cmocka_unit_test(mid_has_eight_even_steps_per_doubling),
        cmocka_unit_test(every_size_gets_the_smallest_class_that_fits),
        cmocka_unit_test(above_the_classes_there_is_none),
        cmocka_unit_test(waste_is_at_most_an_eighth),
        cmocka_unit_test(a_tiny_class_is_the_offset_of_its_slot),
        cmocka_unit_test(every_size_and_alignment_gets_the_smallest_class_that_fits),
        cmocka_unit_test(alignments_above_the_classes_have_none),
        cmocka_unit_test(what_fits_is_what_realloc_and_the_classes_give),
        cmocka_unit_test(tiny_requests_are_mid_without_the_tiny_tier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
