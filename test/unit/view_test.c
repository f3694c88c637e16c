/* view_test.c
 * Purpose.     What a tool reads from outside is there: from hak_view alone, with the published layout and without any
 *              header of hakmem's own, it comes to every structure.
 * Design.      The test has blocks made, and then looks for them as a tool would, by the names of fields.
 */
#include "support/unit.h"

#include "heap/heap.h"
#include "heap/huge.h"
#include "heap/large.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/os.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/superslab.h"
#include "segment/view.h"

#define REGIONS (&hak_view.regions)

static const struct hak_field *find_field(enum hak_struct which, const char *name) {
    const struct hak_layout *layout = &REGIONS->layout[which];
    for (uint32_t i = 0; i < layout->field_count; i++)
        if (strcmp(layout->field[i].name, name) == 0)
            return &layout->field[i];
    return NULL;
}

/* The number in a field of the structure at `address`. */
static uint64_t get(enum hak_struct which, uint64_t address, const char *name) {
    const struct hak_field *field = find_field(which, name);
    uint64_t value = 0;
    assert_non_null(field);
    assert_true(field->bytes <= sizeof value);
    memcpy(&value, (const char *)(uintptr_t)address + field->offset, field->bytes);
    return value;
}

#define GET(type, address, member) get(HAK_STRUCT_##type, address, #member)

/* The header of the unit that holds the address, by the tree. */
static uint64_t header_of(const void *p) {
    uint64_t unit = (uintptr_t)p / REGIONS->unit_bytes;
    const uint64_t *const *root = REGIONS->tree;
    assert_true(unit / REGIONS->tree_leaves < REGIONS->tree_roots);
    const uint64_t *leaf = root[unit / REGIONS->tree_leaves];
    return leaf == NULL ? 0 : leaf[unit % REGIONS->tree_leaves];
}

static void every_field_is_published(void **state) {
    static const char *const wanted[] = {
#define FIELD_NAME(type, member) #type, #member,
#define STRUCT_NAMES(type, fields) fields(FIELD_NAME, type)
        HAK_STRUCTS(STRUCT_NAMES)};
    static const char *const structs[] = {
#define STRUCT_NAME(type, fields) #type,
        HAK_STRUCTS(STRUCT_NAME)};
    (void)state;
    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i += 2) {
        unsigned which = 0;
        while (strcmp(structs[which], wanted[i]) != 0)
            which++;
        const struct hak_field *field = find_field(which, wanted[i + 1]);
        assert_non_null(field);
        assert_true(field->bytes != 0 && field->offset + field->bytes <= REGIONS->layout[which].bytes);
    }
}

static void a_slab_is_found(void **state) {
    void *blocks[3], *block;
    unsigned got = hak_heap_take(hak_thread_self->heap, 5, 3, blocks);
    (void)state;
    assert_int_equal(got, 3);
    block = blocks[2]; /* the lowest */
    uint64_t header = header_of(block);
    assert_int_equal(GET(superslab, header, state), UNIT_GRANULES);
    unsigned granule = (unsigned)(((uintptr_t)block - GET(superslab, header, base)) / REGIONS->granule_bytes);
    assert_int_equal(GET(superslab, header, free) >> granule & 1, 0);
    uint64_t slab = GET(superslab, header, slabs) + granule * REGIONS->layout[HAK_STRUCT_slab].bytes;
    assert_int_equal(GET(slab, slab, kind), RUN_SLAB);
    assert_int_equal((GET(slab, slab, entry) & HAK_SLOT_MASK) / sizeof(struct hak_slot), 5);
    assert_int_equal(GET(slab, slab, capacity) - GET(slab, slab, free_count), 3);
    uint64_t index = ((uintptr_t)block - GET(slab, slab, base)) / hak_view.class_size[5];
    const uint64_t *bits = (const uint64_t *)(uintptr_t)GET(slab, slab, free_blocks);
    assert_int_equal(bits[index / 64] >> index % 64 & 1, 0);
    assert_int_equal(hak_heap_return_array(hak_thread_self->heap, blocks, got), 0);
}

static void blocks_without_a_class_are_found(void **state) {
    char *large = hak_large_alloc(100000, 16, false), *huge = hak_large_alloc((size_t)5 << 20, 16, false);
    char *direct = hak_large_alloc(HAK_DIRECT_MIN + 1, 16, false);
    struct large_info info;
    (void)state;
    uint64_t header = header_of(large);
    uint64_t granule = ((uintptr_t)large - GET(superslab, header, base)) / REGIONS->granule_bytes;
    uint64_t run = GET(superslab, header, slabs) + granule * REGIONS->layout[HAK_STRUCT_slab].bytes;
    assert_int_equal(GET(slab, run, kind), RUN_LARGE);
    assert_int_equal(GET(slab, run, large_bytes), hak_large_good_size(100000));
    assert_int_equal(GET(superslab, header_of(huge), state), UNIT_HUGE);
    assert_int_equal(GET(superslab, header_of(huge), huge_bytes), (size_t)5 << 20);
    assert_int_equal(GET(superslab, header_of(huge + REGIONS->unit_bytes), huge_base), (uintptr_t)huge);
    assert_int_equal(GET(superslab, header_of(direct), state), UNIT_DIRECT);
    assert_int_equal(GET(superslab, header_of(direct), mapped_bytes), hak_large_good_size(HAK_DIRECT_MIN + 1));
    assert_int_equal(hak_view.huge_allocs - hak_view.huge_frees, 2);
    (void)hak_large_free(large, 0, &info);
    (void)hak_large_free(huge, 0, &info);
    (void)hak_large_free(direct, 0, &info);
    assert_int_equal(hak_view.huge_allocs, hak_view.huge_frees);
    (void)hak_purge_mappings();
    assert_int_equal(header_of(direct), 0);
}

static void arenas_add_up_to_what_is_mapped(void **state) {
    uint64_t mapped = 0, committed = 0;
    (void)state;
    for (uint64_t at = *(const uint64_t *)REGIONS->arenas; at != 0; at = GET(arena, at, next)) {
        mapped += GET(arena, at, units) * REGIONS->unit_bytes;
        committed += GET(arena, at, committed) * REGIONS->unit_bytes;
        assert_int_equal(GET(superslab, header_of((void *)(uintptr_t)GET(arena, at, base)), arena), at);
        assert_int_equal(GET(superslab, GET(arena, at, headers), base), GET(arena, at, base));
    }
    assert_true(committed != 0);
    assert_int_equal(mapped, hak_view.mapped_bytes);
    assert_int_equal(committed, hak_view.committed_bytes);
}

static bool is_in_a_chunk(uint64_t address) {
    for (uint64_t at = (uintptr_t)REGIONS->chunks; at != 0; at = GET(chunk, at, previous))
        if (address - at < GET(chunk, at, bytes))
            return true;
    return false;
}

static void records_are_in_metadata(void **state) {
    uint64_t record = (uintptr_t)hak_view.threads, heap = GET(thread, record, heap);
    (void)state;
    assert_true(is_in_a_chunk(record) && is_in_a_chunk(heap));
    assert_false(is_in_a_chunk((uintptr_t)&record));
    const uint64_t *heaps = REGIONS->heaps;
    assert_true(GET(heap, heap, id) < REGIONS->heap_count);
    assert_int_equal(heaps[GET(heap, heap, id)], heap);
    assert_int_equal(GET(heap, heap, pending), 0);
}

/* The blocks of a list, by what is not hakmem's own of a record. */
static void a_list_shows_its_blocks(void **state) {
    const struct hak_thread_view *record = hak_view.threads;
    const struct hak_slot *slot = &record->slot[7];
    (void)state;
    assert_int_equal(slot->room, 0);
    void *block = hak_thread_take(hak_thread_self, 7);
    assert_non_null(block);
    hak_thread_keep(hak_thread_self, 7, block);
    void **base = record->flow[7].base;
    assert_true(slot->top - base >= 1 && slot->top - base <= slot->room);
    assert_true(is_in_a_chunk((uintptr_t)base) && is_in_a_chunk((uintptr_t)(base + slot->room) - 1));
    assert_ptr_equal(slot->top[-1], block);
    for (void **at = base; at < slot->top; at++)
        assert_int_equal(GET(superslab, header_of(*at), state), UNIT_GRANULES);
    hak_thread_flush();
    assert_int_equal(slot->room, 0);
}

static void an_outbox_shows_its_blocks(void **state) {
    uint64_t outbox = (uintptr_t)hak_view.threads + find_field(HAK_STRUCT_thread, "outbox")->offset;
    uint64_t shown = outbox + find_field(HAK_STRUCT_outbox, "block")->offset;
    struct outbox *own = &hak_thread_self->outbox;
    struct block blocks[2], *const added[] = {&blocks[0], &blocks[1]};
    (void)state;
    assert_int_equal(GET(outbox, outbox, count), 0);
    assert_false(outbox_add(own, 3, &blocks[0], SIZE_MAX));
    assert_false(outbox_add(own, 10, &blocks[1], SIZE_MAX));
    assert_int_equal(GET(outbox, outbox, count), 2);
    assert_memory_equal((const void *)(uintptr_t)shown, added, sizeof added);
    memset(own, 0, sizeof *own);
}

/* By class. */
static void a_transfer_cache_shows_its_blocks(void **state) {
    void *blocks[2];
    bool by_another;
    (void)state;
    assert_int_equal(REGIONS->transfer_count, HAK_CLASS_COUNT);
    assert_int_equal(hak_heap_take(hak_thread_self->heap, 6, 2, blocks), 2);
    assert_int_equal(hak_transfer_put(6, blocks, 2), 2);
    for (unsigned c = 0; c < HAK_CLASS_COUNT; c++) {
        uint64_t transfer = (uintptr_t)REGIONS->transfers + c * REGIONS->layout[HAK_STRUCT_transfer].bytes;
        assert_int_equal(GET(transfer, transfer, count), c == 6 ? 2 : 0);
        if (c == 6)
            assert_memory_equal((const void *)(uintptr_t)GET(transfer, transfer, block), blocks, sizeof blocks);
    }
    assert_int_equal(hak_transfer_take(6, 2, blocks, &by_another), 2);
    assert_int_equal(hak_heap_return_array(hak_thread_self->heap, blocks, 2), 0);
}

static void the_page_map_is_where_it_says(void **state) {
    (void)state;
    assert_int_equal(hak_view.page_map_flat, hak_page_map.address_mask != 0);
    if (hak_view.page_map_flat != 0)
        assert_ptr_equal(REGIONS->page_map, hak_page_map.flat);
}

static void options_have_names(void **state) {
    const char *name = REGIONS->option_names;
    uint64_t count = 0;
    (void)state;
    assert_int_equal(strncmp(name, "purge_delay,", 12), 0);
    assert_int_equal(REGIONS->options[0], 1000);
    for (; *name != 0; name++)
        count += *name == ',';
    assert_int_equal(count, REGIONS->option_count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_published),         cmocka_unit_test(a_slab_is_found),
        cmocka_unit_test(blocks_without_a_class_are_found), cmocka_unit_test(arenas_add_up_to_what_is_mapped),
        cmocka_unit_test(records_are_in_metadata),          cmocka_unit_test(a_list_shows_its_blocks),
        cmocka_unit_test(an_outbox_shows_its_blocks),       cmocka_unit_test(a_transfer_cache_shows_its_blocks),
        cmocka_unit_test(the_page_map_is_where_it_says),    cmocka_unit_test(options_have_names),
    };
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    hak_thread_init(1);
    if (!hak_thread_begin())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
