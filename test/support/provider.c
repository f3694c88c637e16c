/* test/support/provider.c
 * Purpose.     Linked into every program of test/api and test/hazard: ends it with exit code 99, before main, if malloc
 *              and free do not come from the object that HAK_TEST_PROVIDER names; "itself" is the program.
 * Design.      A preload that fails leaves only a warning and a program that runs well on libc. A contract test would
 *              pass then, having tested another allocator.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_provider(void) __attribute__((constructor));

static void expect(const char *name, void *function, const char *wanted) {
    Dl_info program;
    Dl_info info;
    const char *file = "no object";
    if (dladdr((void *)check_provider, &program) && dladdr(function, &info) && info.dli_fname) {
        const char *slash = strrchr(info.dli_fname, '/');
        file = info.dli_fbase == program.dli_fbase ? "itself" : slash ? slash + 1 : info.dli_fname;
    }
    if (strcmp(file, wanted) != 0) {
        dprintf(STDERR_FILENO, "provider: %s is of %s, not of %s\n", name, file, wanted);
        _exit(99);
    }
}

static void check_provider(void) {
    const char *wanted = getenv("HAK_TEST_PROVIDER");
    if (!wanted)
        return;
    expect("malloc", (void *)malloc, wanted);
    expect("calloc", (void *)calloc, wanted);
    expect("realloc", (void *)realloc, wanted);
    expect("free", (void *)free, wanted);
}
