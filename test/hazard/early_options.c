/* early_options.c
 * Purpose.     Options count even if the first call comes before libc knows its environment.
 * Design.      The program starts itself again with HAKMEM_ON_ERROR=report. Its .preinit_array allocates: what reads
 *              the environment then through libc finds none. A bad free in main must still only be reported.
 */
#include <sys/wait.h>

#include "../support/expect.h"
#include "../support/opaque.h"
#include "../support/provider.h"
#include "hakmem_stats.h"

static void *early_block;

static void preinit(int argc, char **argv, char **env) {
    (void)argc, (void)argv, (void)env;
    early_block = malloc(100);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit_entry)(int, char **, char **) = preinit;

static int misuse(void) {
    int local = 1;
    free(opaque(&local));
    const struct hak_view *view = (const struct hak_view *)dlsym(RTLD_DEFAULT, "hak_view");
    EXPECT(view != NULL && view->errors == 1 && view->foreign_frees == 1);
    return 0;
}

int main(int argc, char **argv) {
    provider_require();
    EXPECT(early_block != NULL);
    free(early_block);
    if (argc == 2) {
        return misuse();
    }
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        char *again[] = {argv[0], (char[]){"misuse"}, NULL};
        setenv("HAKMEM_ON_ERROR", "report", 1);
        execv("/proc/self/exe", again);
        _exit(127);
    }
    EXPECT_CHILD_OK(child);
    return 0;
}
