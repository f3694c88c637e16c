/* api/entry.h
 * Purpose.     The functions behind those exported names that hakmem.h has no function for: memalign and its kin,
 *              the malloc_ and mall- family. override/libc.c gives each of them its name in the C library.
 * Design.      One function per exported name and each with exactly the exported type, so that the name can be an
 *              alias and costs no jump. What hakmem.h declares (hak_malloc, hak_free, ...) is aliased directly.
 *              Where the standards leave a choice the answer is glibc's.
 * Concurrency. Any thread, as hakmem.h says.
 * Not here.    Names (override/). What inlines into operator new and delete (api/fast.h).
 */
#ifndef HAK_API_ENTRY_H
#define HAK_API_ENTRY_H

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>

/* As hak_aligned_alloc, but an alignment that is no power of two is rounded up to one. NULL with EINVAL if that
 * is above SIZE_MAX / 2 + 1, with ENOMEM as hak_malloc. */
void *hak_entry_memalign(size_t alignment, size_t size);

/* Page-aligned. */
void *hak_entry_valloc(size_t size);

/* Page-aligned, `size` rounded up to whole pages. NULL with ENOMEM if the rounding overflows. */
void *hak_entry_pvalloc(size_t size);

/* 0 and the block in *block; EINVAL if `alignment` is no power of two or no multiple of sizeof(void *); ENOMEM where
 * hak_malloc would fail. Failure leaves *block alone. errno is left alone always. */
int hak_entry_posix_memalign(void **block, size_t alignment, size_t size);

/* hak_free under the name that SVID gave it. */
void hak_entry_cfree(void *ptr);

/* malloc_trim: 1 if memory went back to the system, else 0. `pad` is glibc's slack at the top of its heap; hakmem has
 * no such top. */
int hak_entry_malloc_trim(size_t pad);

/* mallopt: 1 if `parameter` means something here and `value` was taken, else 0. */
int hak_entry_mallopt(int parameter, int value);

/* hakmem's own numbers in glibc's fields; the one with int fields holds them at INT_MAX where they do not fit. */
struct mallinfo hak_entry_mallinfo(void);
struct mallinfo2 hak_entry_mallinfo2(void);

/* malloc_stats: a readable summary on stderr. */
void hak_entry_malloc_stats(void);

/* malloc_info: the numbers as XML on `stream`. 0, or EINVAL if `options` is not 0, as the return value. */
int hak_entry_malloc_info(int options, FILE *stream);

#endif
