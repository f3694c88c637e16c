/* base/config.h
 * Purpose.     The geometry of hakmem and its compile-time switches, in one place.
 * Design.      Plain constants, so that code says `if (HAK_X)` and every branch is compiled in every build. What must
 *              hold between them is asserted at the end of this file.
 * Not here.    What a user may set at run time (options.h).
 */
#ifndef HAK_BASE_CONFIG_H
#define HAK_BASE_CONFIG_H

#include <stdint.h>

#include "hakmem_stats.h"

/* Checks: 0 none, 1 cheap assertions, 2 the validators too. */
#ifndef HAK_DEBUG
#define HAK_DEBUG 0
#endif

/* Debug counters: 0 compiles them to nothing. */
#ifndef HAK_STATS
#define HAK_STATS 1
#endif

/* 1 when every source is compiled into one object: the C library's names are then aliases instead of calls. */
#ifndef HAK_UNITY
#define HAK_UNITY 0
#endif

/* Built with ThreadSanitizer: single-writer words are then accessed atomically, so that it can tell them from races. */
#if defined(__SANITIZE_THREAD__)
#define HAK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAK_TSAN 1
#endif
#endif
#ifndef HAK_TSAN
#define HAK_TSAN 0
#endif

#define HAK_ALIGNMENT 16

/* Requests of up to this many bytes belong to the tier; above HAK_LARGE_MAX is Huge. */
#define HAK_TINY_MAX 1024
#define HAK_MID_MAX 32768
#define HAK_LARGE_MAX (HAK_SUPERSLAB_SIZE / 2)

/* A granule is what the page map describes with one entry and the unit of slabs and Large blocks. A superslab is what
 * the arena hands out, and the unit of Huge blocks. */
#define HAK_GRANULE_SHIFT 16
#define HAK_GRANULE_SIZE ((uintptr_t)1 << HAK_GRANULE_SHIFT)
#define HAK_SUPERSLAB_SHIFT 22
#define HAK_SUPERSLAB_SIZE ((uintptr_t)1 << HAK_SUPERSLAB_SHIFT)
#define HAK_GRANULES (1u << (HAK_SUPERSLAB_SHIFT - HAK_GRANULE_SHIFT))

/* User addresses that the kernel gives out unasked. */
#if defined(__aarch64__)
#define HAK_ADDRESS_BITS 48
#else
#define HAK_ADDRESS_BITS 47
#endif

/* Reservations of address space: the first, and the largest that hakmem makes ahead of need. */
#define HAK_ARENA_MIN_BYTES ((uintptr_t)64 << 20)
#define HAK_ARENA_MAX_BYTES ((uintptr_t)1 << 30)

/* A Huge block of this size has a mapping of its own: the kernel can then grow and move it without copying, and one
 * mapping per 64 MiB is what we allow ourselves. */
#define HAK_DIRECT_MIN ((uintptr_t)64 << 20)

/* Space of Tiny slabs beyond so many bytes for each heap, and of Huge blocks beyond so many, asks for huge pages. */
#define HAK_HUGE_PAGE_HEAP_BYTES ((uint64_t)8 << 20)

/* Free pages held back from the kernel until their time is up: at most this many bytes, or a quarter of what is in
 * use, or several times what proved to be wanted back. */
#define HAK_RETAINED_MIN_BYTES ((uint64_t)32 << 20)

/* Size classes: 1..64 in steps of 16 B, then eight per doubling. Numbered so that a Tiny class is its size / 16. */
#define HAK_TINY_CLASSES 64
#define HAK_MID_CLASSES 40

/* Heaps, at most; and cpus whose threads share one. */
#define HAK_HEAPS_MAX 1023
#define HAK_HEAP_CPUS 2

/* Slow paths of a thread before it gets a record and caches of its own; the same where many threads have them. */
#define HAK_VISITS_MAX 16
#define HAK_VISITS_MANY 1024

/* A thread's caches may grow to this much in all. */
#define HAK_THREAD_CACHE_BYTES ((size_t)4 << 20)

/* So many threads, or one for each cpu if these are more, may have that. More share what these would have: each begins
 * with a part of its share, but not less than the least, and may grow by a part of what goes through it. Where others
 * have what a class would need to grow, it takes some of one of them each so many times, for which it looks at so many.
 */
#define HAK_CACHE_THREADS_MIN 64
#define HAK_CACHE_BEGIN_PART 128
#define HAK_CACHE_LEAST_BYTES ((size_t)8 << 10)
#define HAK_CACHE_EARNED_PART 16
#define HAK_CACHE_LOOKS_MAX 8
#define HAK_CACHE_SHORTAGES 8

/* Thread cache, per class: bytes it may grow to (a default), and blocks; bytes it starts with, where threads are few
 * and where they are many; blocks that it gives back in all to be within bounds again, at most; that it may be out of
 * bounds by, at most and at least, the part of the bytes that the thread may still cache, and the least of that, where
 * threads are few and where they are many; blocks that it gives back in one call; blocks that go in or out between
 * chores. */
#define HAK_CACHE_BYTES 1048576
#define HAK_CACHE_BLOCKS 4096
#define HAK_CACHE_START_BYTES 4096
#define HAK_CACHE_START_OF_MANY 1024
#define HAK_RETURN_MAX 256
#define HAK_EXCESS_MAX 2048
#define HAK_EXCESS_MIN 8
#define HAK_EXCESS_SHARE 24
#define HAK_EXCESS_BYTES 81920
#define HAK_EXCESS_OF_MANY 2048
#define HAK_FLUSH_MAX 96
#define HAK_CHORES_INTERVAL 1024

/* Chores look at each class once in so many times, whether the thread still uses it. */
#define HAK_SCAVENGE_CHORES 16

/* What the list of a class may hold that the thread frees more of than it takes: bytes, and blocks. If that is nothing,
 * so many blocks pass it before it is asked again. */
#define HAK_PASSING_BYTES 32768
#define HAK_PASSING_MIN 4
#define HAK_PASSING_MAX 62
#define HAK_PASSES 32

/* Blocks smaller than this share lines of the processor's cache with their neighbours, maybe others' data. A list
 * of so many has enough to choose another one from. */
#define HAK_NEIGHBOURS_BYTES 128
#define HAK_NEIGHBOURS_LIST 8

/* Cells that a list has at first, one of which stands below its addresses: 2^3. What one has room for that is left to
 * its record, for the next thread. */
#define HAK_LIST_SHIFT 3
#define HAK_LIST_KEPT 1023

/* A list into which a refill has brought another thread's blocks may hold this part of those bytes, and be out of
 * bounds by this part of what it might be, but hold so many blocks in any case; for so many refills. */
#define HAK_CIRCULATES_SHARE 32
#define HAK_CIRCULATES_EXCESS 8
#define HAK_CIRCULATES_BLOCKS 16
#define HAK_CIRCULATES_REFILLS 16

/* Blocks moved from a heap to a cache at once, and never more than half of what a list may hold, so that a program
 * that uses more in turns does not flush and refill for ever; blocks of all classes that pass lists and go on at once,
 * and of so many bytes. */
#define HAK_BATCH_MAX 128
#define HAK_OUTBOX_BLOCKS 127
#define HAK_OUTBOX_BYTES 262144

/* Blocks of a class that wait between two threads' caches, at most so many and of so many bytes. */
#define HAK_TRANSFER_BLOCKS 2048
#define HAK_TRANSFER_BYTES 262144

/* Of those that nobody wants, so many go home in one call. */
#define HAK_COOL_BLOCKS 512

/* What the caches of a thread that has ended may hold to be left for the next one; how many such records wait, two for
 * each cpu, at least and at most; and how many slow paths earn a thread one of them: those that hardly allocate should
 * not sit on it. */
#define HAK_WARM_BYTES 786432
#define HAK_WARM_MIN 4
#define HAK_WARM_MAX 32
#define HAK_WARM_VISITS 4

/* The largest limit of memory that may be asked for: 2^50. */
#define HAK_LIMIT_MAX 1125899906842624

/* What a thread may keep of the runs of its Large blocks: 2 MiB, in runs of 512 KiB at most. What a larger block is
 * used for takes so long that the way to the arena does not count. */
#define HAK_SPARE_GRANULES 32
#define HAK_SPARE_RUN_MAX 8

#define HAK_CACHE_LINE 64

_Static_assert(HAK_CLASS_COUNT == 1 + HAK_TINY_CLASSES + HAK_MID_CLASSES, "classes");
_Static_assert(HAK_TINY_CLASSES *HAK_ALIGNMENT == HAK_TINY_MAX, "a Tiny class is its size / 16");
_Static_assert(HAK_GRANULES == 64, "a superslab's granules fit one 64-bit word");
_Static_assert(HAK_MID_MAX * 8 <= HAK_LARGE_MAX, "a Mid slab is a fraction of a superslab");
_Static_assert(HAK_ARENA_MIN_BYTES % HAK_SUPERSLAB_SIZE == 0, "arenas are whole superslabs");

#endif
