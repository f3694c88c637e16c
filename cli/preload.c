/* preload.c
 * Purpose.     See preload.h.
 */
#include "preload.h"

#include "arch.h"
#include "basics.h"
#include "program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libhakmem.so"

/* Relative to the folder of the command, or absolute. */
static const char *const folders[] = {".",
                                      "../lib",
                                      "../lib/" ARCH_MULTIARCH,
                                      "/usr/local/lib",
                                      "/usr/local/lib/" ARCH_MULTIARCH,
                                      "/usr/lib/" ARCH_MULTIARCH,
                                      "/usr/lib",
                                      "/lib/" ARCH_MULTIARCH,
                                      "/lib"};

/* An absolute path of the file, NULL if there is none. */
static char *existing(const char *path) {
    char *absolute = realpath(path, NULL);
    if (absolute != NULL && access(absolute, R_OK) != 0) {
        free(absolute);
        return NULL;
    }
    return absolute;
}

static char *search(void) {
    char here[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
    here[length > 0 ? length : 0] = 0;
    char *slash = strrchr(here, '/');
    if (slash != NULL)
        *slash = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        bool relative = folders[i][0] != '/';
        char *path = need_format("%s%s%s/" LIBRARY, relative ? here : "", relative ? "/" : "", folders[i]);
        char *found = existing(path);
        free(path);
        if (found != NULL)
            return found;
    }
    say("cannot find " LIBRARY " beside the command (%s), in ../lib from there or in the system's library folders; "
        "name it with --lib",
        here);
    return NULL;
}

char *preload_find(const char *chosen) {
    char *library = chosen != NULL ? existing(chosen) : search();
    if (library == NULL) {
        if (chosen != NULL)
            say("cannot read the library %s: %s", chosen, strerror(errno));
        return NULL;
    }
    /* The loader takes both as separators and knows no way to quote them. */
    if (strpbrk(library, ": \t\n") != NULL)
        say("cannot preload %s: LD_PRELOAD cannot hold a path with a space or a colon", library);
    else if (!program_is_library(library))
        say("cannot preload %s: it is not a shared library for " ARCH_NAME, library);
    else
        return library;
    free(library);
    return NULL;
}

bool preload_set(const char *library) {
    const char *before = getenv("LD_PRELOAD");
    bool first = before == NULL || *before == 0;
    char *list = need_format("%s%s%s", library, first ? "" : ":", first ? "" : before);
    bool done = setenv("LD_PRELOAD", list, 1) == 0;
    if (!done)
        say("cannot change the environment: %s", strerror(errno));
    free(list);
    return done;
}
