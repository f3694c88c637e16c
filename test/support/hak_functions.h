/* hak_functions.h
 * Purpose.     The functions of hakmem.h for programs that are not linked with hakmem and find it by preload.
 * Design.      Looked up by name at the start, with the types of the header, so a program links without the library
 *              and still calls what the header declares.
 */
#ifndef TEST_SUPPORT_HAK_FUNCTIONS_H
#define TEST_SUPPORT_HAK_FUNCTIONS_H

#include "hakmem.h"
#include "provider.h"

#define HAK_FUNCTIONS(X)                                                                                               \
    X(hak_malloc)                                                                                                      \
    X(hak_calloc)                                                                                                      \
    X(hak_realloc)                                                                                                     \
    X(hak_reallocarray)                                                                                                \
    X(hak_aligned_alloc)                                                                                               \
    X(hak_free)                                                                                                        \
    X(hak_free_sized)                                                                                                  \
    X(hak_free_aligned_sized)                                                                                          \
    X(hak_alloc_at)                                                                                                    \
    X(hak_free_at)                                                                                                     \
    X(hak_good_size)                                                                                                   \
    X(hak_usable_size)                                                                                                 \
    X(hak_limit_callback)                                                                                              \
    X(hak_trim)                                                                                                        \
    X(hak_owns)                                                                                                        \
    X(hak_stats_get)                                                                                                   \
    X(hak_stats_print)                                                                                                 \
    X(hak_ctl)                                                                                                         \
    X(hak_version)

/* Inside the struct the bare name means the member in C++. */
#ifdef __cplusplus
#define HAK_FUNCTION_TYPE(name) __typeof__(&::name)
#else
#define HAK_FUNCTION_TYPE(name) __typeof__(&(name))
#endif

struct hak_functions {
#define HAK_FUNCTION_MEMBER(name) HAK_FUNCTION_TYPE(name) name;
    HAK_FUNCTIONS(HAK_FUNCTION_MEMBER)
#undef HAK_FUNCTION_MEMBER
};

/* True if every function of hakmem.h was found; names the first that was not. `library` is a handle of dlopen. */
static inline bool hak_functions_find(struct hak_functions *functions, void *library) {
    const char *missing = NULL;
#define HAK_FUNCTION_FIND(name)                                                                                        \
    *(void **)&functions->name = dlsym(library, #name);                                                                \
    missing = functions->name == NULL && missing == NULL ? #name : missing;
    HAK_FUNCTIONS(HAK_FUNCTION_FIND)
#undef HAK_FUNCTION_FIND
    if (missing != NULL) {
        dprintf(STDERR_FILENO, "%s is not exported\n", missing);
    }
    return missing == NULL;
}

#endif
