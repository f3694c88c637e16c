/* base/compiler.h
 * Purpose.     What the compiler has to be told, under names of our own.
 * Not here.    Atomics (atomic.h), assertions (check.h).
 */
#ifndef HAK_BASE_COMPILER_H
#define HAK_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* FAST code is inlined into every entry point; SLOW code is kept out of line and away from it. */
#define FAST static inline __attribute__((always_inline))
#define SLOW __attribute__((noinline, cold))

#define NODISCARD __attribute__((warn_unused_result))

/* Initial-exec: no call into the loader, which would allocate. Keep what is marked with it small: it comes out of a
 * surplus that a late dlopen shares with every other library. */
#define HAK_TLS static __thread __attribute__((tls_model("initial-exec")))
#define HAK_TLS_DEFINE __thread __attribute__((tls_model("initial-exec"), visibility("hidden")))
#define HAK_TLS_SHARED extern __thread __attribute__((tls_model("initial-exec"), visibility("hidden")))

/* Functions whose few instructions should not straddle more lines of the instruction cache than they need. They lie
 * together, and malloc and free at addresses that no other code can move: how well a processor predicts their branches
 * depends on where they lie (doc/decisions/016). */
#define HOT_AT(boundary) __attribute__((aligned(boundary), section(".text.hot.hakmem")))
#define HOT HOT_AT(64)

/* Has the compiler keep the variable in the register that functions return it in, from here on. No instruction. */
#if defined(__x86_64__)
#define keep_in_result_register(variable) __asm__("" : "+a"(variable))
#else
#define keep_in_result_register(variable) ((void)(variable))
#endif

/* What holds whatever the compiler can see. No instruction. */
#define assume(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            __builtin_unreachable();                                                                                   \
    } while (0)

/* Makes the compiler forget where the variable's value comes from. No instruction. */
#define forget(variable) __asm__("" : "+r"(variable))

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#if defined(__x86_64__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield" ::: "memory")
#else
#define cpu_relax() __asm__ volatile("" ::: "memory")
#endif

#endif
