/* contract.h
 * Purpose.     What every cmocka program of test/api includes: the framework, its requirements, and our support files.
 * Design.      cmocka wants four headers before its own. Failing thousands of assertions one by one would be slow and
 *              unreadable, so loops count what is wrong and assert once, with assert_true on a named condition.
 */
#ifndef TEST_SUPPORT_CONTRACT_H
#define TEST_SUPPORT_CONTRACT_H

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
#include <cmocka.h>
#ifdef __cplusplus
}
#undef fail /* a member of the streams; assert_true(false) says the same */
#endif

#include "opaque.h"
#include "pattern.h"
#include "process.h"
#include "provider.h"
#include "tiers.h"

static inline bool is_aligned(const void *ptr, size_t alignment) {
    return ((uintptr_t)ptr & (alignment - 1)) == 0;
}

#endif
