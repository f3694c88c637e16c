/* shadow.h
 * Purpose.     What the stress tests believe about every live block, and the checks that compare it with the truth.
 * Design.      A block is filled with a pattern that follows from its id, up to its usable size. One bit per 16 bytes
 *              of address space says whether a live block covers them, for all threads together, so two blocks that
 *              share a byte are found when the second one is born, whoever owns the first. The shadow takes its own
 *              memory from mmap: it must not depend on the allocator that it judges.
 * Invariants.  The bits of a block are set exactly while it is live: from after its allocation to before its release.
 * Concurrency. The map may be used by any thread; a struct block belongs to one thread at a time.
 * Not here.    What to do with the blocks (the *_test.c files), how to break an allocator (broken.c).
 */
#ifndef STRESS_SHADOW_H
#define STRESS_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#define SHADOW_HAS_FEATURE(x) __has_feature(x)
#else
#define SHADOW_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_THREAD__) || SHADOW_HAS_FEATURE(thread_sanitizer)
#define SHADOW_TSAN 1
#else
#define SHADOW_TSAN 0
#endif

/* True in builds that run many times slower: the default amounts of work are divided by it. */
#if SHADOW_TSAN || defined(__SANITIZE_ADDRESS__) || SHADOW_HAS_FEATURE(address_sanitizer)
#define SHADOW_SLOW_BUILD 1
#else
#define SHADOW_SLOW_BUILD 0
#endif

/* Why a run failed. Also the exit status, so that the self-test can tell which check spoke. */
enum shadow_fault {
    FAULT_NONE = 0,
    FAULT_TEST = 1,  /* the test itself: no threads, no memory for the shadow */
    FAULT_NULL = 10, /* a request that must succeed got NULL */
    FAULT_ALIGNMENT, /* less aligned than 16 or than asked for */
    FAULT_OVERLAP,   /* shares bytes with another live block */
    FAULT_CONTENTS,  /* does not hold what was written */
    FAULT_NOT_ZERO,  /* calloc with something in it */
    FAULT_KEPT,      /* realloc lost what was in the block */
    FAULT_USABLE,    /* usable size too small, or not the one of before */
    FAULT_OWNS,      /* hak_owns denies a live block */
    FAULT_MEMORY,    /* memory that must go back to the system stays resident */
    FAULT_HANG,      /* did not come to an end */
    FAULT_COUNT,     /* blocks lost or invented on the way between threads */
};

/* The functions under test: hakmem's own, or those of a broken shim around them. */
struct allocator {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *ptr, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    size_t (*usable_size)(const void *ptr);
    void (*free)(void *ptr); /* NULL: any of hakmem's that fits the block */
    bool exact_usable;       /* malloc(n) has hak_good_size(n) usable bytes */
};

extern const struct allocator shadow_hakmem;

/* How a block was asked for: decides which sized free is the right one. */
enum block_origin { ORIGIN_PLAIN, ORIGIN_ALIGNED };

struct block {
    unsigned char *ptr; /* NULL: no block */
    size_t size;        /* as requested, by the last call */
    size_t usable;
    size_t alignment;
    uint64_t id; /* its pattern */
    enum block_origin origin;
};

/* Says what is wrong on stderr and ends the process with `fault` as its status. */
_Noreturn void shadow_fail(enum shadow_fault fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line on stdout, unbuffered, since a run may end in any line. */
void shadow_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The allocations: they check the result, mark and fill it. `id` must be unique among live blocks for the pattern to
 * tell them apart. */
struct block shadow_malloc(const struct allocator *allocator, size_t size, uint64_t id);
struct block shadow_calloc(const struct allocator *allocator, size_t count, size_t size, uint64_t id);
struct block shadow_aligned(const struct allocator *allocator, size_t alignment, size_t size, uint64_t id);

/* Reallocates a live block to `size` > 0, checks that the contents moved along, and fills it as block `id`. */
void shadow_realloc(const struct allocator *allocator, struct block *block, size_t size, uint64_t id);

/* Takes a pointer that some other call returned into the model. */
struct block shadow_adopt(const struct allocator *allocator, void *ptr, size_t size, size_t alignment, uint64_t id);

/* Contents, usable size and ownership of a live block. */
void shadow_check(const struct allocator *allocator, const struct block *block);

/* The same, then forgets the block: the caller frees the returned pointer, by whatever free it likes. */
void *shadow_release(const struct allocator *allocator, struct block *block);

/* shadow_release, and the free of the allocator or the one that `choice` picks. */
void shadow_free(const struct allocator *allocator, struct block *block, uint64_t choice);

/* Zeroed memory from mmap. */
void *shadow_map(size_t bytes);

/* A positive whole number from the environment, or `otherwise`. */
uint64_t shadow_env(const char *name, uint64_t otherwise);

/* A small random generator (splitmix64): the same numbers for the same start, on every machine. */
static inline uint64_t shadow_random(uint64_t *state) {
    uint64_t x = (*state += 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A request size as programs make them: mostly small, all tiers, and the edges of the tiers far more often than
 * chance would have it. At most 64 MiB and a byte. */
size_t shadow_pick_size(uint64_t *state);

#endif
