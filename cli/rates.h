/* rates.h
 * Purpose.     What follows from two looks at a process, and from many: rates, tables in order, a history.
 * Design.      Plain functions over plain structs, so a test can feed them without a process or a terminal. `before` is
 *              NULL where there has been one look only; rates are then 0.
 */
#ifndef HAK_CLI_RATES_H
#define HAK_CLI_RATES_H

#include "look.h"

/* Per second. */
struct rates {
    double allocations, frees; // blocks
    double allocated_bytes;
    double refills;
    double purged_bytes;
};

struct rates rates_between(const struct look *before, const struct look *after);

struct tier_row {
    double allocations, frees; // per second
    uint64_t live_blocks, live_bytes;
};

struct tier_row rates_of_tier(const struct look *before, const struct look *after, unsigned tier);

struct class_row {
    uint32_t block_bytes;
    uint64_t live_bytes, live_blocks, slabs;
    double calls;          // allocations and frees per second
    uint64_t unused_bytes; // in slabs and not live
    double unused_percent; // of what is in slabs
};

enum class_order { ORDER_LIVE, ORDER_CALLS, ORDER_UNUSED, ORDER_SIZE, ORDER_COUNT };

/* The size classes that have slabs or were ever used, in this order, the largest first unless `ascending`; how many. */
size_t rates_of_classes(const struct look *before, const struct look *after, enum class_order order, bool ascending,
                        struct class_row row[HAK_CLASS_COUNT]);

struct thread_row {
    const struct look_thread *thread;
    double allocations, frees; // per second; 0 for a thread that the look before did not see
};

/* The threads with the most calls per second first, as many as the look has. The caller frees them. */
struct thread_row *rates_of_threads(const struct look *before, const struct look *after);

/* What a process had at its last looks, the oldest first. */
#define HISTORY_MAX 600u
enum curve { CURVE_RSS, CURVE_LIVE, CURVE_COUNT };

struct history {
    size_t count;
    struct sample {
        double at;
        uint64_t bytes[CURVE_COUNT];
    } sample[HISTORY_MAX];
};

void history_add(struct history *history, const struct look *look);

/* Column `i` of `columns`, into which the samples are divided evenly: the largest of its samples. `columns` is at most
 * their number. */
uint64_t history_column(const struct history *history, enum curve curve, size_t i, size_t columns);

#endif
