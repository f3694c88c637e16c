/* limit.cpp
 * Purpose.     HAKMEM_LIMIT in a real program: at the hard limit every function of the malloc family and every operator
 *              new says so in its own way, the program goes on with what it has, and allocates again when it has freed.
 *              In threads and in forks too.
 * Design.      The program starts itself again under the limit. Without one, the same program is not refused.
 */
#include <new>

#include <malloc.h>
#include <pthread.h>

#include "../support/expect.h"
#include "../support/hak_functions.h"
#include "../support/process.h"
#include "../support/workout.h"

namespace {

enum { MOST_BLOCKS = 1000, LIMIT_MIB = 64 };

void *blocks[MOST_BLOCKS];
int block_count;
int times_told;
size_t limit_told;

void note(size_t, size_t limit, int hard) {
    times_told += hard;
    limit_told = limit;
}

/* Allocates a MiB at a time until refused. */
void fill() {
    for (block_count = 0; block_count < MOST_BLOCKS; block_count++) {
        errno = 0;
        void *block = opaque(malloc(MIB));
        if (block == nullptr) {
            EXPECT(errno == ENOMEM);
            return;
        }
        pattern_fill_sparse(block, MIB, (uint32_t)block_count);
        blocks[block_count] = block;
    }
}

void empty() {
    while (block_count-- > 0) {
        EXPECT(pattern_holds_sparse(blocks[block_count], MIB, MIB, (uint32_t)block_count));
        free(blocks[block_count]);
    }
}

void expect_refused(void *block) {
    EXPECT(block == nullptr && errno == ENOMEM);
    errno = 0;
}

template <typename Call> void expect_thrown(Call call) {
    bool thrown = false;
    try {
        (void)opaque(call());
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    EXPECT(thrown);
}

void every_call_is_refused() {
    const size_t more = 2 * MIB;
    void *block = nullptr;
    errno = 0;
    expect_refused(opaque(malloc(more)));
    expect_refused(opaque(calloc(2, MIB)));
    expect_refused(opaque(realloc(blocks[0], more)));
    expect_refused(opaque(reallocarray(blocks[0], 2, MIB)));
    expect_refused(opaque(aligned_alloc(MIB, more)));
    expect_refused(opaque(memalign(4096, more)));
    expect_refused(opaque(valloc(more)));
    expect_refused(opaque(pvalloc(more)));
    EXPECT(posix_memalign(&block, 64, more) == ENOMEM && block == nullptr);
    EXPECT(pattern_holds_sparse(blocks[0], MIB, MIB, 0));
    expect_thrown([] { return ::operator new(opaque_size(2 * MIB)); });
    expect_thrown([] { return ::operator new[](opaque_size(2 * MIB)); });
    expect_thrown([] { return ::operator new (opaque_size(2 * MIB), std::align_val_t{128}); });
    EXPECT(opaque(::operator new(opaque_size(more), std::nothrow)) == nullptr);
    EXPECT(opaque(::operator new[](opaque_size(more), std::nothrow)) == nullptr);
}

void use_up() {
    fill();
    EXPECT(block_count > LIMIT_MIB / 2 && block_count < LIMIT_MIB);
    every_call_is_refused();
    EXPECT(workout_or_refusal(1));
    empty();
    EXPECT(workout(2));
}

void *use_up_in_thread(void *unused) {
    use_up();
    return unused;
}

int main_under_limit() {
    hak_functions hak;
    EXPECT(hak_functions_find(&hak, RTLD_DEFAULT));
    hak.hak_limit_callback(note);
    use_up();
    EXPECT(times_told == 1 && limit_told == LIMIT_MIB * MIB);
    use_up();
    EXPECT(times_told == 2);
    pthread_t thread;
    EXPECT(pthread_create(&thread, nullptr, use_up_in_thread, nullptr) == 0);
    EXPECT(pthread_join(thread, nullptr) == 0);
    EXPECT(times_told == 3);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        use_up();
        exit(times_told == 4 ? 0 : 1);
    }
    EXPECT_CHILD_OK(child);
    return 0;
}

int main_without_limit() {
    fill();
    EXPECT(block_count == MOST_BLOCKS);
    empty();
    return 0;
}

void run(char *program, const char *limit) {
    char limited[] = "limited", unlimited[] = "unlimited";
    char *again[] = {program, limit != nullptr ? limited : unlimited, nullptr};
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        EXPECT(limit == nullptr || setenv("HAKMEM_LIMIT", limit, 1) == 0);
        execv("/proc/self/exe", again);
        _exit(127);
    }
    EXPECT_CHILD_OK(child);
}

} // namespace

int main(int argc, char **argv) {
    provider_require();
    if (argc == 2) {
        return strcmp(argv[1], "limited") == 0 ? main_under_limit() : main_without_limit();
    }
    run(argv[0], "soft:32M,hard:64M");
    run(argv[0], "hard:65536K");
    run(argv[0], nullptr);
    return 0;
}
