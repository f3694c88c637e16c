/* override/alias.h
 * Purpose.     One macro that gives a function of hakmem's a second, exported name.
 * Design.      In the shipped library (HAK_UNITY) the target is in the same object and the name is an alias: the same
 *              address, no jump. In builds from separate objects it is a function that calls the target.
 *              The name goes to the assembler as a string: the compiler's own idea of malloc and the C library's
 *              prototypes (nothrow, const, deprecated) do not have to agree with ours.
 */
#ifndef HAK_OVERRIDE_ALIAS_H
#define HAK_OVERRIDE_ALIAS_H

#include "base/config.h"
#include "hakmem.h"

#if defined(__has_attribute)
#if __has_attribute(copy)
#define HAK_COPY_ATTRIBUTES(target) __attribute__((copy(target)))
#endif
#endif
#ifndef HAK_COPY_ATTRIBUTES
#define HAK_COPY_ATTRIBUTES(target)
#endif

/* HAK_NAME(symbol, linkage, target, result, (parameters), (arguments)) exports `symbol` for `target`; HAK_NAME_VOID is
 * the same for a target without a result. `linkage` is HAK_STRONG, or HAK_WEAK for names that may be defined twice. */
#define HAK_STRONG
#define HAK_WEAK __attribute__((weak))

#if HAK_UNITY
#define HAK_NAME(symbol, linkage, target, result, parameters, arguments)                                               \
    extern __typeof__(target) hak_override_##symbol __asm__(#symbol) HAK_COPY_ATTRIBUTES(target)                       \
        __attribute__((alias(#target))) HAK_API linkage;
#define HAK_NAME_VOID(symbol, linkage, target, parameters, arguments)                                                  \
    HAK_NAME(symbol, linkage, target, void, parameters, arguments)
#else
#define HAK_NAME(symbol, linkage, target, result, parameters, arguments)                                               \
    result hak_override_##symbol parameters __asm__(#symbol) HAK_API linkage;                                          \
    result hak_override_##symbol parameters {                                                                          \
        return target arguments;                                                                                       \
    }
#define HAK_NAME_VOID(symbol, linkage, target, parameters, arguments)                                                  \
    void hak_override_##symbol parameters __asm__(#symbol) HAK_API linkage;                                            \
    void hak_override_##symbol parameters {                                                                            \
        target arguments;                                                                                              \
    }
#endif

#endif
