/* model.c
 * Purpose.     Random operations of all kinds and sizes on several threads, each checked by shadow.h.
 * Design.      Every thread draws its operations from its own generator, so the sequence of a thread depends on the
 *              seed alone, and only the interleaving on the machine. Blocks handed to another thread are checked and
 *              freed there without a draw. In each round new threads take over the live blocks of the threads before.
 * Concurrency. The mailboxes are shared; everything else belongs to one thread, or to the caller while no thread runs.
 */
#include "model.h"
#include "queue.h"

#include "hakmem.h"

#include <pthread.h>
#include <string.h>

enum {
    SLOT_COUNT = 4096,
    ROUND_COUNT = 3,
    POLL_OPS = 64,     /* how often a thread looks into its mailbox */
    TRIM_OPS = 200000, /* how often one calls hak_trim */
};

static const size_t MAILBOX_BYTES = (size_t)64 << 20;
static const size_t THREAD_BYTES = (size_t)192 << 20;

struct worker {
    const struct allocator *allocator;
    struct worker *all;
    unsigned index;
    unsigned thread_count;
    uint64_t random;
    uint64_t ops;
    uint64_t next_id;
    size_t live_bytes;
    uint64_t sent;
    uint64_t received;
    struct queue mailbox;
    struct block slots[SLOT_COUNT];
};

/* ---- handing over ---- */

/* A received block is freed, or reallocated first, as its own id decides. */
static void receive_all(struct worker *worker) {
    struct block block;
    while (queue_take(&worker->mailbox, &block)) {
        uint64_t choice = block.id * 0x9e3779b97f4a7c15u >> 32;
        if (choice % 16 == 0) {
            shadow_realloc(worker->allocator, &block, block.size / 2 + 1, block.id);
        }
        shadow_free(worker->allocator, &block, choice >> 8);
        worker->received++;
    }
}

static void hand_over(struct worker *worker, struct block *block, uint64_t random) {
    struct worker *to = &worker->all[random % worker->thread_count];
    worker->live_bytes -= block->usable;
    if (queue_put(&to->mailbox, block)) {
        worker->sent++;
    } else {
        shadow_free(worker->allocator, block, random >> 8);
    }
    block->ptr = NULL;
}

/* ---- operations ---- */

static size_t pick_size(struct worker *worker) {
    size_t size = shadow_pick_size(&worker->random);
    return worker->live_bytes + size <= THREAD_BYTES ? size : size % 1024;
}

static struct block allocate(struct worker *worker, uint64_t random) {
    const struct allocator *allocator = worker->allocator;
    size_t size = pick_size(worker);
    uint64_t id = worker->next_id++ << 8 | worker->index;
    unsigned kind = random % 100;
    if (kind < 60) {
        return shadow_malloc(allocator, size, id);
    }
    if (kind < 75) {
        size_t count = (random >> 8) % 8 == 0 ? 1 : 1 + (random >> 12) % 16;
        return shadow_calloc(allocator, count, (size + count - 1) / count, id);
    }
    if (kind < 85) {
        /* 1 B to 16 KiB for the most part, now and then up to 8 MiB. */
        size_t alignment = (size_t)1 << ((random >> 8) % 64 == 0 ? (random >> 16) % 24 : (random >> 16) % 15);
        return shadow_aligned(allocator, alignment, size, id);
    }
    if (kind < 90) {
        return shadow_adopt(allocator, allocator->realloc(NULL, size), size, 16, id);
    }
    if (allocator->free != NULL) {
        return shadow_malloc(allocator, size, id);
    }
    if (kind < 95) {
        return shadow_adopt(allocator, hak_alloc_at(size, HAK_CALLSITE()), size, 16, id);
    }
    return shadow_adopt(allocator, hak_reallocarray(NULL, size / 8 + 1, 8), size / 8 * 8 + 8, 16, id);
}

/* Mostly by steps, as growing buffers do; sometimes to any size. */
static void reallocate(struct worker *worker, struct block *block, uint64_t random) {
    size_t size;
    switch (random % 8) {
    case 0:
    case 1:
        size = pick_size(worker);
        break;
    case 2:
    case 3:
        size = block->size - block->size / (2 + (random >> 8) % 8);
        break;
    case 4:
        size = block->size + 1 + (random >> 8) % 64;
        break;
    default:
        size = block->size + block->size / (1 + (random >> 8) % 8) + 1;
    }
    if (worker->live_bytes + size > THREAD_BYTES) {
        size = block->size / 2;
    }
    worker->live_bytes -= block->usable;
    shadow_realloc(worker->allocator, block, size > 0 ? size : 1, block->id + ((uint64_t)1 << 48));
    worker->live_bytes += block->usable;
}

static void step(struct worker *worker) {
    uint64_t random = shadow_random(&worker->random);
    struct block *block = &worker->slots[random % SLOT_COUNT];
    random >>= 12;
    unsigned kind = random % 100;
    random >>= 8;
    if (block->ptr == NULL) {
        *block = allocate(worker, random);
        worker->live_bytes += block->usable;
    } else if (kind < 50) {
        worker->live_bytes -= block->usable;
        shadow_free(worker->allocator, block, random);
    } else if (kind < 70) {
        reallocate(worker, block, random);
    } else if (kind < 85) {
        hand_over(worker, block, random);
    } else {
        shadow_check(worker->allocator, block);
    }
}

/* ---- runs ---- */

static void *work(void *argument) {
    struct worker *worker = argument;
    for (uint64_t done = 0; done < worker->ops; done++) {
        step(worker);
        if (done % POLL_OPS == 0) {
            receive_all(worker);
        }
        if (worker->index == 0 && done % TRIM_OPS == TRIM_OPS - 1) {
            (void)hak_trim();
        }
    }
    return NULL;
}

static void run_round(struct worker *workers, unsigned thread_count) {
    pthread_t threads[MODEL_MAX_THREADS];
    for (unsigned i = 0; i < thread_count; i++) {
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
            shadow_fail(FAULT_TEST, "no thread %u", i);
        }
    }
    for (unsigned i = 0; i < thread_count; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Every worker takes over the slots of its neighbour, whose thread has ended. */
static void shift_slots(struct worker *workers, unsigned thread_count) {
    struct block *spare = shadow_map(sizeof workers->slots);
    memcpy(spare, workers[0].slots, sizeof workers->slots);
    size_t spare_bytes = workers[0].live_bytes;
    for (unsigned i = 0; i + 1 < thread_count; i++) {
        memcpy(workers[i].slots, workers[i + 1].slots, sizeof workers->slots);
        workers[i].live_bytes = workers[i + 1].live_bytes;
    }
    memcpy(workers[thread_count - 1].slots, spare, sizeof workers->slots);
    workers[thread_count - 1].live_bytes = spare_bytes;
}

/* Frees everything and compares the ledgers. Returns the number of blocks that were handed over. */
static uint64_t finish(struct worker *workers, unsigned thread_count) {
    uint64_t sent = 0;
    uint64_t received = 0;
    for (unsigned i = 0; i < thread_count; i++) {
        struct worker *worker = &workers[i];
        receive_all(worker);
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
            struct block *block = &worker->slots[slot];
            if (block->ptr != NULL) {
                worker->live_bytes -= block->usable;
                shadow_free(worker->allocator, block, shadow_random(&worker->random));
            }
        }
        sent += worker->sent;
        received += worker->received;
        if (worker->live_bytes != 0) {
            shadow_fail(FAULT_COUNT, "worker %u: %zu bytes are left over", i, worker->live_bytes);
        }
    }
    if (sent != received) {
        shadow_fail(FAULT_COUNT, "%llu blocks sent, %llu received", (unsigned long long)sent,
                    (unsigned long long)received);
    }
    return sent;
}

uint64_t model_run(const struct allocator *allocator, uint64_t seed, uint64_t ops, unsigned thread_count) {
    struct worker *workers = shadow_map(thread_count * sizeof *workers);
    for (unsigned i = 0; i < thread_count; i++) {
        struct worker *worker = &workers[i];
        worker->allocator = allocator;
        worker->all = workers;
        worker->index = i;
        worker->thread_count = thread_count;
        worker->random = seed + i * 0x632be59bd9b4e019u;
        worker->ops = ops / thread_count / ROUND_COUNT + 1;
        queue_init(&worker->mailbox, MAILBOX_BYTES);
    }
    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        run_round(workers, thread_count);
        shift_slots(workers, thread_count);
    }
    return finish(workers, thread_count);
}
