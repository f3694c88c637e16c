/* bench/workload/asymmetric.c
 * Models.      One that reads, many that work: a single thread makes all blocks of SIZE bytes, THREADS threads free
 *              them. Nothing that is freed can be used again where it was freed.
 * Design.      Each worker has a mailbox for one batch of 256 blocks; the maker serves them in turn. Who finds a
 *              mailbox not ready yields.
 * Cannot show. The opposite, many that make and one that frees: for most allocators the cheaper direction.
 */
#include "../harness.h"

#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { BOX_SIZE = 256 };

struct mailbox {
    alignas(64) _Atomic bool full;
    void *block[BOX_SIZE];
};

static struct mailbox boxes[THREADS_LIMIT];
static uint64_t boxes_each;
static size_t block_size;

static void wait_until(struct mailbox *box, bool full) {
    while (atomic_load_explicit(&box->full, memory_order_acquire) != full)
        sched_yield();
}

static void make(void) {
    for (uint64_t round = 0; round < boxes_each; round++)
        for (unsigned worker = 0; worker < thread_count; worker++) {
            struct mailbox *box = &boxes[worker];
            wait_until(box, false);
            for (unsigned i = 0; i < BOX_SIZE; i++) {
                box->block[i] = malloc(block_size);
                use_block(box->block[i]);
            }
            atomic_store_explicit(&box->full, true, memory_order_release);
        }
}

/* Index 0 is the maker. */
static void body(unsigned index) {
    if (index == 0) {
        make();
        return;
    }
    struct mailbox *box = &boxes[index - 1];
    for (uint64_t round = 0; round < boxes_each; round++) {
        wait_until(box, true);
        for (unsigned i = 0; i < BOX_SIZE; i++)
            free(box->block[i]);
        atomic_store_explicit(&box->full, false, memory_order_release);
    }
}

static void setup(size_t size) {
    block_size = size;
}

static uint64_t run(uint64_t pairs) {
    uint64_t per_round = (uint64_t)BOX_SIZE * thread_count;
    boxes_each = (pairs + per_round - 1) / per_round;
    run_threads(thread_count + 1, body);
    return boxes_each * per_round;
}

WORKLOAD(asymmetric) = {
    .name = "asymmetric",
    .suite = "threads",
    .summary = "one thread makes all blocks of SIZE bytes, THREADS others free them",
    .sizes = {64, 1024},
    .threads = {1, 4},
    .pairs = 500000,
    .warm_pairs = 10000,
    .setup = setup,
    .run = run,
};
