/* base/atomic.h
 * Purpose.     Atomic accesses with the memory order in the name.
 * Design.      Thin macros over the compiler's builtins; a word that is accessed through them is declared plainly and
 *              listed in doc/CONCURRENCY.md.
 *              `owner_*` is for words with one writer: in release builds they are ordinary accesses, which compilers
 *              for our targets keep whole for aligned words up to 8 bytes; a reader sees a value of the recent past.
 */
#ifndef HAK_BASE_ATOMIC_H
#define HAK_BASE_ATOMIC_H

#include "base/config.h"

#define load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define load_seq_cst(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define exchange_seq_cst(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define fetch_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define fetch_and_relaxed(p, v) __atomic_fetch_and((p), (v), __ATOMIC_RELAXED)
#define fetch_or_relaxed(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELAXED)

/* Strong; `expected` is updated on failure, which then has acquire order. */
#define cas_acquire(p, expected, v)                                                                                    \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
#define cas_seq_cst(p, expected, v)                                                                                    \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

#if HAK_TSAN
#define owner_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define owner_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#else
#define owner_load(p) (*(p))
#define owner_store(p, v) (*(p) = (v))
#endif
#define owner_add(p, v) owner_store(p, owner_load(p) + (v))

/* Keeps the compiler from moving stores over it: a fork may copy a thread's memory between any two instructions, and
 * its child relies on the order of some. No instruction. */
#define fork_fence() __atomic_signal_fence(__ATOMIC_RELEASE)

/* The step of a counter that the fast path of free makes: down by one; true if it is negative then. One instruction on
 * x86-64, where the compiler would compute the address into a register first. */
#if defined(__x86_64__) && !HAK_TSAN
#define owner_decrement_is_negative(p)                                                                                 \
    ({                                                                                                                 \
        int flag_;                                                                                                     \
        __asm__("subl $1, %0" : "+m"(*(p)), "=@ccs"(flag_));                                                           \
        flag_;                                                                                                         \
    })
#else
#define owner_decrement_is_negative(p)                                                                                 \
    ({                                                                                                                 \
        int32_t left_ = owner_load(p) - 1;                                                                             \
        owner_store(p, left_);                                                                                         \
        left_ < 0;                                                                                                     \
    })
#endif

#endif
