/* dlopen_loop.c
 * Purpose.     Libraries that allocate in constructors and destructors, loaded and unloaded again and again, by main
 *              and by threads: their blocks outlive them, nothing piles up.
 */
#include <pthread.h>

#include "../support/plugin.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { ROUNDS = 300 };

static char path[4096];

static void *load_use_unload(void *unused) {
    void *plugin = plugin_open(path, RTLD_NOW | RTLD_LOCAL);
    void *(*allocate)(size_t) = NULL;
    void (*release)(void *) = NULL;
    *(void **)&allocate = plugin_function(plugin, "plugin_allocate");
    *(void **)&release = plugin_function(plugin, "plugin_free");
    void *blocks[TIER_SAMPLE_COUNT];
    for (size_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        void *block = malloc(TIER_SAMPLES[i]);
        EXPECT(block != NULL);
        release(block);
        blocks[i] = allocate(TIER_SAMPLES[i]);
        EXPECT(blocks[i] != NULL && pattern_is_zero(blocks[i], TIER_SAMPLES[i]));
    }
    EXPECT(dlclose(plugin) == 0);
    for (size_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        pattern_fill_sparse(blocks[i], TIER_SAMPLES[i], 1);
        free(blocks[i]);
    }
    EXPECT(dlopen("/no/such/library.so", RTLD_NOW) == NULL && dlerror() != NULL);
    return unused;
}

int main(void) {
    provider_require();
    plugin_path(path, sizeof path, "allocates");
    size_t before = 0;
    for (int i = 0; i < ROUNDS; i++) {
        load_use_unload(NULL);
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, load_use_unload, NULL) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
        if (i == 30) {
            before = process_rss_bytes();
        }
    }
    EXPECT_AT_MOST(process_rss_bytes(), before + 16 * MIB);
    return 0;
}
