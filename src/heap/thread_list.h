/* heap/thread_list.h
 * Purpose.     All thread records and all heaps: who uses which, what the finished and the vanished left.
 * Design.      Records are chained from hak_view.threads and stay there. What a thread leaves in its caches is mostly
 *              little, and just what the next one will want: its record waits, warm, for that one. A few records do so
 *              and not for long; then they are emptied, and wait cold. A cold record, or a new one, gets the heap that
 *              fewest threads use (doc/decisions/009).
 *              The child of a fork has records of threads that do not exist in it: their lists are whole at any moment
 *              (thread_cache.h changes one word at a time), so the child adopts their blocks, but only when it does its
 *              chores: most children exec at once.
 * Concurrency. One lock, the first in the order. An entry of `hak_heaps` is const once a page map entry names it.
 */
#ifndef HAK_HEAP_THREAD_LIST_H
#define HAK_HEAP_THREAD_LIST_H

#include "heap/thread.h"

/* By id; id 0 is nobody. */
extern struct heap *hak_heaps[HAK_HEAPS_MAX + 1];

/* A record with a heap, empty or warm, chained and marked with the caller's thread id; NULL if memory is out. */
struct thread *hak_thread_list_add(void);

/* Makes the record of a thread that has ended, and has been emptied, available to another one. */
void hak_thread_list_remove(struct thread *thread);

/* Some heap, for a caller without a record; NULL if memory is out. */
struct heap *hak_thread_list_any_heap(void);

/* The same for a record that has not been emptied: its caches are left for that thread. False, with nothing done, if
 * enough records wait like that. */
bool hak_thread_list_remove_warm(struct thread *thread) NODISCARD;

/* True if there is such a record. A hint. */
bool hak_thread_list_is_warm(void);

/* After a fork, in the child: takes over what the vanished threads held. */
void hak_thread_list_adopt(void);

/* Empties a record that has been warm for a quarter of the purge delay, if there is one; does not wait for the lock. */
void hak_thread_list_tick(void);

/* Sends home some of what has not been wanted in the transfer caches for a quarter of the purge delay; does not wait
 * for the lock. True if more is due at once. */
bool hak_thread_list_cool(void);

/* Empties the warm records, the transfer caches and the pending stacks of all heaps. */
void hak_thread_list_collect(void);

#if HAK_STATS
/* The sum of a debug counter over all threads. */
uint64_t hak_thread_list_counter(enum hak_counter counter);
#endif

/* thread.c: returns all blocks of a record; those of its lists to others that may want them, if `wanted`. */
void hak_thread_empty(struct thread *thread, bool wanted);

#endif
