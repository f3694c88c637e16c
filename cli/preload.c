/* preload.c
 * Purpose.     See preload.h.
 */
#include "preload.h"

#include "arch.h"
#include "basics.h"
#include "library.h"

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

/* Takes over `library`; gives it back if it can be preloaded. */
static char *checked(char *library, bool allocator) {
    char *problem = NULL;
    /* The loader takes both as separators and knows no way to quote them. */
    if (strpbrk(library, ": \t\n") != NULL)
        problem = need_copy("LD_PRELOAD cannot hold a path with a space or a colon");
    else
        problem = library_problem(library, allocator);
    if (problem == NULL)
        return library;
    say("cannot preload %s: %s", library, problem);
    free(problem);
    free(library);
    return NULL;
}

static char *chosen_one(const char *path, bool allocator) {
    char *library = existing(path);
    if (library != NULL)
        return checked(library, allocator);
    say("cannot read the library %s: %s", path, strerror(errno));
    return NULL;
}

char *preload_find(const char *chosen) {
    if (chosen != NULL)
        return chosen_one(chosen, false);
    char *library = search();
    return library != NULL ? checked(library, false) : NULL;
}

char *preload_find_allocator(const char *path) {
    return chosen_one(path, true);
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
