/* fake_os.h
 * Purpose.     The kernel as tests want it: calls of os/os.h that fail on demand or are counted, a clock that is set.
 * Design.      fake_os.c holds os/os_linux.c under other names and passes on what is not to fail. A program that calls
 *              any of these functions is linked with it in place of the original.
 * Concurrency. Plans and the clock are set while one thread runs; calls may come from any.
 */
#ifndef TEST_SUPPORT_FAKE_OS_H
#define TEST_SUPPORT_FAKE_OS_H

#include <stdint.h>

#define FAKE_OS_CALLS(X)                                                                                               \
    X(RESERVE, reserve)                                                                                                \
    X(RESERVE_ALIGNED, reserve_aligned)                                                                                \
    X(MAKE_READABLE, make_readable)                                                                                    \
    X(COMMIT, commit)                                                                                                  \
    X(PURGE, purge)                                                                                                    \
    X(RELEASE, release)                                                                                                \
    X(RESIZE, resize)                                                                                                  \
    X(MOVE, move)                                                                                                      \
    X(ADVISE_HUGE, advise_huge)

enum fake_os_call {
#define FAKE_OS_ID(id, name) FAKE_OS_##id,
    FAKE_OS_CALLS(FAKE_OS_ID)
#undef FAKE_OS_ID
        FAKE_OS_COUNT
};

#define FAKE_OS_BIT(id) (1u << FAKE_OS_##id)
#define FAKE_OS_ALL ((1u << FAKE_OS_COUNT) - 1)

/* Calls of the set fail with ENOMEM, without having done anything: `times` of them from the nth (1 is the next) on. */
void fake_os_fail(unsigned set, uint64_t nth, uint64_t times);
void fake_os_succeed(void);

/* Calls that failed since the plan was made. */
uint64_t fake_os_failures(void);

/* Calls of one kind since the start, failed ones included. */
uint64_t fake_os_calls(enum fake_os_call call);

/* From now on hak_os_now_ms says this, until it is set again. */
void fake_os_set_clock(uint64_t ms);

#endif
