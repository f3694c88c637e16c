/* override/libc.c
 * Purpose.     The C library's names of the allocator.
 * Design.      Every name under which glibc exports an allocation function, so that no block of its heap can reach
 *              our free. The __libc_ names are weak: in a fully static program the C library's own object may have
 *              to be linked for other reasons, and two strong definitions would not link.
 * Not here.    Any logic: api/ has it. C++ (cxx.c).
 */
#include "api/entry.h"
#include "override/alias.h"

/* clang-format off */
HAK_NAME(malloc,             HAK_STRONG, hak_malloc,       void *, (size_t size),                 (size))
HAK_NAME(calloc,             HAK_STRONG, hak_calloc,       void *, (size_t count, size_t size),   (count, size))
HAK_NAME(realloc,            HAK_STRONG, hak_realloc,      void *, (void *ptr, size_t size),      (ptr, size))
HAK_NAME(reallocarray,       HAK_STRONG, hak_reallocarray, void *, (void *ptr, size_t count, size_t size),
                                                                   (ptr, count, size))
HAK_NAME(aligned_alloc,      HAK_STRONG, hak_aligned_alloc, void *, (size_t alignment, size_t size), (alignment, size))
HAK_NAME(memalign,           HAK_STRONG, hak_entry_memalign, void *, (size_t alignment, size_t size), (alignment, size))
HAK_NAME(posix_memalign,     HAK_STRONG, hak_entry_posix_memalign, int, (void **block, size_t alignment, size_t size),
                                                                        (block, alignment, size))
HAK_NAME(valloc,             HAK_STRONG, hak_entry_valloc,  void *, (size_t size), (size))
HAK_NAME(pvalloc,            HAK_STRONG, hak_entry_pvalloc, void *, (size_t size), (size))

HAK_NAME_VOID(free,               HAK_STRONG, hak_free,               (void *ptr),              (ptr))
HAK_NAME_VOID(cfree,              HAK_STRONG, hak_entry_cfree,        (void *ptr),              (ptr))
HAK_NAME_VOID(free_sized,         HAK_STRONG, hak_free_sized,         (void *ptr, size_t size), (ptr, size))
HAK_NAME_VOID(free_aligned_sized, HAK_STRONG, hak_free_aligned_sized, (void *ptr, size_t alignment, size_t size),
                                                                      (ptr, alignment, size))

HAK_NAME(malloc_usable_size, HAK_STRONG, hak_usable_size,        size_t, (const void *ptr), (ptr))
HAK_NAME(malloc_trim,        HAK_STRONG, hak_entry_malloc_trim,  int,    (size_t pad),      (pad))
HAK_NAME(mallopt,            HAK_STRONG, hak_entry_mallopt,      int,    (int parameter, int value), (parameter, value))
HAK_NAME(mallinfo,           HAK_STRONG, hak_entry_mallinfo,     struct mallinfo,  (void), ())
HAK_NAME(mallinfo2,          HAK_STRONG, hak_entry_mallinfo2,    struct mallinfo2, (void), ())
HAK_NAME(malloc_info,        HAK_STRONG, hak_entry_malloc_info,  int,    (int options, FILE *stream), (options, stream))
HAK_NAME_VOID(malloc_stats,  HAK_STRONG, hak_entry_malloc_stats, (void), ())

HAK_NAME(__libc_malloc,       HAK_WEAK, hak_malloc,         void *, (size_t size),                   (size))
HAK_NAME(__libc_calloc,       HAK_WEAK, hak_calloc,         void *, (size_t count, size_t size),     (count, size))
HAK_NAME(__libc_realloc,      HAK_WEAK, hak_realloc,        void *, (void *ptr, size_t size),        (ptr, size))
HAK_NAME(__libc_reallocarray, HAK_WEAK, hak_reallocarray,   void *, (void *ptr, size_t count, size_t size),
                                                                    (ptr, count, size))
HAK_NAME(__libc_memalign,     HAK_WEAK, hak_entry_memalign, void *, (size_t alignment, size_t size), (alignment, size))
HAK_NAME(__libc_valloc,       HAK_WEAK, hak_entry_valloc,   void *, (size_t size),                   (size))
HAK_NAME(__libc_pvalloc,      HAK_WEAK, hak_entry_pvalloc,  void *, (size_t size),                   (size))
HAK_NAME(__posix_memalign,    HAK_WEAK, hak_entry_posix_memalign, int, (void **block, size_t alignment, size_t size),
                                                                       (block, alignment, size))
HAK_NAME(__libc_mallopt,      HAK_WEAK, hak_entry_mallopt,  int,    (int parameter, int value), (parameter, value))
HAK_NAME(__libc_mallinfo,     HAK_WEAK, hak_entry_mallinfo, struct mallinfo, (void), ())
HAK_NAME_VOID(__libc_free,    HAK_WEAK, hak_free,           (void *ptr), (ptr))
/* clang-format on */
