/* provider.h
 * Purpose.     Says which object serves the allocation calls of this process, and stops a test that would run on
 *              another one than it was meant for.
 * Design.      The dynamic loader only warns when a preload fails and goes on with libc, so a test that was told to
 *              expect hakmem (TEST_PROVIDER=1) proves it first: the exported hak_view is there, and malloc's address
 *              lies in an object with hakmem in its name, and that object owns what malloc returns.
 * Not here.    How many calls were served, and by which object for each library: the `hakmem verify` command.
 */
#ifndef TEST_SUPPORT_PROVIDER_H
#define TEST_SUPPORT_PROVIDER_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROVIDER_WRONG 99 /* exit status: the process does not run on the allocator that it expects */
#define TEST_SKIPPED 77   /* exit status: the machine cannot do what the test needs */

/* True if hakmem is loaded into this process. */
static inline bool provider_is_hakmem(void) {
    return dlsym(RTLD_DEFAULT, "hak_view") != NULL;
}

/* The file name of the object that defines `symbol` for this program; "" if none does. */
static inline const char *provider_of(const char *symbol) {
    void *address = dlsym(RTLD_DEFAULT, symbol);
    Dl_info info;
    if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        return "";
    }
    return info.dli_fname;
}

/* True if the file name itself, not a directory above it, says hakmem. */
static inline bool provider_named_hakmem(const char *path) {
    const char *slash = strrchr(path, '/');
    return strstr(slash != NULL ? slash + 1 : path, "hakmem") != NULL;
}

static inline bool provider_owns_malloc(void) {
    bool (*owns)(const void *) = NULL;
    *(void **)(&owns) = dlsym(RTLD_DEFAULT, "hak_owns");
    void *block = malloc(1);
    bool owned = owns != NULL && owns(block);
    free(block);
    return owned;
}

/* First statement of every test program: returns only if the right allocator serves it. */
static inline void provider_require(void) {
    const char *expect = getenv("TEST_PROVIDER");
    if (expect == NULL || strcmp(expect, "1") != 0) {
        return;
    }
    const char *object = provider_of("malloc");
    if (!provider_is_hakmem() || !provider_named_hakmem(object) || !provider_owns_malloc()) {
        dprintf(STDERR_FILENO, "TEST_PROVIDER=1, but malloc is served by %s\n", object);
        _exit(PROVIDER_WRONG);
    }
}

#endif
