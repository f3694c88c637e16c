/* override/cxx_oom.h
 * Purpose.     What operator new does when there is no memory: the program's new handler, then std::bad_alloc.
 * Design.      Both belong to the C++ runtime of the code that called. A program may have it from the start: then the
 *              loader has bound our references. It may have none, or get one late and privately (a C program that
 *              loads a plugin), or several: then it is looked for when it is needed, in the global scope, in the
 *              caller's object and what that depends on, and by the runtimes' file names.
 *              Every reference is weak: neither a runtime nor, in a static program, the loader has to be there.
 * Concurrency. Any thread, no lock held. The search takes the loader's lock.
 * Not here.    The operators (cxx.c).
 */
#ifndef HAK_OVERRIDE_CXX_OOM_H
#define HAK_OVERRIDE_CXX_OOM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "hakmem_stats.h"

/* The alignment to pass for an operator new that has none. */
#define HAK_CXX_PLAIN ((size_t)1)

typedef void (*hak_cxx_function)(void);

/* For an allocation that has failed: calls the new handler and tries again until there is memory or no handler; then
 * throws std::bad_alloc. Never returns NULL. What the handler throws passes through. `caller` is an address in the
 * code that called operator new. Without a C++ runtime in the process: one line on stderr and abort. */
SLOW void *hak_cxx_new_failed(size_t alignment, size_t size, enum hak_entry entry, const void *caller);

/* Whether the caller's C++ runtime has a new handler now. */
SLOW bool hak_cxx_has_handler(const void *caller);

/* The function that the caller's C++ runtime defines by that mangled name, or NULL. Never `ours`, the function that
 * this library defines by it. */
SLOW hak_cxx_function hak_cxx_runtime_function(const char *symbol, hak_cxx_function ours, const void *caller);

#endif
