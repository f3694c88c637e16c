/* model_self_test.c
 * Purpose.     Shows that the model can fail: it has to find the fault of every allocator of broken.c.
 * Design.      Each runs in a child, whose exit status names the check that spoke, and it must be the right one.
 *              hakmem as it is runs the same way, and nothing may be found. `-v` shows what the checks said.
 */
#include "broken.h"
#include "model.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPS = 30000 };

/* The exit status of a run in a child, or -1 if a signal ended it. */
static int run_in_child(const struct allocator *allocator, uint64_t seed, unsigned thread_count, bool quiet) {
    pid_t child = fork();
    if (child == 0) {
        if (quiet) {
            close(STDERR_FILENO);
        }
        model_run(allocator, seed, OPS, thread_count);
        _exit(FAULT_NONE);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        shadow_fail(FAULT_TEST, "no child");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool expect_status(const char *name, int status, enum shadow_fault expected) {
    shadow_say("%-48s status %3d, expected %3d", name, status, (int)expected);
    return status == (int)expected;
}

int main(int argc, char **argv) {
    bool quiet = argc < 2 || strcmp(argv[1], "-v") != 0;
    uint64_t seed = shadow_env("HAK_SEED", 1);
    unsigned wrong = !expect_status("nothing is wrong", run_in_child(&shadow_hakmem, seed, 4, false), FAULT_NONE);
    for (unsigned i = 0; i < broken_allocator_count; i++) {
        const struct broken_allocator *broken = &broken_allocators[i];
        int status = run_in_child(&broken->allocator, seed + i, broken->threads, quiet);
        wrong += !expect_status(broken->name, status, broken->expected);
    }
    if (wrong != 0) {
        shadow_fail(FAULT_TEST, "the model was wrong about %u allocators", wrong);
    }
    return 0;
}
