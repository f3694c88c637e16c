/* dlopen_hakmem.c                                                                                     preload-only
 * Purpose.     The library loaded by dlopen into a running process that has libc's malloc: it loads (its thread-local
 *              storage is small), and both allocators work side by side, in old threads, new threads and a fork's
 *              child.
 * Design.      The program starts itself again without the preload. Each block goes back where it came from.
 */
#include <pthread.h>

#include "../support/expect.h"
#include "../support/hak_functions.h"
#include "../support/plugin.h"
#include "../support/workout.h"

static struct hak_functions hak;
static pthread_barrier_t loaded;

static void use_both(uint32_t seed) {
    for (size_t i = 0; i < TIER_SAMPLE_COUNT; i++) {
        size_t size = TIER_SAMPLES[i];
        void *ours = hak.hak_malloc(size);
        void *libcs = malloc(size);
        EXPECT(ours != NULL && libcs != NULL);
        EXPECT(hak.hak_owns(ours) && !hak.hak_owns(libcs));
        EXPECT(hak.hak_usable_size(ours) >= size && hak.hak_usable_size(libcs) == 0);
        pattern_fill_sparse(ours, size, seed);
        pattern_fill_sparse(libcs, size, seed + 1);
        ours = hak.hak_realloc(ours, size * 2);
        libcs = realloc(libcs, size * 2);
        EXPECT(ours != NULL && pattern_holds_sparse(ours, size, size, seed));
        EXPECT(libcs != NULL && pattern_holds_sparse(libcs, size, size, seed + 1));
        hak.hak_free(ours);
        free(libcs);
    }
}

static void *live_through_loading(void *unused) {
    pthread_barrier_wait(&loaded); /* before: no library */
    pthread_barrier_wait(&loaded);
    use_both(10);
    return unused;
}

static void *live_after_loading(void *unused) {
    use_both(20);
    return unused;
}

static int main_without_preload(const char *library) {
    EXPECT(!provider_is_hakmem());
    pthread_t old_thread;
    pthread_t new_thread;
    EXPECT(pthread_barrier_init(&loaded, NULL, 2) == 0);
    EXPECT(pthread_create(&old_thread, NULL, live_through_loading, NULL) == 0);
    pthread_barrier_wait(&loaded);
    void *handle = plugin_open(library, RTLD_NOW | RTLD_LOCAL);
    EXPECT(hak_functions_find(&hak, handle));
    pthread_barrier_wait(&loaded);
    use_both(1);
    EXPECT(pthread_create(&new_thread, NULL, live_after_loading, NULL) == 0);
    EXPECT(pthread_join(new_thread, NULL) == 0);
    EXPECT(pthread_join(old_thread, NULL) == 0);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        use_both(30);
        exit(0);
    }
    EXPECT_CHILD_OK(child);
    EXPECT(dlclose(handle) == 0);
    use_both(40); /* it stays loaded: its thread destructors may be called later */
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2) {
        return main_without_preload(argv[1]);
    }
    provider_require();
    char *again[] = {argv[0], getenv("TEST_SO"), NULL};
    EXPECT(again[1] != NULL);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        unsetenv("LD_PRELOAD");
        unsetenv("TEST_PROVIDER");
        unsetenv("HAK_TEST_PROVIDER");
        execv("/proc/self/exe", again);
        _exit(127);
    }
    EXPECT_CHILD_OK(child);
    return 0;
}
