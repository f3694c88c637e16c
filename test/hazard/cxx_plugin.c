/* cxx_plugin.c
 * Purpose.     A C program does not load the C++ library because of the allocator's operators new and delete; and a
 *              C++ plugin that it loads later, for itself alone, gets std::bad_alloc out of them.
 * Design.      RTLD_LOCAL: nothing of the C++ library is visible to the program or to a preloaded allocator by the
 *              usual search; operator new must find what it throws all the same.
 */
#include "../support/plugin.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

static void expect_answer(void *plugin, const char *function, size_t argument, int answer) {
    int (*ask)(size_t) = NULL;
    *(void **)&ask = plugin_function(plugin, function);
    int got = ask(argument);
    if (got != answer) {
        dprintf(STDERR_FILENO, "%s: %d instead of %d\n", function, got, answer);
    }
    EXPECT(got == answer);
}

int main(void) {
    provider_require();
    EXPECT(workout(1));
    EXPECT(process_maps_file("libc.so"));
    EXPECT(!process_maps_file("libstdc++"));
    EXPECT(!process_maps_file("libc++"));
    char path[4096];
    plugin_path(path, sizeof path, "throws");
    void *plugin = plugin_open(path, RTLD_NOW | RTLD_LOCAL);
    EXPECT(process_maps_file("libstdc++"));
    int (*use_containers)(void) = NULL;
    *(void **)&use_containers = plugin_function(plugin, "plugin_uses_containers");
    EXPECT(use_containers() == 1);
    for (int i = 0; i < 3; i++) {
        expect_answer(plugin, "plugin_catches_bad_alloc", (size_t)PTRDIFF_MAX - 4096, 2);
        expect_answer(plugin, "plugin_handler_calls", (size_t)PTRDIFF_MAX - 4096, 3);
        expect_answer(plugin, "plugin_quiet_new_is_null", (size_t)PTRDIFF_MAX - 4096, 1);
    }
    EXPECT(workout(2));
    return 0;
}
