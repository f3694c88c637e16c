/* deepbind.c                                                                                          preload-only
 * Purpose.     A plugin loaded with RTLD_DEEPBIND binds libc's malloc past the preload. It works by itself; a block
 *              of its that the program frees is no block of hakmem's, and is reported as such instead of corrupting
 *              either heap.
 * Design.      The misuse happens in a copy of the program that runs with HAKMEM_ON_ERROR=report.
 * Not here.    That such a binding is found and named (the `hakmem verify` command).
 */
#include "../support/hak_functions.h"
#include "../support/plugin.h"
#include "../support/workout.h"
#include "hakmem_stats.h"

static struct hak_functions hak;

static int use_plugin(bool misuse) {
    void *(*allocate)(size_t) = NULL;
    void (*release)(void *) = NULL;
    char path[4096];
    plugin_path(path, sizeof path, "allocates");
    void *plugin = plugin_open(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    *(void **)&allocate = plugin_function(plugin, "plugin_allocate");
    *(void **)&release = plugin_function(plugin, "plugin_free");
    void *theirs[TIER_SAMPLE_COUNT];
    for (size_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        theirs[i] = allocate(TIER_SAMPLES[i]);
        EXPECT(theirs[i] != NULL && !hak.hak_owns(theirs[i]));
        EXPECT(malloc_usable_size(theirs[i]) == 0);
        pattern_fill_sparse(theirs[i], TIER_SAMPLES[i], 1);
    }
    EXPECT(workout(1));
    for (size_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        if (misuse) {
            free(opaque(theirs[i]));
        }
        EXPECT(pattern_holds_sparse(theirs[i], TIER_SAMPLES[i], TIER_SAMPLES[i], 1));
        release(theirs[i]);
    }
    const struct hak_view *view = (const struct hak_view *)dlsym(RTLD_DEFAULT, "hak_view");
    EXPECT(view != NULL && view->foreign_frees == (misuse ? TIER_SAMPLE_COUNT : 0));
    EXPECT(dlclose(plugin) == 0);
    EXPECT(workout(2));
    return 0;
}

int main(int argc, char **argv) {
    provider_require();
    EXPECT(hak_functions_find(&hak, RTLD_DEFAULT));
    if (argc == 2) {
        return use_plugin(true);
    }
    EXPECT(use_plugin(false) == 0);
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
