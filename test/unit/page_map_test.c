/* page_map_test.c
 * Purpose.     Whose address is this? Right answers for what was recorded, 0 and NULL for every other pointer value,
 *              with the flat map and where address space for it cannot be had.
 * Design.      Each mode runs in a child, since the map is made once in a process. No memory stands behind the recorded
 *              addresses: the map must not look at it.
 */
#include "support/child.h"
#include "support/fake_os.h"
#include "support/process.h"
#include "support/unit.h"

#include "segment/arena.h"
#include "segment/page_map.h"
#include "segment/view.h"

#define TOP ((uintptr_t)1 << HAK_ADDRESS_BITS)

/* Far apart, at both ends, and neighbours across a leaf of the tree. */
static const uintptr_t bases[] = {HAK_SUPERSLAB_SIZE,
                                  (uintptr_t)5 << 32,
                                  ((uintptr_t)1 << 34) - HAK_SUPERSLAB_SIZE,
                                  (uintptr_t)1 << 34,
                                  TOP / 2,
                                  TOP / 2 + HAK_SUPERSLAB_SIZE,
                                  TOP - HAK_SUPERSLAB_SIZE};

enum { BASES = sizeof bases / sizeof *bases };

static struct superslab superslabs[BASES];

static const uintptr_t strangers[] = {
    0, 1, 4096, HAK_SUPERSLAB_SIZE - 1, 2 * HAK_SUPERSLAB_SIZE, TOP / 2 - 1, TOP / 4, TOP - HAK_SUPERSLAB_SIZE - 1};

/* Beyond what the kernel gives out. */
static const uintptr_t impossible[] = {TOP, TOP + 4096, TOP * 2 - 1, UINTPTR_MAX, UINTPTR_MAX - 4095};

/* What was put into it comes out again; free, and tools, read the class alone, whichever heap it is. */
static void an_entry_holds_a_heap_and_a_class(void **state) {
    const uint32_t none = 0;
    (void)state;
    assert_int_equal(entry_slot_at(&none), 0);
    for (uint32_t id = 1; id <= HAK_HEAPS_MAX; id++) {
        for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
            const uint32_t entries[] = {UINT32_MAX, entry_make(id, c * (uint32_t)sizeof(struct hak_slot)), UINT32_MAX};
            assert_int_equal(entry_heap_id(entries[1]), id);
            assert_int_equal(entry_class(entries[1]), c);
            assert_int_equal(entry_slot_at(&entries[1]), c * sizeof(struct hak_slot));
            assert_int_equal(entries[1] & HAK_SLOT_MASK, c * sizeof(struct hak_slot));
        }
    }
}

static void check_superslabs(void) {
    for (unsigned i = 0; i < BASES; i++) {
        EXPECT(hak_superslab_of((void *)bases[i]) == &superslabs[i]);
        EXPECT(hak_superslab_of((void *)(bases[i] + 12345)) == &superslabs[i]);
        EXPECT(hak_superslab_of((void *)(bases[i] + HAK_SUPERSLAB_SIZE - 1)) == &superslabs[i]);
    }
    for (unsigned i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        EXPECT(hak_superslab_of((void *)strangers[i]) == NULL);
        EXPECT(page_map_flat_get((void *)strangers[i]) == 0);
    }
    for (unsigned i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        EXPECT(hak_superslab_of((void *)impossible[i]) == NULL);
    }
}

static void register_and_remove(void) {
    for (unsigned i = 0; i < BASES; i++) {
        hak_superslab_unregister(bases[i]);
        EXPECT(hak_superslab_register(bases[i], &superslabs[i]));
    }
    check_superslabs();
    for (unsigned i = 0; i < BASES; i++) {
        hak_superslab_unregister(bases[i]);
        EXPECT(hak_superslab_of((void *)(bases[i] + 1)) == NULL);
        EXPECT(hak_superslab_register(bases[i], &superslabs[i]));
    }
    check_superslabs();
}

static void check_entries(uintptr_t start, unsigned granules, uint32_t entry) {
    for (unsigned i = 0; i < granules; i++) {
        uintptr_t granule = start + i * HAK_GRANULE_SIZE;
        EXPECT(page_map_flat_get((void *)granule) == entry);
        EXPECT(page_map_flat_get((void *)(granule + HAK_GRANULE_SIZE - 1)) == entry);
    }
    EXPECT(page_map_flat_get((void *)(start - 1)) == 0);
    EXPECT(page_map_flat_get((void *)(start + granules * HAK_GRANULE_SIZE)) == 0);
}

static void with_a_flat_map(void *unused) {
    (void)unused;
    EXPECT(page_map_flat_get((void *)TOP) == 0);
    hak_page_map_init();
    EXPECT(hak_view.page_map_flat == 1 && hak_page_map.address_mask == TOP - 1);
    register_and_remove();
    for (unsigned i = 0; i < BASES; i++) {
        uintptr_t start = bases[i] + 3 * HAK_GRANULE_SIZE;
        EXPECT(hak_page_map_prepare(bases[i], HAK_SUPERSLAB_SIZE));
        hak_page_map_set(start, 1 + i, 0x10010 + i);
        check_entries(start, 1 + i, 0x10010 + i);
        hak_page_map_set(start, 1 + i, 0);
        check_entries(start, 1 + i, 0);
    }
    check_superslabs();
}

/* Writable pieces of the map end at multiples of 1 GiB of addresses. */
static void across_pieces_of_the_flat_map(void *unused) {
    (void)unused;
    uintptr_t middle = (uintptr_t)9 << 30;
    hak_page_map_init();
    EXPECT(hak_page_map_prepare(middle - HAK_SUPERSLAB_SIZE, 2 * HAK_SUPERSLAB_SIZE));
    hak_page_map_set(middle - 2 * HAK_GRANULE_SIZE, 4, 0x30030);
    check_entries(middle - 2 * HAK_GRANULE_SIZE, 4, 0x30030);
}

static void without_a_flat_map(void) {
    EXPECT(hak_view.page_map_flat == 0 && hak_page_map.address_mask == 0);
    register_and_remove();
    for (unsigned i = 0; i < BASES; i++) {
        EXPECT(hak_page_map_prepare(bases[i], HAK_SUPERSLAB_SIZE));
        hak_page_map_set(bases[i], 4, 0x10010);
        EXPECT(page_map_flat_get((void *)bases[i]) == 0);
    }
    check_superslabs();
}

static void under_a_limit(void *unused) {
    (void)unused;
    EXPECT(process_limit_growth((size_t)64 << 20));
    hak_page_map_init();
    without_a_flat_map();
}

static void unreserved(void *unused) {
    (void)unused;
    fake_os_fail(FAKE_OS_BIT(RESERVE), 1, 1);
    hak_page_map_init();
    EXPECT(fake_os_failures() == 1);
    without_a_flat_map();
}

static void unreadable(void *unused) {
    (void)unused;
    fake_os_fail(FAKE_OS_BIT(MAKE_READABLE), 1, 1);
    uint64_t released = fake_os_calls(FAKE_OS_RELEASE);
    hak_page_map_init();
    EXPECT(fake_os_calls(FAKE_OS_RELEASE) == released + 1);
    without_a_flat_map();
}

/* A process that limits its addresses later gets those of the map back, and goes on without. */
static void dropped(void *unused) {
    (void)unused;
    struct rlimit limit;
    hak_page_map_init();
    EXPECT(getrlimit(RLIMIT_AS, &limit) == 0);
    EXPECT(limit.rlim_cur != RLIM_INFINITY || !hak_page_map_drop());
    EXPECT(hak_superslab_register(bases[0], &superslabs[0]) && hak_page_map_prepare(bases[0], HAK_SUPERSLAB_SIZE));
    hak_page_map_set(bases[0], 4, 0x10010);
    size_t before = process_address_space_bytes();
    EXPECT(process_limit_growth((size_t)64 << 20));
    EXPECT(hak_page_map_drop());
    EXPECT(before - process_address_space_bytes() >= (size_t)4 << 30);
    EXPECT(hak_superslab_of((void *)bases[0]) == &superslabs[0]);
    EXPECT(!hak_page_map_drop());
    without_a_flat_map();
}

/* What cannot be made writable is said, and can be tried again. */
static void refused(void *unused) {
    (void)unused;
    hak_page_map_init();
    fake_os_fail(FAKE_OS_BIT(COMMIT), 1, UINT64_MAX);
    EXPECT(!hak_page_map_prepare(bases[1], HAK_SUPERSLAB_SIZE));
    fake_os_fail(FAKE_OS_BIT(RESERVE), 1, UINT64_MAX);
    EXPECT(!hak_superslab_register(bases[1], &superslabs[1]));
    hak_superslab_unregister(bases[1]);
    EXPECT(hak_superslab_of((void *)bases[1]) == NULL);
    fake_os_succeed();
    EXPECT(hak_page_map_prepare(bases[1], HAK_SUPERSLAB_SIZE));
    uint64_t commits = fake_os_calls(FAKE_OS_COMMIT);
    EXPECT(hak_page_map_prepare(bases[1], HAK_SUPERSLAB_SIZE));
    EXPECT(fake_os_calls(FAKE_OS_COMMIT) == commits);
    hak_page_map_set(bases[1], 64, 0x20020);
    check_entries(bases[1], 64, 0x20020);
    register_and_remove();
}

static void flat_mode(void **state) {
    (void)state;
    assert_true(child_succeeds(with_a_flat_map, NULL));
    assert_true(child_succeeds(across_pieces_of_the_flat_map, NULL));
}

static void mode_without_a_flat_map(void **state) {
    (void)state;
    assert_true(child_succeeds(unreserved, NULL));
    assert_true(child_succeeds(unreadable, NULL));
}

static void mode_of_little_address_space(void **state) {
    (void)state;
    if (UNIT_SHADOW_MEMORY) {
        skip();
    }
    assert_true(child_succeeds(under_a_limit, NULL));
    assert_true(child_succeeds(dropped, NULL));
}

static void refusals(void **state) {
    (void)state;
    assert_true(child_succeeds(refused, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_holds_a_heap_and_a_class),
        cmocka_unit_test(flat_mode),
        cmocka_unit_test(mode_without_a_flat_map),
        cmocka_unit_test(mode_of_little_address_space),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
