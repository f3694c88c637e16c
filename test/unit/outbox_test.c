/* outbox_test.c
 * Purpose.     A signal handler frees while its thread's outbox is being emptied: blocks may be lost, but none is
 *              handed out twice, or as one of another class; and the outbox is as good as new afterwards.
 * Design.      The handler is a wrapper of the function that begins to put blocks into a transfer cache, at its n-th
 *              call: it adds blocks to the outbox as a free does.
 * link: -Wl,--wrap=hak_transfer_begin_put
 */
#include "support/expect.h"
#include "support/heaps.h"
#include "support/unit.h"

#include "base/options.h"
#include "heap/outbox.h"
#include "heap/slab.h"
#include "heap/transfer.h"
#include "segment/view.h"

enum { SHARED = HAK_HOME_CLASSES, HOME = HAK_HOME_CLASSES - 1, CLASSES = SHARED + 3, MOST = 600 };

static struct outbox outbox;

/* What is added at the n-th call from now on. */
static struct {
    unsigned at;
    unsigned heap, c, count;
} handler;

static struct block *taken[MOST];
static unsigned taken_count;

static void add(unsigned heap, unsigned c, unsigned count) {
    for (; count > 0; count--) {
        struct block *chain;
        assert_int_equal(hak_heap_take(heaps[heap], c, 1, &chain), 1);
        assert_true(taken_count < MOST);
        taken[taken_count++] = chain;
        assert_false(outbox_add(&outbox, chain, page_map_flat_get(chain), 16));
    }
}

struct block **__real_hak_transfer_begin_put(struct transfer *transfer, unsigned size_class, struct block ***end,
                                             bool *full);
struct block **__wrap_hak_transfer_begin_put(struct transfer *transfer, unsigned size_class, struct block ***end,
                                             bool *full);
struct block **__wrap_hak_transfer_begin_put(struct transfer *transfer, unsigned size_class, struct block ***end,
                                             bool *full) {
    if (handler.at != 0 && --handler.at == 0)
        add(handler.heap, handler.c, handler.count);
    return __real_hak_transfer_begin_put(transfer, size_class, end, full);
}

static unsigned times_in(const struct transfer *transfer, const struct block *block) {
    unsigned times = 0;
    for (unsigned i = 0; i < transfer->count; i++)
        times += transfer->block[i] == block;
    return times;
}

/* How often it is in a transfer cache; only ever in that of its class and, if it is small, of its heap. */
static unsigned times_put(const struct block *block) {
    uint32_t entry = page_map_flat_get(block);
    unsigned times = 0;
    for (unsigned c = HAK_HOME_CLASSES; c < HAK_CLASS_COUNT; c++) {
        unsigned here = times_in(&hak_transfers[c], block);
        assert_true(here == 0 || c == entry_class(entry));
        times += here;
    }
    for (unsigned id = 1; id <= HEAPS; id++) {
        for (unsigned c = 1; c < HAK_HOME_CLASSES; c++) {
            unsigned here = times_in(&heaps[id]->transfer[c], block);
            assert_true(here == 0 || (c == entry_class(entry) && id == entry_heap_id(entry)));
            times += here;
        }
    }
    return times;
}

/* Fills the outbox in one of a few ways. */
static void fill(unsigned way) {
    switch (way) {
    case 0:
        add(1, SHARED, 100);
        break;
    case 1:
        add(1, HOME, 100);
        break;
    case 2:
        add(1, HOME, 3);
        add(2, HOME, 4);
        add(1, SHARED, 50);
        break;
    case 3:
        for (unsigned i = 0; i < 100; i++)
            add(1 + i % HEAPS, 1 + i % 7 * 5 % (CLASSES - 1), 1);
        break;
    default:
        add(2, SHARED + 1, 1);
        add(1, SHARED, 10);
        add(1, SHARED + 1, 10);
        break;
    }
}

enum { WAYS = 5 };

static void pass_on(void) {
    bool refused[HAK_CLASS_COUNT] = {false};
    hak_outbox_pass_on(&outbox, heaps, refused);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        assert_false(refused[c]);
    assert_int_equal(outbox.count, 0);
    assert_int_equal(outbox.bytes, 0);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++)
        assert_int_equal(outbox.last[c], 0);
}

static void no_block_is_put_twice(void **state) {
    unsigned lost = 0;
    (void)state;
    outbox.most_bytes = HAK_OUTBOX_BYTES;
    for (unsigned at = 0; at <= 12; at++) {
        for (unsigned way = 0; way < WAYS; way++) {
            for (unsigned c = 1; c < CLASSES; c++) {
                for (unsigned count = 1; count <= 120; count += 17) {
                    taken_count = 0;
                    fill(way);
                    handler.at = at, handler.heap = 1 + c % HEAPS, handler.c = c, handler.count = count;
                    pass_on();
                    handler.at = 0;
                    fill(WAYS - 1 - way);
                    pass_on();
                    for (unsigned i = 0; i < taken_count; i++) {
                        unsigned times = times_put(taken[i]);
                        assert_true(times <= 1 && (at != 0 || times == 1));
                        lost += times == 0;
                        if (times == 0) {
                            struct block *block = taken[i];
                            hak_heap_return_remote(heaps[entry_heap_id(page_map_flat_get(block))], &block, 1);
                        }
                    }
                    heaps_empty_transfers();
                    assert_int_equal(hak_view.active_bytes, 0);
                }
            }
        }
    }
    assert_true(lost > 0); /* or the handler never came in between */
}

static int start(void **state) {
    (void)state;
    return heaps_start() ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_block_is_put_twice)};
    return cmocka_run_group_tests(tests, start, NULL);
}
