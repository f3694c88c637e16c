/* direct_test.c
 * Purpose.     Mappings of their own: zero, aligned, found by their first 4 MiB, counted; growth keeps contents; a
 *              failure at any call changes nothing; kept ones serve again.
 */
#include "support/fake_os.h"
#include "support/process.h"
#include "support/unit.h"

#include <sys/mman.h>

#include "base/bits.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/direct.h"
#include "segment/page_map.h"
#include "segment/view.h"

static bool is_mapped(uintptr_t address) {
    unsigned char resident;
    return mincore((void *)address, hak_os_page_size(), &resident) == 0;
}

static void check_unit(const struct superslab *unit, size_t bytes, size_t alignment) {
    assert_int_equal(unit->base % alignment, 0);
    assert_int_equal(unit->mapped_bytes, bytes);
    assert_int_equal(unit->state, UNIT_DIRECT);
    assert_null(unit->arena);
    assert_ptr_equal(hak_superslab_of((void *)unit->base), unit);
    assert_ptr_equal(hak_superslab_of((void *)(unit->base + HAK_SUPERSLAB_SIZE - 1)), unit);
    assert_true(is_mapped(unit->base + bytes - hak_os_page_size()));
}

static void unmap(struct superslab *unit) {
    struct direct_rest rest = hak_direct_retire(unit);
    assert_int_equal(rest.bytes, unit->mapped_bytes);
    hak_direct_release(rest);
}

static void mappings_are_zero_aligned_and_counted(void **state) {
    (void)state;
    for (size_t alignment = HAK_SUPERSLAB_SIZE; alignment <= 256 * MIB; alignment *= 4) {
        size_t bytes = 66 * MIB + 4096;
        uint64_t mapped = hak_view.mapped_bytes;
        uint64_t committed = hak_view.committed_bytes;
        struct superslab *unit = hak_direct_map(bytes, alignment);
        assert_non_null(unit);
        check_unit(unit, bytes, alignment);
        uintptr_t base = unit->base;
        for (size_t at = 0; at < bytes; at += MIB) {
            assert_int_equal(*(char *)(base + at), 0);
        }
        *(char *)(base + bytes - 1) = 1;
        assert_int_equal(hak_view.mapped_bytes - mapped, bytes);
        assert_int_equal(hak_view.committed_bytes - committed, bytes);
        unmap(unit);
        assert_false(is_mapped(base));
        assert_null(hak_superslab_of((void *)base));
        assert_int_equal(hak_view.mapped_bytes, mapped);
        assert_int_equal(hak_view.committed_bytes, committed);
    }
}

static void resizing_keeps_contents(void **state) {
    static const size_t sizes[] = {70, 140, 66, 300, 301, 64, 64, 128};
    (void)state;
    for (unsigned in_place = 0; in_place < 2; in_place++) {
        struct superslab *unit = hak_direct_map(64 * MIB, HAK_SUPERSLAB_SIZE);
        assert_non_null(unit);
        size_t bytes = 64 * MIB;
        unit_fill((void *)unit->base, bytes, 3 * MIB, 1);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t wanted = sizes[i] * MIB;
            uintptr_t old = unit->base;
            fake_os_fail(in_place || wanted <= bytes ? 0 : FAKE_OS_BIT(RESIZE), 1, UINT64_MAX);
            assert_true(hak_direct_resize(unit, wanted));
            fake_os_succeed();
            check_unit(unit, wanted, HAK_SUPERSLAB_SIZE);
            assert_true(unit_holds((void *)unit->base, bytes, bytes < wanted ? bytes : wanted, 3 * MIB, 1));
            if (unit->base != old) {
                assert_null(hak_superslab_of((void *)old));
            }
            bytes = wanted;
            unit_fill((void *)unit->base, bytes, 3 * MIB, 1);
            assert_int_equal(hak_view.mapped_bytes, bytes);
        }
        unmap(unit);
    }
}

static void a_growth_that_fails_changes_nothing(void **state) {
    static const unsigned failing[] = {FAKE_OS_BIT(RESIZE) | FAKE_OS_BIT(RESERVE_ALIGNED),
                                       FAKE_OS_BIT(RESIZE) | FAKE_OS_BIT(MOVE)};
    (void)state;
    struct superslab *unit = hak_direct_map(64 * MIB, HAK_SUPERSLAB_SIZE);
    assert_non_null(unit);
    uintptr_t base = unit->base;
    unit_fill((void *)base, 64 * MIB, 3 * MIB, 2);
    for (unsigned set = 0; set < 2; set++) {
        fake_os_fail(failing[set], 1, UINT64_MAX);
        assert_false(hak_direct_resize(unit, 128 * MIB));
        assert_false(hak_direct_resize(unit, 63 * MIB));
        fake_os_succeed();
        assert_int_equal(unit->base, base);
        check_unit(unit, 64 * MIB, HAK_SUPERSLAB_SIZE);
        assert_true(unit_holds((void *)base, 64 * MIB, 64 * MIB, 3 * MIB, 2));
        assert_int_equal(hak_view.mapped_bytes, 64 * MIB);
    }
    assert_true(hak_direct_resize(unit, 128 * MIB));
    unmap(unit);
}

static void what_cannot_be_mapped_leaves_nothing(void **state) {
    static const unsigned failing[] = {FAKE_OS_BIT(RESERVE_ALIGNED), FAKE_OS_BIT(COMMIT)};
    (void)state;
    for (unsigned set = 0; set < 2; set++) {
        size_t before = process_address_space_bytes();
        fake_os_fail(failing[set], 1, UINT64_MAX);
        assert_null(hak_direct_map(64 * MIB, HAK_SUPERSLAB_SIZE));
        fake_os_succeed();
        assert_int_equal(hak_view.mapped_bytes, 0);
        assert_true(process_address_space_bytes() - before <= 4 * MIB); /* metadata */
    }
}

/* Headers are reused: a program that maps and unmaps for ever needs no more metadata. */
static void headers_serve_again(void **state) {
    (void)state;
    uint64_t before = 0;
    for (unsigned round = 0; round < 300; round++) {
        struct superslab *unit = hak_direct_map(64 * MIB, HAK_SUPERSLAB_SIZE);
        assert_non_null(unit);
        unmap(unit);
        before = round == 10 ? hak_view.metadata_bytes : before;
    }
    assert_true(hak_view.metadata_bytes - before <= 4 * 32768); /* leaves of the tree for new addresses */
}

static void an_address_that_cannot_go_back_loses_its_pages(void **state) {
    (void)state;
    struct superslab *unit = hak_direct_map(64 * MIB, HAK_SUPERSLAB_SIZE);
    assert_non_null(unit);
    char *base = (char *)unit->base;
    memset(base, 1, 65536);
    fake_os_fail(FAKE_OS_BIT(RELEASE), 1, UINT64_MAX);
    unmap(unit);
    fake_os_succeed();
    assert_null(hak_superslab_of(base));
    assert_true(unit_is_zero(base, 65536));
    assert_int_equal(hak_os_release(base, 64 * MIB), 0);
}

static struct superslab *map(size_t bytes) {
    struct superslab *unit = hak_direct_map(bytes, HAK_SUPERSLAB_SIZE);
    assert_non_null(unit);
    return unit;
}

static void keep(struct superslab *unit) {
    assert_int_equal(hak_direct_keep(unit).bytes, 0);
    assert_int_equal(unit->state, UNIT_KEPT);
}

static void drop_all(void) {
    while (hak_direct_kept_bytes() != 0) {
        hak_direct_release(hak_direct_drop(SIZE_MAX));
    }
    assert_int_equal(hak_direct_kept_since(), UINT64_MAX);
    assert_int_equal(hak_direct_drop(SIZE_MAX).bytes, 0);
}

static struct superslab *reuse(size_t bytes, size_t alignment) {
    size_t again;
    struct direct_rest tail = {.bytes = 0};
    struct superslab *unit = hak_direct_reuse(bytes, alignment, &again, &tail);
    if (tail.bytes != 0) {
        hak_direct_release(tail);
    }
    return unit;
}

static void a_kept_mapping_serves_again(void **state) {
    static const size_t sizes[] = {70, 127, 113, 64, 60};
    (void)state;
    struct superslab *unit = map(70 * MIB);
    size_t bytes = 70 * MIB;
    uint64_t retained = hak_view.retained_bytes, purged = hak_view.purged_bytes;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t wanted = sizes[i] * MIB, again = 0;
        struct direct_rest tail = {.bytes = 0};
        unit_fill((void *)unit->base, bytes, 3 * MIB, i);
        keep(unit);
        assert_ptr_equal(hak_superslab_of((void *)unit->base), unit);
        assert_int_equal(hak_view.retained_bytes - retained, bytes);
        assert_int_equal(hak_direct_kept_bytes(), bytes);
        assert_ptr_equal(hak_direct_reuse(wanted, HAK_SUPERSLAB_SIZE, &again, &tail), unit);
        check_unit(unit, wanted, HAK_SUPERSLAB_SIZE);
        assert_true(unit_holds((void *)unit->base, bytes, least(bytes, wanted), 3 * MIB, i));
        assert_int_equal(again, least(bytes, wanted));
        assert_int_equal(tail.bytes, bytes - again);
        if (tail.bytes != 0) {
            assert_int_equal((uintptr_t)tail.address, unit->base + wanted);
            hak_direct_release(tail);
        }
        purged += bytes - again;
        bytes = wanted;
        assert_int_equal(hak_view.retained_bytes, retained);
        assert_int_equal(hak_direct_kept_bytes(), 0);
        assert_int_equal(hak_view.purged_bytes, purged);
        assert_int_equal(hak_view.mapped_bytes, bytes);
        assert_int_equal(hak_view.committed_bytes, bytes);
    }
    uintptr_t base = unit->base;
    keep(unit);
    drop_all();
    assert_false(is_mapped(base));
    assert_null(hak_superslab_of((void *)base));
    assert_int_equal(hak_view.retained_bytes, retained);
    assert_int_equal(hak_view.purged_bytes, purged + bytes);
    assert_int_equal(hak_view.mapped_bytes, 0);
}

static void the_kept_mapping_that_differs_least_is_taken(void **state) {
    static const size_t sizes[] = {64, 80, 120};
    static const struct {
        size_t bytes;
        int taken;
    } cases[] = {{70, 0}, {73, 1}, {80, 1}, {105, 2}, {240, 2}, {242, -1}, {32, -1}, {33, 0}};
    struct superslab *unit[3];
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned j = 0; j < 3; j++) {
            unit[j] = map(sizes[j] * MIB);
        }
        for (unsigned j = 0; j < 3; j++) {
            keep(unit[(i + j) % 3]);
        }
        struct superslab *taken = reuse(cases[i].bytes * MIB, HAK_SUPERSLAB_SIZE);
        assert_ptr_equal(taken, cases[i].taken < 0 ? NULL : unit[cases[i].taken]);
        if (taken != NULL) {
            unmap(taken);
        }
        drop_all();
    }
}

/* One that is as aligned by chance will do, unless it had to move. */
static void a_kept_mapping_is_aligned_as_was_asked_for(void **state) {
    const size_t alignment = 256 * MIB;
    (void)state;
    struct superslab *aligned = hak_direct_map(80 * MIB, alignment), *other = map(80 * MIB);
    while (other->base % alignment == 0) {
        other = map(80 * MIB);
    }
    keep(other);
    assert_null(reuse(80 * MIB, alignment));
    keep(aligned);
    assert_null(reuse(81 * MIB, alignment));
    assert_ptr_equal(reuse(70 * MIB, alignment), aligned);
    check_unit(aligned, 70 * MIB, alignment);
    unmap(aligned);
    drop_all();
}

/* And does not become younger: it goes when it is due. */
static void a_kept_mapping_that_cannot_grow_stays(void **state) {
    (void)state;
    struct superslab *unit = map(80 * MIB);
    fake_os_set_clock(5000);
    keep(unit);
    fake_os_set_clock(6000);
    uint64_t retained = hak_view.retained_bytes;
    fake_os_fail(FAKE_OS_BIT(RESIZE) | FAKE_OS_BIT(RESERVE_ALIGNED), 1, UINT64_MAX);
    assert_null(reuse(100 * MIB, HAK_SUPERSLAB_SIZE));
    fake_os_succeed();
    assert_int_equal(hak_direct_kept_since(), 5000);
    assert_int_equal(unit->state, UNIT_KEPT);
    assert_int_equal(hak_view.retained_bytes, retained);
    drop_all();
}

/* The kernel does not resize what has become several mappings; where it is asked to move them, it leaves the target. */
static void a_mapping_in_pieces_is_not_kept(void **state) {
    (void)state;
    struct superslab *unit = map(80 * MIB);
    uintptr_t base = unit->base;
    keep(map(64 * MIB));
    assert_int_equal(hak_os_advise_huge((void *)(base + 4096), MIB, true), 0);
    size_t before = process_address_space_bytes();
    for (unsigned i = 0; i < 3; i++) {
        assert_false(hak_direct_resize(unit, 200 * MIB));
        assert_int_equal(process_address_space_bytes(), before);
    }
    struct direct_rest rest = hak_direct_keep(unit);
    assert_int_equal((uintptr_t)rest.address, base);
    assert_int_equal(rest.bytes, 80 * MIB);
    assert_int_equal(hak_direct_kept_bytes(), 64 * MIB); /* more space would not have helped */
    hak_direct_release(rest);
    assert_false(is_mapped(base));
    drop_all();
}

static void no_more_are_kept_than_are_looked_through(void **state) {
    (void)state;
    unsigned count = 0;
    struct superslab *first = map(64 * MIB), *unit = first;
    struct direct_rest rest;
    uintptr_t base = first->base;
    while ((rest = hak_direct_keep(unit)).bytes == 0) {
        assert_true(++count < 100);
        unit = map(64 * MIB);
    }
    assert_true(count >= 8);
    assert_int_equal(unit->state, UNIT_KEPT);
    assert_int_equal((uintptr_t)rest.address, base);
    hak_direct_release(rest);
    assert_int_equal(hak_direct_kept_bytes(), count * 64 * MIB);
    drop_all();
    assert_int_equal(hak_view.mapped_bytes, 0);
}

/* From the end, the oldest first. */
static void kept_mappings_go_in_pieces(void **state) {
    static const size_t left[] = {70, 30, 70, 30};
    (void)state;
    struct superslab *unit[] = {map(70 * MIB), map(70 * MIB)};
    uintptr_t base[] = {unit[0]->base, unit[1]->base};
    keep(unit[0]);
    keep(unit[1]);
    uint64_t purged = hak_view.purged_bytes;
    for (unsigned i = 0; i < 4; i++) {
        size_t most = 40 * MIB, bytes = least(left[i] * MIB, most);
        struct direct_rest rest = hak_direct_drop(most);
        assert_int_equal(rest.bytes, bytes);
        assert_int_equal((uintptr_t)rest.address, base[i / 2] + left[i] * MIB - bytes);
        assert_null(hak_superslab_of((void *)((uintptr_t)rest.address + 4 * MIB)));
        hak_direct_release(rest);
        purged += bytes;
        assert_int_equal(hak_view.purged_bytes, purged);
        assert_int_equal(hak_view.mapped_bytes, hak_direct_kept_bytes());
        assert_int_equal(hak_superslab_of((void *)base[i / 2]) != NULL, bytes == most);
    }
    assert_int_equal(hak_view.mapped_bytes, 0);
}

/* Nor memory of arenas in which nothing is. */
static void where_space_is_missing_none_is_kept(void **state) {
    (void)state;
    for (unsigned call = 0; call < 2; call++) {
        hak_arena_give(hak_arena_take(ARENA_HUGE, 2), 2);
        uint64_t mapped = hak_view.mapped_bytes;
        fake_os_fail(call == 0 ? FAKE_OS_BIT(RESERVE_ALIGNED) : FAKE_OS_BIT(COMMIT), 1, 1);
        unmap(map(300 * MIB));
        fake_os_succeed();
        assert_true(mapped != 0 && hak_view.mapped_bytes == 0);
        keep(map(64 * MIB));
        fake_os_fail(call == 0 ? FAKE_OS_BIT(RESERVE_ALIGNED) : FAKE_OS_BIT(COMMIT), 1, 1);
        unmap(map(300 * MIB));
        fake_os_succeed();
        assert_int_equal(hak_direct_kept_bytes(), 0);
    }
    struct superslab *unit = map(300 * MIB);
    keep(map(64 * MIB));
    fake_os_fail(FAKE_OS_BIT(RESIZE) | FAKE_OS_BIT(RESERVE_ALIGNED), 1, 2);
    assert_true(hak_direct_resize(unit, 400 * MIB));
    fake_os_succeed();
    assert_int_equal(hak_direct_kept_bytes(), 0);
    keep(map(64 * MIB));
    assert_true(hak_direct_resize(unit, 300 * MIB));
    assert_int_equal(hak_direct_kept_bytes(), 64 * MIB);
    unmap(unit);
    drop_all();
}

static int start(void **state) {
    (void)state;
    hak_options.thp = HAK_THP_NEVER;
    hak_page_map_init();
    hak_arena_init();
    lock_acquire(hak_arena_lock());
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_are_zero_aligned_and_counted),
        cmocka_unit_test(resizing_keeps_contents),
        cmocka_unit_test(a_growth_that_fails_changes_nothing),
        cmocka_unit_test(what_cannot_be_mapped_leaves_nothing),
        cmocka_unit_test(headers_serve_again),
        cmocka_unit_test(an_address_that_cannot_go_back_loses_its_pages),
        cmocka_unit_test(a_kept_mapping_serves_again),
        cmocka_unit_test(the_kept_mapping_that_differs_least_is_taken),
        cmocka_unit_test(a_kept_mapping_is_aligned_as_was_asked_for),
        cmocka_unit_test(a_kept_mapping_that_cannot_grow_stays),
        cmocka_unit_test(a_mapping_in_pieces_is_not_kept),
        cmocka_unit_test(no_more_are_kept_than_are_looked_through),
        cmocka_unit_test(kept_mappings_go_in_pieces),
        cmocka_unit_test(where_space_is_missing_none_is_kept),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
