/* queue.c
 * Purpose.     The queue of queue.h.
 */
#include "queue.h"

void queue_init(struct queue *queue, size_t max_bytes) {
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->first = 0;
    queue->count = 0;
    queue->bytes = 0;
    queue->max_bytes = max_bytes;
}

/* An empty queue takes a block of any size, or such a block could never pass. */
static bool has_room(const struct queue *queue, const struct block *block) {
    return queue->count == 0 || (queue->count < QUEUE_CAPACITY && queue->bytes + block->usable <= queue->max_bytes);
}

static void put_locked(struct queue *queue, const struct block *block) {
    queue->blocks[(queue->first + queue->count) % QUEUE_CAPACITY] = *block;
    queue->count++;
    queue->bytes += block->usable;
    pthread_cond_broadcast(&queue->changed);
}

static void take_locked(struct queue *queue, struct block *block) {
    *block = queue->blocks[queue->first];
    queue->first = (queue->first + 1) % QUEUE_CAPACITY;
    queue->count--;
    queue->bytes -= block->usable;
    pthread_cond_broadcast(&queue->changed);
}

bool queue_put(struct queue *queue, const struct block *block) {
    pthread_mutex_lock(&queue->lock);
    bool room = has_room(queue, block);
    if (room) {
        put_locked(queue, block);
    }
    pthread_mutex_unlock(&queue->lock);
    return room;
}

bool queue_take(struct queue *queue, struct block *block) {
    pthread_mutex_lock(&queue->lock);
    bool any = queue->count > 0;
    if (any) {
        take_locked(queue, block);
    }
    pthread_mutex_unlock(&queue->lock);
    return any;
}

void queue_put_wait(struct queue *queue, const struct block *block) {
    pthread_mutex_lock(&queue->lock);
    while (!has_room(queue, block)) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    put_locked(queue, block);
    pthread_mutex_unlock(&queue->lock);
}

void queue_take_wait(struct queue *queue, struct block *block) {
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    take_locked(queue, block);
    pthread_mutex_unlock(&queue->lock);
}
