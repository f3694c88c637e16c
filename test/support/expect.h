/* expect.h
 * Purpose.     The check of test programs that have threads, children and signal handlers, where a test framework's
 *              long jump has no place to land.
 * Design.      A failed check writes one line and ends the process at once, without exit handlers. dprintf on stderr
 *              formats on the stack. EXPECT_CHILD_OK waits for a child and demands exit status 0.
 */
#ifndef TEST_SUPPORT_EXPECT_H
#define TEST_SUPPORT_EXPECT_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            expect_failed(__FILE__, __LINE__, #condition);                                                             \
        }                                                                                                              \
    } while (0)

/* EXPECT(left <= right) for sizes, with both values in the message. */
#define EXPECT_AT_MOST(left, right)                                                                                    \
    do {                                                                                                               \
        size_t expect_left = (left), expect_right = (right);                                                           \
        if (expect_left > expect_right) {                                                                              \
            dprintf(STDERR_FILENO, "%zu > %zu: ", expect_left, expect_right);                                          \
            expect_failed(__FILE__, __LINE__, #left " <= " #right);                                                    \
        }                                                                                                              \
    } while (0)

#define EXPECT_CHILD_OK(pid)                                                                                           \
    do {                                                                                                               \
        int expect_status = expect_wait(pid);                                                                          \
        if (expect_status != 0) {                                                                                      \
            dprintf(STDERR_FILENO, "child: %s %d\n", WIFSIGNALED(expect_status) ? "signal" : "exit status",            \
                    WIFSIGNALED(expect_status) ? WTERMSIG(expect_status) : WEXITSTATUS(expect_status));                \
            expect_failed(__FILE__, __LINE__, "child " #pid " ends with status 0");                                    \
        }                                                                                                              \
    } while (0)

__attribute__((noreturn)) static inline void expect_failed(const char *file, int line, const char *what) {
    dprintf(STDERR_FILENO, "%s:%d: failed: %s\n", file, line, what);
    _exit(1);
}

/* The wait status of `pid`, however often signals interrupt the wait; -1 if it is no child. */
static inline int expect_wait(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

#endif
