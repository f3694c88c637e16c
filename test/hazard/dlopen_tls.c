/* dlopen_tls.c
 * Purpose.     100 libraries with thread-local variables still load after start: the allocator has left the loader its
 *              small reserve of static thread-local storage. Threads that lived before see the variables too.
 * Design.      50 copies of each of two plugins under different names: one takes 16 bytes of that reserve, of the other
 *              the loader allocates 4 KiB through malloc on first touch.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "../support/plugin.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { COPIES = 100, THREADS = 4 };

static void *plugins[COPIES];
static pthread_barrier_t loaded;

static void copy_file(const char *from, const char *to) {
    struct stat info;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    EXPECT(in >= 0 && out >= 0 && fstat(in, &info) == 0);
    EXPECT(sendfile(out, in, NULL, (size_t)info.st_size) == info.st_size);
    close(in);
    close(out);
}

static void touch_all(void) {
    for (int i = 0; i < COPIES; i++) {
        char *(*bytes)(void) = NULL;
        *(void **)&bytes = plugin_function(plugins[i], "plugin_bytes");
        EXPECT(strcmp(bytes(), "local") == 0);
        bytes()[15] = 1;
    }
}

static void *live_through_loading(void *unused) {
    EXPECT(workout(1));
    pthread_barrier_wait(&loaded);
    touch_all();
    EXPECT(workout(2));
    return unused;
}

int main(void) {
    provider_require();
    char directory[] = "/tmp/hakmem-dlopen-XXXXXX";
    char sources[2][4096];
    char copy[128];
    pthread_t threads[THREADS];
    EXPECT(mkdtemp(directory) != NULL);
    plugin_path(sources[0], sizeof sources[0], "thread_local");
    plugin_path(sources[1], sizeof sources[1], "thread_local_static");
    EXPECT(pthread_barrier_init(&loaded, NULL, THREADS + 1) == 0);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, live_through_loading, NULL) == 0);
    }
    for (int i = 0; i < COPIES; i++) {
        snprintf(copy, sizeof copy, "%s/copy%d.so", directory, i);
        copy_file(sources[i % 2], copy);
        plugins[i] = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
        if (plugins[i] == NULL) {
            dprintf(STDERR_FILENO, "library %d: %s\n", i, dlerror());
        }
        unlink(copy);
    }
    rmdir(directory);
    for (int i = 0; i < COPIES; i++) {
        EXPECT(plugins[i] != NULL);
    }
    touch_all();
    pthread_barrier_wait(&loaded);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    for (int i = 0; i < COPIES; i++) {
        EXPECT(dlclose(plugins[i]) == 0);
    }
    EXPECT(workout(3));
    return 0;
}
