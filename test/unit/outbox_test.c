/* outbox_test.c
 * Purpose.     An outbox takes blocks of all classes and heaps, says when it is full, and sends them away: each once,
 *              to the transfer cache of its class or to its own heap, untouched.
 * Design.      Linker wraps of the two ways out look at the outbox meanwhile: what a fork's child would find. What is
 *              missing at the end shows as memory in use.
 * link: -Wl,--wrap=hak_transfer_put,--wrap=hak_heap_return_any
 */
#include "support/heaps.h"
#include "support/unit.h"

#include <sys/mman.h>

#include "base/options.h"
#include "heap/outbox.h"
#include "heap/slab.h"
#include "heap/transfer.h"
#include "segment/view.h"

enum { SMALL = 3, OTHER = 40, MOST = HAK_OUTBOX_BLOCKS };

static struct outbox outbox;
static const void *bad;
static unsigned bad_count;

static void note_bad(const void *block) {
    bad = block;
    bad_count++;
}

static struct {
    bool now; /* blocks are on their way */
    unsigned looks;
} sending;

static void look(void) {
    if (sending.now)
        assert_int_equal(outbox.count + outbox.bytes, 0);
    sending.looks++;
}

unsigned __real_hak_transfer_put(unsigned size_class, void *const *blocks, unsigned count);
unsigned __wrap_hak_transfer_put(unsigned size_class, void *const *blocks, unsigned count);
unsigned __wrap_hak_transfer_put(unsigned size_class, void *const *blocks, unsigned count) {
    look();
    return __real_hak_transfer_put(size_class, blocks, count);
}

void __real_hak_heap_return_any(struct heap *const *all, void **blocks, unsigned count);
void __wrap_hak_heap_return_any(struct heap *const *all, void **blocks, unsigned count);
void __wrap_hak_heap_return_any(struct heap *const *all, void **blocks, unsigned count) {
    look();
    __real_hak_heap_return_any(all, blocks, count);
}

static size_t bytes_of(const void *block) {
    return size_class_bytes(entry_class(page_map_flat_get(block)));
}

static void add(void *const *blocks, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        (void)outbox_add(&outbox, entry_class(page_map_flat_get(blocks[i])), blocks[i], SIZE_MAX);
}

static void send(bool wanted) {
    size_t bytes = 0;
    for (unsigned i = 0; i < outbox.count; i++)
        bytes += bytes_of(outbox.block[i]);
    sending.now = true;
    sending.looks = 0;
    assert_int_equal(hak_outbox_send(&outbox, heaps, wanted), bytes);
    sending.now = false;
    assert_true(sending.looks > 0);
    assert_int_equal(outbox.count + outbox.bytes, 0);
}

static void empty_transfers(void) {
    heaps_empty_transfers();
    assert_int_equal(hak_view.active_bytes, 0);
}

static int all_is_back(void **state) {
    (void)state;
    heaps_empty_transfers();
    return hak_view.active_bytes != 0 || bad_count != 0;
}

/* With so many blocks, or so many bytes of whatever classes. */
static void it_says_when_it_is_full(void **state) {
    static char blocks[MOST];
    const size_t small = size_class_bytes(SMALL), other = size_class_bytes(OTHER);
    (void)state;
    for (uint32_t i = 0; i < MOST; i++) {
        bool full = outbox_add(&outbox, i % 2 == 0 ? SMALL : OTHER, &blocks[i], SIZE_MAX);
        assert_int_equal(full, i == MOST - 1);
        assert_int_equal(outbox.count, i + 1);
        assert_int_equal(outbox.bytes, (i + 2) / 2 * small + (i + 1) / 2 * other);
    }
    for (unsigned i = 0; i < MOST; i++)
        assert_ptr_equal(outbox.block[i], &blocks[i]);
    for (size_t less = 0; less < 2; less++) {
        outbox.count = outbox.bytes = 0;
        assert_false(outbox_add(&outbox, SMALL, &blocks[0], small + other + 1 - less));
        assert_int_equal(outbox_add(&outbox, OTHER, &blocks[1], small + other + 1 - less), less);
    }
    outbox.count = outbox.bytes = 0;
}

/* Those of one class in the order that they came in, whichever heaps they are of, as far as there is room for them; all
 * others to their heaps. */
static void a_class_stays_in_order(void **state) {
    void *blocks[MOST];
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct transfer *transfer = &hak_transfers[c];
        for (unsigned count = 1; count <= MOST; count += 1 + count / 4) {
            unsigned room = (unsigned)(HAK_TRANSFER_BYTES / size_class_bytes(c)), kept = count < room ? count : room;
            heaps_take_mixed(c, count, blocks);
            add(blocks, count);
            send(true);
            assert_int_equal(transfer->count, kept);
            assert_memory_equal(transfer->block, blocks, kept * sizeof *blocks);
            for (unsigned i = 0; i < count; i++)
                assert_int_equal(home_has(blocks[i]), i >= kept);
            empty_transfers();
        }
    }
}

/* Wherever those of a class and of a heap stand. */
static void blocks_are_divided_by_class(void **state) {
    (void)state;
    for (unsigned step = 1; step <= 5; step++) {
        for (unsigned count = 0; count <= MOST; count += 1 + count / 3) {
            unsigned put[HEAPS + 1][HAK_CLASS_COUNT] = {{0}};
            for (unsigned i = 0; i < count; i++) {
                unsigned heap = 1 + i / step % HEAPS, c = 1 + i * step % 11 * 6;
                void *block = heaps_take_one(heap, c);
                add(&block, 1);
                put[heap][c]++;
            }
            send(true);
            for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
                for (unsigned i = 0; i < hak_transfers[c].count; i++) {
                    uint32_t entry = page_map_flat_get(hak_transfers[c].block[i]);
                    assert_int_equal(entry_class(entry), c);
                    put[entry_heap_id(entry)][c]--;
                }
            }
            assert_true(unit_is_zero(put, sizeof put));
            empty_transfers();
        }
    }
}

/* What nobody wants, what is to go to the kernel at once, and that of a class whose transfer cache another thread is at
 * work on; each to its own heap. */
static void what_others_do_not_take_goes_home(void **state) {
    enum { UNWANTED, UNDELAYED, BUSY, WAYS };
    void *blocks[MOST];
    (void)state;
    for (unsigned way = 0; way < WAYS; way++) {
        for (unsigned i = 0; i < MOST; i++)
            blocks[i] = heaps_take_one(1 + i % HEAPS, i % 3 == 0 ? SMALL : OTHER);
        add(blocks, MOST);
        hak_options.purge_delay = way == UNDELAYED ? 0 : 1000;
        hak_transfers[OTHER].busy = way == BUSY ? UINT32_MAX : 0;
        send(way != UNWANTED);
        hak_transfers[OTHER].busy = 0;
        hak_options.purge_delay = 1000;
        for (unsigned i = 0; i < MOST; i++)
            assert_int_equal(home_has(blocks[i]), way != BUSY || i % 3 != 0);
        assert_int_equal(hak_transfers[SMALL].count, way == BUSY ? (MOST + 2) / 3 : 0);
        assert_int_equal(hak_transfers[OTHER].count, 0);
        empty_transfers();
    }
}

static void no_block_is_touched(void **state) {
    enum { EACH = MOST / 2 };
    void *blocks[2 * EACH], *kept[2];
    (void)state;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        for (unsigned i = 0; i < 2; i++)
            kept[i] = heaps_take_one(1 + i, c);
        const struct slab *slabs[] = {hak_slab_of(kept[0]), hak_slab_of(kept[1])};
        unsigned each = slabs[0]->free_count < EACH ? slabs[0]->free_count : EACH;
        for (unsigned wanted = 0; wanted < 2; wanted++) {
            for (unsigned i = 0; i < 2; i++) {
                heaps_take(1 + i, c, each, &blocks[i * each]);
                assert_int_equal(mprotect((void *)slabs[i]->base, slabs[i]->granules * HAK_GRANULE_SIZE, PROT_NONE), 0);
            }
            add(blocks, 2 * each);
            send(wanted != 0);
            heaps_empty_transfers();
            for (unsigned i = 0; i < 2 * each; i++)
                assert_true(hak_slab_of(blocks[i]) == slabs[i / each] && home_has(blocks[i]));
            for (unsigned i = 0; i < 2; i++)
                assert_int_equal(
                    mprotect((void *)slabs[i]->base, slabs[i]->granules * HAK_GRANULE_SIZE, PROT_READ | PROT_WRITE), 0);
        }
        for (unsigned i = 0; i < 2; i++)
            heaps_give(1 + i, &kept[i], 1);
    }
}

static void expect_bad(const void *block) {
    assert_int_equal(bad_count, 1);
    assert_ptr_equal(bad, block);
    bad_count = 0;
}

/* As two frees by one thread put it there, with one of another class in between; whether others take it or it goes
 * home. */
static void the_same_twice_is_seen(void **state) {
    (void)state;
    for (unsigned wanted = 0; wanted < 2; wanted++) {
        void *twice = heaps_take_one(1, SMALL), *once = heaps_take_one(2, SMALL), *other = heaps_take_one(1, OTHER);
        add((void *[]){twice, other, twice, once}, 4);
        send(wanted != 0);
        expect_bad(twice);
        assert_int_equal(hak_transfers[SMALL].count, wanted != 0 ? 2 : 0);
        empty_transfers();
    }
}

/* Freed twice as well, and the other one went home as the last of its slab. */
static void what_is_no_block_any_more_is_told_of(void **state) {
    (void)state;
    for (unsigned wanted = 0; wanted < 2; wanted++) {
        void *twice = heaps_take_one(1, SMALL), *gone = twice;
        void *others[2] = {heaps_take_one(2, SMALL), heaps_take_one(3, SMALL)};
        add((void *[]){others[0], twice, others[1]}, 3);
        size_t bytes = outbox.bytes;
        heaps_give(1, &gone, 1);
        assert_int_equal(hak_outbox_send(&outbox, heaps, wanted != 0), bytes);
        expect_bad(twice);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(home_has(others[i]), wanted == 0);
        empty_transfers();
    }
}

static int start(void **state) {
    (void)state;
    hak_heap_on_bad_block = note_bad;
    return heaps_start() ? 0 : -1;
}

#define TEST(function) cmocka_unit_test_teardown(function, all_is_back)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_says_when_it_is_full),
        TEST(a_class_stays_in_order),
        TEST(blocks_are_divided_by_class),
        TEST(what_others_do_not_take_goes_home),
        TEST(no_block_is_touched),
        TEST(the_same_twice_is_seen),
        TEST(what_is_no_block_any_more_is_told_of),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
