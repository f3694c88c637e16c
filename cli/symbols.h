/* symbols.h
 * Purpose.     The symbols whose bindings are proof: every name by which a program can reach an allocator.
 * Design.      X(symbol, label). The label is what a report shows: the name as a programmer writes it. size_t is
 *              "unsigned long" in the mangled names, as on every 64-bit Linux.
 */
#ifndef HAK_CLI_SYMBOLS_H
#define HAK_CLI_SYMBOLS_H

#include <stdint.h>

#define ALLOCATION_SYMBOLS(X)                                                                                          \
    X("malloc", "malloc")                                                                                              \
    X("calloc", "calloc")                                                                                              \
    X("realloc", "realloc")                                                                                            \
    X("reallocarray", "reallocarray")                                                                                  \
    X("free", "free")                                                                                                  \
    X("cfree", "cfree")                                                                                                \
    X("free_sized", "free_sized")                                                                                      \
    X("free_aligned_sized", "free_aligned_sized")                                                                      \
    X("aligned_alloc", "aligned_alloc")                                                                                \
    X("posix_memalign", "posix_memalign")                                                                              \
    X("memalign", "memalign")                                                                                          \
    X("valloc", "valloc")                                                                                              \
    X("pvalloc", "pvalloc")                                                                                            \
    X("malloc_usable_size", "malloc_usable_size")                                                                      \
    X("malloc_trim", "malloc_trim")                                                                                    \
    X("mallopt", "mallopt")                                                                                            \
    X("mallinfo", "mallinfo")                                                                                          \
    X("mallinfo2", "mallinfo2")                                                                                        \
    X("malloc_stats", "malloc_stats")                                                                                  \
    X("malloc_info", "malloc_info")                                                                                    \
    X("__libc_malloc", "__libc_malloc")                                                                                \
    X("__libc_calloc", "__libc_calloc")                                                                                \
    X("__libc_realloc", "__libc_realloc")                                                                              \
    X("__libc_reallocarray", "__libc_reallocarray")                                                                    \
    X("__libc_free", "__libc_free")                                                                                    \
    X("__libc_memalign", "__libc_memalign")                                                                            \
    X("__libc_valloc", "__libc_valloc")                                                                                \
    X("__libc_pvalloc", "__libc_pvalloc")                                                                              \
    X("__libc_mallopt", "__libc_mallopt")                                                                              \
    X("__libc_mallinfo", "__libc_mallinfo")                                                                            \
    X("__posix_memalign", "__posix_memalign")                                                                          \
    X("_Znwm", "operator new")                                                                                         \
    X("_Znam", "operator new[]")                                                                                       \
    X("_ZnwmRKSt9nothrow_t", "operator new(nothrow)")                                                                  \
    X("_ZnamRKSt9nothrow_t", "operator new[](nothrow)")                                                                \
    X("_ZnwmSt11align_val_t", "operator new(align)")                                                                   \
    X("_ZnamSt11align_val_t", "operator new[](align)")                                                                 \
    X("_ZnwmSt11align_val_tRKSt9nothrow_t", "operator new(align, nothrow)")                                            \
    X("_ZnamSt11align_val_tRKSt9nothrow_t", "operator new[](align, nothrow)")                                          \
    X("_ZdlPv", "operator delete")                                                                                     \
    X("_ZdaPv", "operator delete[]")                                                                                   \
    X("_ZdlPvm", "operator delete(size)")                                                                              \
    X("_ZdaPvm", "operator delete[](size)")                                                                            \
    X("_ZdlPvRKSt9nothrow_t", "operator delete(nothrow)")                                                              \
    X("_ZdaPvRKSt9nothrow_t", "operator delete[](nothrow)")                                                            \
    X("_ZdlPvSt11align_val_t", "operator delete(align)")                                                               \
    X("_ZdaPvSt11align_val_t", "operator delete[](align)")                                                             \
    X("_ZdlPvmSt11align_val_t", "operator delete(size, align)")                                                        \
    X("_ZdaPvmSt11align_val_t", "operator delete[](size, align)")                                                      \
    X("_ZdlPvSt11align_val_tRKSt9nothrow_t", "operator delete(align, nothrow)")                                        \
    X("_ZdaPvSt11align_val_tRKSt9nothrow_t", "operator delete[](align, nothrow)")

#define SYMBOL_ONE(symbol, label) +1
enum { SYMBOL_COUNT = 0 ALLOCATION_SYMBOLS(SYMBOL_ONE) };
#undef SYMBOL_ONE

/* Longer than every symbol of the table: enough of a name to compare. */
#define SYMBOL_BYTES 48

/* What the ELF tables call it, and what people call it; `index` below SYMBOL_COUNT. */
const char *symbol_name(unsigned index);
const char *symbol_label(unsigned index);

/* The hash of a name in an object's DT_GNU_HASH table. */
uint32_t symbol_hash(const char *name);

/* Its index, or -1 if the name is not an allocation symbol. */
int symbol_index(const char *name);

#endif
