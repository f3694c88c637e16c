/* queue.h
 * Purpose.     Hands blocks from one thread to another, first in, first out.
 * Design.      A ring with a lock and no memory of its own, bounded in blocks and in bytes, so that it can never hold
 *              more of the machine's memory than the test means to.
 * Concurrency. Any thread, any function.
 */
#ifndef STRESS_QUEUE_H
#define STRESS_QUEUE_H

#include "shadow.h"

#include <pthread.h>

enum { QUEUE_CAPACITY = 256 };

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned first;
    unsigned count;
    size_t bytes;
    size_t max_bytes;
    struct block blocks[QUEUE_CAPACITY];
};

void queue_init(struct queue *queue, size_t max_bytes);

/* False if there is no room, or no block. */
bool queue_put(struct queue *queue, const struct block *block);
bool queue_take(struct queue *queue, struct block *block);

/* The same, but they wait. */
void queue_put_wait(struct queue *queue, const struct block *block);
void queue_take_wait(struct queue *queue, struct block *block);

#endif
