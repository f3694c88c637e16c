/* hakmem.h
 * The public interface of hakmem, a memory allocator for Linux.
 *
 * A program that is preloaded or linked with hakmem needs nothing of this file: malloc, free, operator new and the
 * rest are hakmem's already. It adds what the C library has no name for: call-sites, good sizes, ownership, numbers and
 * options.
 *
 * Every function may be called from any thread at any time after the program's loader has mapped the library, also
 * before constructors and after thread-local destructors; none is async-signal-safe. All sizes are bytes. A block may
 * be freed by any thread and by any free function of this file or of the C library: they are the same functions.
 */
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAK_VERSION_MAJOR 0
#define HAK_VERSION_MINOR 1
#define HAK_VERSION_PATCH 0

#if defined(__GNUC__)
#define HAK_API __attribute__((visibility("default")))
#define HAK_MALLOC_LIKE __attribute__((malloc, warn_unused_result))
#define HAK_ALLOC_SIZE(...) __attribute__((alloc_size(__VA_ARGS__)))
#else
#define HAK_API
#define HAK_MALLOC_LIKE
#define HAK_ALLOC_SIZE(...)
#endif

/* A place in the source that allocates. Its address is its identity, so it has to live as long as the program. */
typedef struct hak_site {
    const char *file;
    const char *function;
    unsigned line;
} hak_site_t;

/* How a call-site travels: a pointer to its description, or NULL for "not known". */
typedef const hak_site_t *hak_callsite_t;

/* The call-site of the line that it stands on. One constant per use, nothing computed at run time. */
#ifdef __cplusplus
#define HAK_CALLSITE()                                                                                                 \
    ([](const char *hak_function) -> hak_callsite_t {                                                                  \
        static const hak_site_t hak_site = {__FILE__, hak_function, __LINE__};                                         \
        return &hak_site;                                                                                              \
    }(__func__))
#else
#define HAK_CALLSITE()                                                                                                 \
    (__extension__({                                                                                                   \
        static const hak_site_t hak_site = {__FILE__, __func__, __LINE__};                                             \
        (hak_callsite_t) & hak_site;                                                                                   \
    }))
#endif

/* At least `size` bytes, aligned to 16, contents undefined. `size` 0 gives a block of its own.
 * NULL with errno ENOMEM if `size` is above PTRDIFF_MAX or no memory can be had. */
HAK_API void *hak_malloc(size_t size) HAK_MALLOC_LIKE HAK_ALLOC_SIZE(1);

/* `count * size` bytes, all zero. NULL with ENOMEM as hak_malloc, and if the product overflows. */
HAK_API void *hak_calloc(size_t count, size_t size) HAK_MALLOC_LIKE HAK_ALLOC_SIZE(1, 2);

/* The block with its first min(old, new) bytes kept; the old pointer is dead if the result is not NULL.
 * `ptr` NULL is hak_malloc(size). `size` 0 with a block frees it and returns NULL, as glibc does.
 * NULL with ENOMEM as hak_malloc; the old block is then untouched. */
HAK_API void *hak_realloc(void *ptr, size_t size) HAK_ALLOC_SIZE(2);

/* hak_realloc(ptr, count * size); NULL with ENOMEM, the block untouched, if the product overflows. */
HAK_API void *hak_reallocarray(void *ptr, size_t count, size_t size) HAK_ALLOC_SIZE(2, 3);

/* As hak_malloc, aligned to `alignment`. NULL with EINVAL if that is no power of two. */
HAK_API void *hak_aligned_alloc(size_t alignment, size_t size) HAK_MALLOC_LIKE HAK_ALLOC_SIZE(2);

/* Returns a block to hakmem. NULL is ignored. errno is kept. A pointer that is not a live block of hakmem's is an
 * error of the caller: one line on stderr, then abort (see HAKMEM_ON_ERROR in doc/OPTIONS.md). */
HAK_API void hak_free(void *ptr);

/* hak_free for a block whose requested size (the last one, if it was reallocated) the caller knows. A size that the
 * block cannot have been requested with, larger than it or more than 9 bytes short of five eighths of it, is an error
 * of the caller, reported as in hak_free. */
HAK_API void hak_free_sized(void *ptr, size_t size);

/* hak_free_sized for a block that was requested with an alignment. */
HAK_API void hak_free_aligned_sized(void *ptr, size_t alignment, size_t size);

/* hak_malloc and hak_free that carry their call-site to the slow path, where the profiler may use it.
 * The fast path is that of hak_malloc and hak_free: the site costs nothing there. */
HAK_API void *hak_alloc_at(size_t size, hak_callsite_t site) HAK_MALLOC_LIKE HAK_ALLOC_SIZE(1);
HAK_API void hak_free_at(void *ptr, hak_callsite_t site);

/* The bytes that a request of `size` really gets: asking for that many costs no more memory.
 * `size` itself if it cannot be served at all (above PTRDIFF_MAX). */
HAK_API size_t hak_good_size(size_t size);

/* The bytes that may be used at `ptr`, constant until the block is freed or reallocated. 0 for NULL and for a pointer
 * that is not hakmem's. */
HAK_API size_t hak_usable_size(const void *ptr);

/* Gives back to the system what hakmem holds and does not use: this thread's cache, blocks on their way to other
 * heaps, empty slabs, retained pages. True if any memory went back. Takes every heap's lock in turn: no hot code. */
HAK_API bool hak_trim(void);

/* Has `callback` called when what hakmem uses goes above the soft limit (`hard` 0), and when it refuses memory because
 * of the hard one (`hard` 1); see HAKMEM_LIMIT in doc/OPTIONS.md. NULL: no call. It is called once, and again only
 * after the use was an eighth below that limit; by the thread that went there, from within its call of malloc or the
 * like, which holds no lock of hakmem's. It may allocate and free: what it frees at the hard limit serves the call that
 * was refused. It must return. */
HAK_API void hak_limit_callback(void (*callback)(size_t bytes_in_use, size_t limit, int hard));

/* True if `ptr` points at or into memory that hakmem has handed out or could hand out as a block; of a block above
 * 16 GiB only the first 16 GiB are recognised. Reads nothing at `ptr`: any pointer value may be asked about. */
HAK_API bool hak_owns(const void *ptr);

/* The numbers that hakmem keeps, as they are now: exact when the program's threads are quiet, off by calls in flight
 * otherwise. `size` and `version` of *stats have to be set (hakmem_stats.h). Takes no lock, calls no malloc. 0, or -1
 * with EINVAL if they are not those of a hak_stats_t that the library can fill, or ENOMEM, which only a program built
 * with an earlier header can meet; nothing is written then. */
typedef struct hak_stats hak_stats_t;
HAK_API int hak_stats_get(hak_stats_t *stats);

/* Prints them to a file descriptor, as an enum hak_stats_format. Takes no lock, calls no malloc. 0, or -1 with errno:
 * EINVAL for another format, ENOMEM, or what write said. */
HAK_API int hak_stats_print(int fd, int format);

/* Reads the option `name` ("purge_delay", see doc/OPTIONS.md) into *was, if that is not NULL, and then sets it to
 * *value, if that is not NULL; the value of an option that has words is the word's place among them, the first is 0.
 * 0, or -1 with nothing changed and errno ENOENT: no such option; EPERM: it is only read at the start; EINVAL: a value
 * that it cannot have, or `name` NULL. */
HAK_API int hak_ctl(const char *name, int64_t *was, const int64_t *value);

/* "major.minor.patch" of the library that serves the calls, which may be newer than this header. */
HAK_API const char *hak_version(void);

#ifdef __cplusplus
}
#endif
#endif
