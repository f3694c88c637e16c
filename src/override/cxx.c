/* override/cxx.c
 * Purpose.     Every replaceable operator new and delete of C++, by its mangled name.
 * Design.      In C, so that nothing of a C++ runtime is linked: a C program does not load one because of us. What
 *              only the runtime can do (new handler, exceptions) is asked of the program's own, in cxx_oom.c.
 *              The standard defines most operators as calls of others: new[] calls new, sized delete calls delete,
 *              and so on. A program that replaces some relies on it, so if one of those others is not ours, ours call
 *              it. Calling it is right in any case; `all_ours` is what lets us do without.
 *              Weak, so that in a static link a program's own definitions win.
 *              Whatever leaves the fast path leaves it by a jump: no operator has a stack frame, and the slow path
 *              can tell by its own return address who called.
 * Not here.    Out of memory (cxx_oom.c). What allocating and freeing are (api/fast.h).
 */
#include <stdbool.h>
#include <stddef.h>

#include "api/fast.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "hakmem.h"
#include "override/cxx_oom.h"

_Static_assert(sizeof(size_t) == sizeof(unsigned long), "the names below spell size_t as unsigned long");

#define OPERATOR HAK_API __attribute__((weak))

/* std::nothrow_t by reference and std::align_val_t, as they are passed. */
typedef const void *nothrow_t;
typedef size_t align_val_t;

/* The operators by which the standard defines the others. */
OPERATOR void *_Znwm(size_t size);
OPERATOR void *_Znam(size_t size);
OPERATOR void *_ZnwmSt11align_val_t(size_t size, align_val_t alignment);
OPERATOR void *_ZnamSt11align_val_t(size_t size, align_val_t alignment);
OPERATOR void _ZdlPv(void *ptr);
OPERATOR void _ZdaPv(void *ptr);
OPERATOR void _ZdlPvSt11align_val_t(void *ptr, align_val_t alignment);
OPERATOR void _ZdaPvSt11align_val_t(void *ptr, align_val_t alignment);

/* The same functions by names that nothing can replace. */
#define OURS(name, symbol) extern __typeof__(symbol) name __attribute__((alias(#symbol), visibility("hidden")))
OURS(hak_cxx_new, _Znwm);
OURS(hak_cxx_new_array, _Znam);
OURS(hak_cxx_new_aligned, _ZnwmSt11align_val_t);
OURS(hak_cxx_new_array_aligned, _ZnamSt11align_val_t);
OURS(hak_cxx_delete, _ZdlPv);
OURS(hak_cxx_delete_array, _ZdaPv);
OURS(hak_cxx_delete_aligned, _ZdlPvSt11align_val_t);
OURS(hak_cxx_delete_array_aligned, _ZdaPvSt11align_val_t);

/* Set by the constructor if the program uses our operators alone. A line of its own: hot code reads it. */
static struct {
    bool yes;
    char padding[HAK_CACHE_LINE - sizeof(bool)];
} all_ours __attribute__((aligned(HAK_CACHE_LINE)));

/* What a name is bound to is settled before the first instruction of this library runs, and stays. */
static bool no_operator_replaced(void) {
    return _Znwm == hak_cxx_new && _Znam == hak_cxx_new_array && _ZnwmSt11align_val_t == hak_cxx_new_aligned &&
           _ZnamSt11align_val_t == hak_cxx_new_array_aligned && _ZdlPv == hak_cxx_delete &&
           _ZdaPv == hak_cxx_delete_array && _ZdlPvSt11align_val_t == hak_cxx_delete_aligned &&
           _ZdaPvSt11align_val_t == hak_cxx_delete_array_aligned;
}

__attribute__((constructor)) static void note_replaced_operators(void) {
    owner_store(&all_ours.yes, no_operator_replaced());
}

FAST bool some_replaced(void) {
    return unlikely(!owner_load(&all_ours.yes));
}

/* operator new */

/* Reached by a jump from an operator, so its return address is the operator's. */
__attribute__((noinline)) static void *new_slow(size_t size, enum hak_entry entry) {
    void *block = hak_alloc_slow(size, entry, NULL);
    if (likely(block != NULL))
        return block;
    return hak_cxx_new_failed(HAK_CXX_PLAIN, size, entry, __builtin_return_address(0));
}

/* Likewise. */
__attribute__((noinline)) static void *new_aligned(size_t size, align_val_t alignment, enum hak_entry entry) {
    void *block = is_power_of_two(alignment) ? hak_aligned_entry(alignment, size, entry) : NULL;
    if (likely(block != NULL))
        return block;
    return hak_cxx_new_failed(alignment, size, entry, __builtin_return_address(0));
}

HOT void *_Znwm(size_t size) {
    void *block = try_alloc(size, HAK_ENTRY_NEW);
    return likely(block != NULL) ? block : new_slow(size, HAK_ENTRY_NEW);
}

HOT void *_Znam(size_t size) {
    if (some_replaced())
        return _Znwm(size);
    void *block = try_alloc(size, HAK_ENTRY_NEW_ARRAY);
    return likely(block != NULL) ? block : new_slow(size, HAK_ENTRY_NEW_ARRAY);
}

void *_ZnwmSt11align_val_t(size_t size, align_val_t alignment) {
    return new_aligned(size, alignment, HAK_ENTRY_NEW_ALIGNED);
}

void *_ZnamSt11align_val_t(size_t size, align_val_t alignment) {
    if (some_replaced())
        return _ZnwmSt11align_val_t(size, alignment);
    return new_aligned(size, alignment, HAK_ENTRY_NEW_ARRAY_ALIGNED);
}

/* operator new that returns NULL. The runtime's own version is a call of the throwing operator, which is ours or the
 * program's, inside try and catch: with a new handler set, that is what calls it and swallows what it throws. A fully
 * static program cannot be asked for it: no handler is called then. */

OPERATOR void *_ZnwmRKSt9nothrow_t(size_t size, nothrow_t tag);
OPERATOR void *_ZnamRKSt9nothrow_t(size_t size, nothrow_t tag);
OPERATOR void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, align_val_t alignment, nothrow_t tag);
OPERATOR void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, align_val_t alignment, nothrow_t tag);

OURS(hak_cxx_new_nothrow, _ZnwmRKSt9nothrow_t);
OURS(hak_cxx_new_array_nothrow, _ZnamRKSt9nothrow_t);
OURS(hak_cxx_new_aligned_nothrow, _ZnwmSt11align_val_tRKSt9nothrow_t);
OURS(hak_cxx_new_array_aligned_nothrow, _ZnamSt11align_val_tRKSt9nothrow_t);

/* What differs between operator new and new[]. `throwing` is what the name is bound to, ours or not. */
struct nothrow_operator {
    const char *symbol;
    __typeof__(_ZnwmRKSt9nothrow_t) *ours;
    __typeof__(_Znwm) *throwing;
    enum hak_entry entry;
};
struct nothrow_aligned_operator {
    const char *symbol;
    __typeof__(_ZnwmSt11align_val_tRKSt9nothrow_t) *ours;
    __typeof__(_ZnwmSt11align_val_t) *throwing;
    enum hak_entry entry;
};

__attribute__((noinline)) static void *nothrow_slow(size_t size, nothrow_t tag, const struct nothrow_operator *op) {
    bool replaced = !no_operator_replaced();
    void *block = replaced ? NULL : hak_alloc_slow(size, op->entry, NULL);
    if (likely(block != NULL))
        return block;
    const void *caller = __builtin_return_address(0);
    if (!replaced && !hak_cxx_has_handler(caller))
        return NULL;
    __typeof__(op->ours) runtime =
        (__typeof__(op->ours))hak_cxx_runtime_function(op->symbol, (hak_cxx_function)op->ours, caller);
    if (runtime != NULL)
        return runtime(size, tag);
    return replaced ? op->throwing(size) : NULL;
}

__attribute__((noinline)) static void *nothrow_aligned(size_t size, align_val_t alignment, nothrow_t tag,
                                                       const struct nothrow_aligned_operator *op) {
    bool replaced = !no_operator_replaced();
    if (unlikely(!is_power_of_two(alignment)))
        return NULL;
    void *block = replaced ? NULL : hak_aligned_entry(alignment, size, op->entry);
    if (likely(block != NULL))
        return block;
    const void *caller = __builtin_return_address(0);
    if (!replaced && !hak_cxx_has_handler(caller))
        return NULL;
    __typeof__(op->ours) runtime =
        (__typeof__(op->ours))hak_cxx_runtime_function(op->symbol, (hak_cxx_function)op->ours, caller);
    if (runtime != NULL)
        return runtime(size, alignment, tag);
    return replaced ? op->throwing(size, alignment) : NULL;
}

void *_ZnwmRKSt9nothrow_t(size_t size, nothrow_t tag) {
    static const struct nothrow_operator op = {"_ZnwmRKSt9nothrow_t", hak_cxx_new_nothrow, _Znwm, HAK_ENTRY_NEW};
    void *block = some_replaced() ? NULL : try_alloc(size, HAK_ENTRY_NEW);
    return likely(block != NULL) ? block : nothrow_slow(size, tag, &op);
}

void *_ZnamRKSt9nothrow_t(size_t size, nothrow_t tag) {
    static const struct nothrow_operator op = {"_ZnamRKSt9nothrow_t", hak_cxx_new_array_nothrow, _Znam,
                                               HAK_ENTRY_NEW_ARRAY};
    void *block = some_replaced() ? NULL : try_alloc(size, HAK_ENTRY_NEW_ARRAY);
    return likely(block != NULL) ? block : nothrow_slow(size, tag, &op);
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, align_val_t alignment, nothrow_t tag) {
    static const struct nothrow_aligned_operator op = {
        "_ZnwmSt11align_val_tRKSt9nothrow_t", hak_cxx_new_aligned_nothrow, _ZnwmSt11align_val_t, HAK_ENTRY_NEW_ALIGNED};
    return nothrow_aligned(size, alignment, tag, &op);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, align_val_t alignment, nothrow_t tag) {
    static const struct nothrow_aligned_operator op = {"_ZnamSt11align_val_tRKSt9nothrow_t",
                                                       hak_cxx_new_array_aligned_nothrow, _ZnamSt11align_val_t,
                                                       HAK_ENTRY_NEW_ARRAY_ALIGNED};
    return nothrow_aligned(size, alignment, tag, &op);
}

/* operator delete */

HOT void _ZdlPv(void *ptr) {
    hak_free_entry(ptr, HAK_ENTRY_DELETE);
}

void _ZdlPvSt11align_val_t(void *ptr, align_val_t alignment) {
    (void)alignment;
    hak_free_entry(ptr, HAK_ENTRY_DELETE);
}

HOT void _ZdaPv(void *ptr) {
    if (some_replaced())
        _ZdlPv(ptr);
    else
        hak_free_entry(ptr, HAK_ENTRY_DELETE_ARRAY);
}

void _ZdaPvSt11align_val_t(void *ptr, align_val_t alignment) {
    if (some_replaced())
        _ZdlPvSt11align_val_t(ptr, alignment);
    else
        hak_free_entry(ptr, HAK_ENTRY_DELETE_ARRAY);
}

OPERATOR void _ZdlPvm(void *ptr, size_t size);
HOT void _ZdlPvm(void *ptr, size_t size) {
    if (some_replaced())
        _ZdlPv(ptr);
    else
        hak_free_sized_entry(ptr, size, HAK_ENTRY_DELETE_SIZED);
}

OPERATOR void _ZdaPvm(void *ptr, size_t size);
HOT void _ZdaPvm(void *ptr, size_t size) {
    if (some_replaced())
        _ZdaPv(ptr);
    else
        hak_free_sized_entry(ptr, size, HAK_ENTRY_DELETE_ARRAY_SIZED);
}

OPERATOR void _ZdlPvmSt11align_val_t(void *ptr, size_t size, align_val_t alignment);
void _ZdlPvmSt11align_val_t(void *ptr, size_t size, align_val_t alignment) {
    if (some_replaced())
        _ZdlPvSt11align_val_t(ptr, alignment);
    else
        hak_free_aligned_sized_entry(ptr, alignment, size, HAK_ENTRY_DELETE_SIZED);
}

OPERATOR void _ZdaPvmSt11align_val_t(void *ptr, size_t size, align_val_t alignment);
void _ZdaPvmSt11align_val_t(void *ptr, size_t size, align_val_t alignment) {
    if (some_replaced())
        _ZdaPvSt11align_val_t(ptr, alignment);
    else
        hak_free_aligned_sized_entry(ptr, alignment, size, HAK_ENTRY_DELETE_ARRAY_SIZED);
}

OPERATOR void _ZdlPvRKSt9nothrow_t(void *ptr, nothrow_t tag);
void _ZdlPvRKSt9nothrow_t(void *ptr, nothrow_t tag) {
    (void)tag;
    if (some_replaced())
        _ZdlPv(ptr);
    else
        hak_free_entry(ptr, HAK_ENTRY_DELETE);
}

OPERATOR void _ZdaPvRKSt9nothrow_t(void *ptr, nothrow_t tag);
void _ZdaPvRKSt9nothrow_t(void *ptr, nothrow_t tag) {
    (void)tag;
    if (some_replaced())
        _ZdaPv(ptr);
    else
        hak_free_entry(ptr, HAK_ENTRY_DELETE_ARRAY);
}

OPERATOR void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, align_val_t alignment, nothrow_t tag);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, align_val_t alignment, nothrow_t tag) {
    (void)tag;
    if (some_replaced())
        _ZdlPvSt11align_val_t(ptr, alignment);
    else
        hak_free_entry(ptr, HAK_ENTRY_DELETE);
}

OPERATOR void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, align_val_t alignment, nothrow_t tag);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, align_val_t alignment, nothrow_t tag) {
    (void)tag;
    if (some_replaced())
        _ZdaPvSt11align_val_t(ptr, alignment);
    else
        hak_free_entry(ptr, HAK_ENTRY_DELETE_ARRAY);
}
