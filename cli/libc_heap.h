/* libc_heap.h
 * Purpose.     Whether libc's own malloc was ever used in a process.
 * Design.      Its arenas stay once they were used, so the end of a process tells about its whole life, also about a
 *              plugin that was unloaded before. The main arena lies in libc's data and says how much it has had; those
 *              of other threads start with a record of fixed layout at a multiple of 64 MiB. Where the main arena is
 *              not found (another version of libc), the [heap] mapping counts, which other allocators may grow too.
 */
#ifndef HAK_CLI_LIBC_HEAP_H
#define HAK_CLI_LIBC_HEAP_H

#include "object.h"

/* Bytes that libc's main arenas have had at most; those of [heap] if an arena cannot be found. */
uint64_t libc_heap_bytes(struct target *target, const struct object_list *objects);

/* Bytes of libc's heaps for other threads. */
uint64_t libc_thread_heap_bytes(struct target *target);

#endif
