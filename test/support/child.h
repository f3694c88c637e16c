/* child.h
 * Purpose.     Runs a part of a test in a forked child: what may die, what changes the process for good.
 * Design.      The child's stderr comes back as text. cmocka's signal handlers are taken out of the child: they would
 *              jump back into the parent's tests. The body checks with EXPECT; its return is exit status 0.
 */
#ifndef TEST_SUPPORT_CHILD_H
#define TEST_SUPPORT_CHILD_H

#include "expect.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    int status;      /* as waitpid says */
    size_t length;   /* of the text */
    char text[8192]; /* what it wrote to stderr, terminated */
};

static inline void child_become(int error_fd, void (*body)(void *), void *argument) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        signal(signals[i], SIG_DFL);
    }
    alarm(60); /* one that waits for ever fails */
    if (dup2(error_fd, STDERR_FILENO) < 0) {
        _exit(98);
    }
    body(argument);
    _exit(0);
}

static inline void child_run(struct child *child, void (*body)(void *), void *argument) {
    int ends[2];
    child->length = 0;
    child->status = -1;
    EXPECT(pipe(ends) == 0);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        child_become(ends[1], body, argument);
    }
    close(ends[1]);
    ssize_t got;
    while ((got = read(ends[0], child->text + child->length, sizeof child->text - 1 - child->length)) > 0) {
        child->length += (size_t)got;
    }
    child->text[child->length] = '\0';
    close(ends[0]);
    child->status = expect_wait(pid);
}

/* True if the body returned; says on stderr what went wrong if not. */
static inline bool child_succeeds(void (*body)(void *), void *argument) {
    struct child child;
    child_run(&child, body, argument);
    if (child.status != 0) {
        dprintf(STDERR_FILENO, "child: wait status %#x\n%s", (unsigned)child.status, child.text);
    }
    return child.status == 0;
}

static inline bool child_aborted(const struct child *child) {
    return WIFSIGNALED(child->status) && WTERMSIG(child->status) == SIGABRT;
}

#endif
