/* outbox_test.c
 * Purpose.     An outbox keeps small blocks of other heaps apart by class and heap, and all else together, and sends
 *              them away in batches: each once, to those that may use it or home, untouched, whatever comes in between.
 * Design.      Linker wraps of where they go, and of where what finds no room goes, look at the batch meanwhile: what
 *              a fork's child or a signal handler would find. What is missing at the end shows as memory in use.
 * link: -Wl,--wrap=hak_transfer_put,--wrap=hak_heap_return_remote
 */
#include "support/heaps.h"
#include "support/unit.h"

#include <sys/mman.h>

#include "base/options.h"
#include "heap/outbox.h"
#include "heap/slab.h"
#include "heap/transfer.h"
#include "segment/view.h"

enum { LAST_HEAP = HEAPS, HOME = HAK_HOME_CLASSES - 1, SHARED = HAK_HOME_CLASSES, LARGEST = HAK_CLASS_COUNT - 1 };

static struct outbox outbox;
static const void *bad;
static unsigned bad_count;

static void note_bad(const void *block) {
    bad = block;
    bad_count++;
}

/* A batch that is on its way, which is looked at before and after each step. */
static struct {
    struct batch *batch;
    unsigned looks;
    bool others;
} sent;

static void look_at_sent(void) {
    static char block;
    if (sent.others) {
        assert_int_equal(outbox.other_count + outbox.other_bytes, 0);
        sent.looks++;
    }
    if (sent.batch == NULL)
        return;
    assert_int_equal(sent.batch->count, 0);
    for (unsigned id = 1; id <= HEAPS; id++)
        assert_false(batch_add(sent.batch, hak_heap_entry(heaps[id], HOME), &block));
    assert_int_equal(sent.batch->count, 0);
    sent.looks++;
}

unsigned __real_hak_transfer_put(struct heap *heap, unsigned size_class, void *const *blocks, unsigned count);
unsigned __wrap_hak_transfer_put(struct heap *heap, unsigned size_class, void *const *blocks, unsigned count);
unsigned __wrap_hak_transfer_put(struct heap *heap, unsigned size_class, void *const *blocks, unsigned count) {
    look_at_sent();
    unsigned put = __real_hak_transfer_put(heap, size_class, blocks, count);
    look_at_sent();
    return put;
}

void __real_hak_heap_return_remote(struct heap *heap, void *const *blocks, unsigned count);
void __wrap_hak_heap_return_remote(struct heap *heap, void *const *blocks, unsigned count);
void __wrap_hak_heap_return_remote(struct heap *heap, void *const *blocks, unsigned count) {
    look_at_sent();
    __real_hak_heap_return_remote(heap, blocks, count);
    look_at_sent();
}

/* To the batch of the heap, which it is from now on. */
static struct batch *add(unsigned heap, unsigned c, void *const *blocks, unsigned count) {
    uint32_t entry = hak_heap_entry(heaps[heap], c);
    struct batch *batch = outbox_batch(&outbox, entry);
    if (batch->count == 0)
        batch->heap = heap;
    outbox.any = true;
    for (unsigned i = 0; i < count; i++) {
        unsigned before = batch->count;
        assert_true(batch_add(batch, entry, blocks[i]));
        assert_int_equal(batch->count, before + 1);
        assert_ptr_equal(batch->block[before], blocks[i]);
    }
    return batch;
}

static unsigned send(struct batch *batch, unsigned c, bool wanted) {
    sent.batch = batch;
    sent.looks = 0;
    unsigned count = hak_outbox_send(batch, c, heaps, wanted);
    sent.batch = NULL;
    assert_int_equal(batch->count + batch->heap, 0);
    return count;
}

enum { MOST_BYTES = 8192 };

static void add_other(void *block) {
    uint32_t entry = page_map_flat_get(block), size = (uint32_t)size_class_bytes(entry_class(entry));
    uint32_t count = outbox.other_count, bytes = outbox.other_bytes;
    bool full = outbox_add_other(&outbox, entry, block, MOST_BYTES);
    assert_int_equal(full, count + 1 == HAK_OUTBOX_OTHERS || bytes + size >= MOST_BYTES);
    assert_ptr_equal(outbox.other[count], block);
    assert_int_equal(outbox.other_count, count + 1);
    assert_int_equal(outbox.other_bytes, bytes + size);
    assert_true(outbox.any);
}

static void send_others(bool wanted) {
    size_t bytes = outbox.other_bytes;
    sent.others = true;
    sent.looks = 0;
    assert_int_equal(hak_outbox_send_others(&outbox, heaps, wanted), bytes);
    sent.others = false;
    assert_int_equal(outbox.other_count + outbox.other_bytes, 0);
}

static int all_is_back(void **state) {
    (void)state;
    heaps_empty_transfers();
    return hak_view.active_bytes != 0 || bad_count != 0;
}

/* Each class and each of a few heaps have their own; two heaps that do not take turns. */
static void batches_are_of_one_kind(void **state) {
    static char block;
    (void)state;
    for (unsigned c = 1; c < HAK_HOME_CLASSES; c++) {
        for (unsigned id = 1; id <= HEAPS; id++) {
            struct batch *batch = outbox_batch(&outbox, hak_heap_entry(heaps[id], c));
            assert_in_range((uintptr_t)batch, (uintptr_t)&outbox, (uintptr_t)(&outbox + 1) - sizeof *batch);
            for (unsigned other = 1; other < c; other++)
                for (unsigned i = 1; i <= HEAPS; i++)
                    assert_ptr_not_equal(batch, outbox_batch(&outbox, hak_heap_entry(heaps[i], other)));
            for (unsigned i = 1; i < id; i++)
                assert_int_equal(batch == outbox_batch(&outbox, hak_heap_entry(heaps[i], c)),
                                 i == 1 && id == LAST_HEAP);
        }
    }
    struct batch *batch = outbox_batch(&outbox, hak_heap_entry(heaps[1], 1));
    assert_false(batch_add(batch, hak_heap_entry(heaps[1], 1), &block)); /* of none yet */
    batch->heap = 1;
    assert_false(batch_add(batch, hak_heap_entry(heaps[LAST_HEAP], 1), &block));
    for (unsigned i = 0; i < HAK_OUTBOX_BLOCKS; i++)
        assert_true(batch_add(batch, hak_heap_entry(heaps[1], 1), &block));
    struct batch before = *batch;
    assert_false(batch_add(batch, hak_heap_entry(heaps[1], 1), &block));
    assert_memory_equal(&before, batch, sizeof *batch);
    batch->count = batch->heap = 0;
}

/* To the threads of their heap, in the order that they came in; or home, if these do not want them. */
static void each_is_sent_once(void **state) {
    void *blocks[HAK_OUTBOX_BLOCKS], *got[HAK_OUTBOX_BLOCKS];
    (void)state;
    for (unsigned c = 1; c < HAK_HOME_CLASSES; c++) {
        for (unsigned id = 1; id <= HEAPS; id++) {
            for (unsigned count = 0; count <= HAK_OUTBOX_BLOCKS; count += 1 + count / 4) {
                struct transfer *transfer = transfer_of(heaps[id], c);
                heaps_take(id, c, count, blocks);
                assert_int_equal(send(add(id, c, blocks, count), c, true), count);
                assert_int_equal(sent.looks, count == 0 ? 0 : 2);
                assert_int_equal(transfer->count, count);
                assert_int_equal(hak_transfer_take(transfer, HAK_OUTBOX_BLOCKS, got), count);
                assert_memory_equal(got, blocks, count * sizeof *blocks);
                assert_int_equal(send(add(id, c, blocks, count), c, false), count);
                assert_int_equal(sent.looks, count == 0 ? 0 : 2);
                assert_int_equal(transfer->count, 0);
                assert_int_equal(hak_view.active_bytes, 0);
            }
        }
    }
}

/* As many as there is room for; the others go home. */
static void what_has_no_room_goes_home(void **state) {
    static void *others[HAK_TRANSFER_BLOCKS];
    void *blocks[HAK_OUTBOX_BLOCKS];
    struct transfer *transfer = transfer_of(heaps[2], HOME);
    (void)state;
    heaps_take(2, HOME, 1, blocks);
    assert_int_equal(send(add(2, HOME, blocks, 1), HOME, true), 1);
    heaps_empty_transfers();
    for (unsigned room = 0; room <= HAK_OUTBOX_BLOCKS; room += 10) {
        unsigned full = transfer->room - room;
        heaps_take(2, HOME, full, others);
        assert_int_equal(hak_transfer_put(heaps[2], HOME, others, full), full);
        heaps_take(2, HOME, HAK_OUTBOX_BLOCKS, blocks);
        assert_int_equal(send(add(2, HOME, blocks, HAK_OUTBOX_BLOCKS), HOME, true), HAK_OUTBOX_BLOCKS);
        assert_int_equal(sent.looks, 4);
        assert_int_equal(transfer->count, transfer->room);
        for (unsigned i = 0; i < HAK_OUTBOX_BLOCKS; i++)
            assert_int_equal(heaps_is_home(blocks[i]), i >= room);
        heaps_empty_transfers();
        assert_int_equal(hak_view.active_bytes, 0);
    }
}

/* Blocks of many classes and heaps: each class's in its place, small ones in that of their heap. */
static void others_are_divided(void **state) {
    enum { CLASSES = HAK_HOME_CLASSES + 3 };
    (void)state;
    for (unsigned step = 1; step <= 5; step++) {
        for (unsigned count = 0; count <= HAK_OUTBOX_OTHERS; count += 1 + count / 3) {
            unsigned put[HEAPS + 1][HAK_CLASS_COUNT] = {{0}};
            for (unsigned i = 0; i < count; i++) {
                unsigned heap = 1 + i / step % HEAPS, c = 1 + i * step % CLASSES;
                add_other(heaps_take_one(heap, c));
                put[class_is_shared(c) ? 0 : heap][c]++;
            }
            send_others(true);
            assert_int_equal(sent.looks > 0, count > 0);
            for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
                assert_int_equal(hak_transfers[c].count, put[0][c]);
                for (unsigned id = 1; id <= HEAPS && !class_is_shared(c); id++) {
                    const struct transfer *transfer = &heaps[id]->transfer[c];
                    assert_int_equal(transfer->count, put[id][c]);
                    for (unsigned i = 0; i < transfer->count; i++)
                        assert_int_equal(page_map_flat_get(transfer->block[i]), hak_heap_entry(heaps[id], c));
                }
                for (unsigned i = 0; i < hak_transfers[c].count; i++)
                    assert_int_equal(entry_class(page_map_flat_get(hak_transfers[c].block[i])), c);
            }
            heaps_empty_transfers();
            assert_int_equal(hak_view.active_bytes, 0);
        }
    }
}

/* What others have no room for, or do not want. */
static void others_go_home(void **state) {
    enum { LARGE = HAK_TRANSFER_BYTES / HAK_MID_MAX, MOST = HAK_OUTBOX_BLOCKS };
    void *blocks[MOST];
    (void)state;
    for (unsigned i = 0; i < LARGE; i++)
        add_other(heaps_take_one(2, LARGEST));
    send_others(true);
    assert_int_equal(hak_transfers[LARGEST].count, LARGE);
    void *taken[3];
    assert_int_equal(hak_transfer_take(&hak_transfers[LARGEST], 3, taken), 3);
    heaps_give(2, taken, 3);
    for (unsigned wanted = 0; wanted < 2; wanted++) {
        unsigned count = 0, home = 0;
        for (unsigned i = 0; i < 5; i++) {
            blocks[count++] = heaps_take_one(1 + i % HEAPS, LARGEST);
            blocks[count++] = heaps_take_one(1 + i % HEAPS, i % 2 == 0 ? HOME : SHARED);
        }
        for (unsigned i = 0; i < count; i++)
            add_other(blocks[i]);
        send_others(wanted != 0);
        for (unsigned i = 0; i < count; i++)
            home += heaps_is_home(blocks[i]);
        assert_int_equal(home, wanted != 0 ? 2 : count);
        assert_int_equal(hak_transfers[LARGEST].count, wanted != 0 ? LARGE : LARGE - 3);
        assert_int_equal(hak_transfers[SHARED].count, wanted != 0 ? 2 : 0);
    }
}

/* Whether or not others want them. */
static void all_batches_are_emptied(void **state) {
    (void)state;
    for (unsigned wanted = 0; wanted < 2; wanted++) {
        size_t bytes = 0;
        for (unsigned c = 1; c < HAK_HOME_CLASSES; c++) {
            for (unsigned id = 1; id < LAST_HEAP; id++) {
                void *blocks[HAK_OUTBOX_BLOCKS];
                unsigned count = (7 * c + id) % (HAK_OUTBOX_BLOCKS + 1);
                heaps_take(id, c, count, blocks);
                (void)add(id, c, blocks, count);
                bytes += count * size_class_bytes(c);
            }
            add_other(heaps_take_one(1, SHARED + c));
            bytes += size_class_bytes(SHARED + c);
        }
        assert_int_equal(outbox_empty(&outbox, heaps, wanted != 0), bytes);
        for (unsigned c = 1; c < HAK_HOME_CLASSES; c++)
            for (unsigned id = 1; id < LAST_HEAP; id++)
                assert_int_equal(heaps[id]->transfer[c].count,
                                 wanted != 0 ? (7 * c + id) % (HAK_OUTBOX_BLOCKS + 1) : 0);
        for (unsigned c = 1; c < HAK_HOME_CLASSES; c++)
            assert_int_equal(hak_transfers[SHARED + c].count, wanted);
        assert_false(outbox.any);
        assert_int_equal(outbox_empty(&outbox, heaps, wanted != 0), 0);
        heaps_empty_transfers();
        assert_int_equal(hak_view.active_bytes, 0);
    }
}

static void no_block_is_touched(void **state) {
    void *blocks[HAK_OUTBOX_BLOCKS];
    (void)state;
    for (unsigned c = 1; c < HAK_HOME_CLASSES; c++) {
        void *kept = heaps_take_one(1, c), *memory = (void *)hak_slab_of(kept)->base;
        for (unsigned wanted = 0; wanted < 2; wanted++) {
            heaps_take(1, c, HAK_OUTBOX_BLOCKS, blocks);
            assert_ptr_equal(hak_slab_of(blocks[0])->base, memory);
            assert_int_equal(mprotect(memory, HAK_GRANULE_SIZE, PROT_NONE), 0);
            (void)send(add(1, c, blocks, HAK_OUTBOX_BLOCKS), c, wanted != 0);
            heaps_empty_transfers();
            heaps_take(1, c, HAK_OUTBOX_BLOCKS, blocks);
            for (unsigned i = 0; i < HAK_OUTBOX_BLOCKS; i++)
                add_other(blocks[i]);
            send_others(wanted != 0);
            heaps_empty_transfers();
            assert_int_equal(mprotect(memory, HAK_GRANULE_SIZE, PROT_READ | PROT_WRITE), 0);
        }
        heaps_give(1, &kept, 1);
    }
}

/* As two frees by one thread put it there; whether others take it or it goes home. */
static void the_same_twice_is_seen(void **state) {
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        bool wanted = way % 2 != 0;
        void *twice = heaps_take_one(1, HOME), *once = heaps_take_one(1, HOME), *blocks[] = {twice, twice, once};
        if (way < 2) {
            assert_int_equal(send(add(1, HOME, blocks, 3), HOME, wanted), 3);
        } else {
            for (unsigned i = 0; i < 3; i++)
                add_other(blocks[i]);
            send_others(wanted);
        }
        assert_int_equal(bad_count, 1);
        assert_ptr_equal(bad, twice);
        bad_count = 0;
        assert_int_equal(heaps[1]->transfer[HOME].count, wanted ? 2 : 0);
        heaps_empty_transfers();
        assert_int_equal(hak_view.active_bytes, 0);
    }
}

/* As a fork's child finds it whose parent's thread was just about to empty it. */
static void a_batch_without_a_heap_is_dropped(void **state) {
    (void)state;
    void *lost = heaps_take_one(1, HOME);
    struct batch *batch = add(1, HOME, &lost, 1);
    batch->heap = 0;
    assert_int_equal(hak_outbox_send(batch, HOME, heaps, true), 0);
    assert_int_equal(batch->count + batch->heap + bad_count, 0);
    heaps_give(1, &lost, 1);
}

/* Freed twice as well, and the other one went home as the last of its slab. */
static void what_is_no_block_any_more_is_told_of(void **state) {
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        bool wanted = way % 2 != 0;
        unsigned c = way < 2 ? HOME : SHARED;
        void *twice = heaps_take_one(1, c), *gone = twice, *others[2] = {heaps_take_one(2, c), heaps_take_one(3, c)};
        add_other(others[0]);
        add_other(twice);
        add_other(others[1]);
        heaps_give(1, &gone, 1);
        send_others(wanted);
        assert_int_equal(bad_count, 1);
        assert_ptr_equal(bad, twice);
        bad_count = 0;
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(heaps_is_home(others[i]), !wanted);
        heaps_empty_transfers();
        assert_int_equal(hak_view.active_bytes, 0);
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
        TEST(batches_are_of_one_kind),
        TEST(each_is_sent_once),
        TEST(what_has_no_room_goes_home),
        TEST(others_are_divided),
        TEST(others_go_home),
        TEST(all_batches_are_emptied),
        TEST(no_block_is_touched),
        TEST(the_same_twice_is_seen),
        TEST(what_is_no_block_any_more_is_told_of),
        TEST(a_batch_without_a_heap_is_dropped),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
