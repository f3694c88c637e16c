/* base/check.h
 * Purpose.     Assertions about ourselves, and the last words before an abort.
 * Design.      hak_assert for what is cheap, hak_assert_slow for validators; both keep their expression type-checked
 *              where they are off. hak_fatal is for states that cannot be left, such as metadata that is not ours.
 *              The user's errors are not assertions: those are reported by api/error.c.
 */
#ifndef HAK_BASE_CHECK_H
#define HAK_BASE_CHECK_H

#include "base/compiler.h"
#include "base/config.h"

/* Writes "hakmem: <text>" and aborts. Allocates nothing. */
SLOW void hak_fatal(const char *text) __attribute__((noreturn));

#define HAK_STRING_(x) #x
#define HAK_STRING(x) HAK_STRING_(x)
#define hak_check_at_(level, expression)                                                                               \
    do {                                                                                                               \
        if (HAK_DEBUG >= (level) && unlikely(!(expression)))                                                           \
            hak_fatal(__FILE__ ":" HAK_STRING(__LINE__) ": " #expression);                                             \
    } while (0)

#define hak_assert(expression) hak_check_at_(1, expression)
#define hak_assert_slow(expression) hak_check_at_(2, expression)

#endif
