/* plugin.h
 * Purpose.     Where the shared objects of test/plugin are: BUILD_DIR/test/plugin/<name>.so.
 */
#ifndef TEST_SUPPORT_PLUGIN_H
#define TEST_SUPPORT_PLUGIN_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "expect.h"

static inline void plugin_path(char *path, size_t size, const char *name) {
    const char *build = getenv("BUILD_DIR");
    EXPECT(build != NULL);
    snprintf(path, size, "%s/test/plugin/%s.so", build, name);
}

/* Loads an object file; the loader's own message if it cannot. */
static inline void *plugin_open(const char *path, int flags) {
    void *plugin = dlopen(path, flags);
    if (plugin == NULL) {
        dprintf(STDERR_FILENO, "%s\n", dlerror());
    }
    EXPECT(plugin != NULL);
    return plugin;
}

/* The address of a function of a plugin, which must have it. */
static inline void *plugin_function(void *plugin, const char *name) {
    void *function = dlsym(plugin, name);
    EXPECT(function != NULL);
    return function;
}

#endif
