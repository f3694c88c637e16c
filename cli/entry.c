/* entry.c
 * Purpose.     See entry.h.
 */
#include "entry.h"

#include "arch.h"
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static bool set_breakpoint(pid_t pid) {
    static const unsigned char code[] = ARCH_BREAKPOINT;
    uintptr_t entry = (uintptr_t)proc_auxiliary(pid, AT_ENTRY);
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)entry, NULL);
    if (entry == 0 || errno != 0)
        return false;
    memcpy(&word, code, sizeof code);
    return ptrace(PTRACE_POKETEXT, pid, (void *)entry, (void *)word) == 0;
}

/* Lets it run until it stops at the breakpoint. What a constructor of a library starts goes on beside it. */
static bool reach(pid_t pid) {
    for (;;) {
        int status = 0;
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0 && errno == EINTR)
            continue;
        if (tid < 0 || (tid == pid && !WIFSTOPPED(status)))
            return false;
        if (!WIFSTOPPED(status))
            continue;
        int event = status >> 16, signal = WSTOPSIG(status);
        if (tid == pid && event == 0 && signal == SIGTRAP)
            return true;
        if (tid == pid && event == PTRACE_EVENT_EXEC && !set_breakpoint(pid))
            return false;
        trace_resume(tid, event == 0 ? signal : 0);
    }
}

pid_t entry_start(const char *path, char *const arguments[]) {
    struct launch launch = {.path = path, .arguments = arguments, .quiet_stdout = true};
    pid_t pid = launch_traced(&launch);
    if (pid < 0)
        return -1;
    bool reached = reach(pid);
    if (!reached) {
        say("cannot look at %s: it did not get to its entry point", path);
        entry_end(pid);
    }
    close(launch.reason_pipe);
    return reached ? pid : -1;
}

void entry_end(pid_t pid) {
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        continue;
}
