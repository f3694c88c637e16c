/* test/support/provider.c
 * Purpose.     Linked into every program of test/api and test/hazard: ends it with exit code 99, before main, if malloc
 *              and free do not come from the object that HAK_TEST_PROVIDER names.
 * Design.      A preload that fails leaves only a warning and a program that runs well on libc. A contract test would
 *              pass then, having tested another allocator.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *object_of(void *function) {
    Dl_info info;
    if (!function || !dladdr(function, &info) || !info.dli_fname)
        return "nothing";
    const char *slash = strrchr(info.dli_fname, '/');
    return slash ? slash + 1 : info.dli_fname;
}

static void expect(const char *name, void *function, const char *wanted) {
    const char *object = object_of(function);
    if (strcmp(object, wanted) != 0) {
        dprintf(STDERR_FILENO, "provider: %s is of %s, not of %s\n", name, object, wanted);
        _exit(99);
    }
}

__attribute__((constructor)) static void check_provider(void) {
    const char *wanted = getenv("HAK_TEST_PROVIDER");
    if (!wanted)
        return;
    expect("malloc", (void *)malloc, wanted);
    expect("calloc", (void *)calloc, wanted);
    expect("realloc", (void *)realloc, wanted);
    expect("free", (void *)free, wanted);
}
