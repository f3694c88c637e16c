/* late_thread.cpp
 * Purpose.     Calls that come while a thread ends: destructors of thread_local objects and of many pthread keys, in
 *              several rounds, that allocate, free blocks of their own thread and free blocks of other threads.
 * Design.      More than 32 keys, since glibc allocates for those. Each destructor sets its key again for two rounds,
 *              so some run after the allocator's own. 100 threads in turn: what each leaves behind would add up.
 * heaps: 4
 */
#include <atomic>
#include <pthread.h>
#include <string>
#include <vector>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

namespace {

enum { KEYS = 100, ROUNDS = 3, THREADS = 100, OTHERS = 20 };

pthread_key_t keys[KEYS];
std::atomic<int> destructions;
std::atomic<int> failures;
void *blocks_of_main[OTHERS];

/* The value of a key: how many rounds it has left, and a block. */
struct value {
    int rounds_left;
    size_t key;
    void *block;
};

void end_of_value(void *argument) {
    value *ended = static_cast<value *>(argument);
    destructions++;
    failures += !workout_small((uint32_t)ended->key);
    free(ended->block);
    if (ended->rounds_left > 1) {
        value *next = static_cast<value *>(malloc(sizeof(value)));
        *next = {ended->rounds_left - 1, ended->key, malloc(ended->key * 1000 + 1)};
        failures += pthread_setspecific(keys[ended->key], next) != 0;
    }
    free(ended);
}

struct local_object {
    std::vector<std::string> texts;
    ~local_object() {
        failures += texts.size() != 50;
        std::vector<std::string> copy(texts);
        texts.clear();
        failures += !workout(77);
        for (void *&block : blocks_of_main) {
            free(block);
            block = nullptr;
        }
        destructions++;
    }
};

thread_local local_object local;

void *live_and_end(void *) {
    for (int i = 0; i < 50; i++) {
        local.texts.push_back(std::string(100 + (size_t)i, 'x'));
    }
    for (size_t key = 0; key < KEYS; key++) {
        value *first = static_cast<value *>(malloc(sizeof(value)));
        *first = {ROUNDS, key, malloc(key * 5000 + 1)};
        failures += pthread_setspecific(keys[key], first) != 0;
    }
    return nullptr;
}

/* A thread whose first call of all comes in a destructor. */
void *only_end(void *unused) {
    static char never_allocated;
    failures += pthread_setspecific(keys[0], &never_allocated) != 0;
    return unused;
}

void end_of_silent_thread(void *) {
    destructions++;
    failures += !workout(88);
}

void run_one(void *(*body)(void *)) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, nullptr, body, nullptr) == 0);
    EXPECT(pthread_join(thread, nullptr) == 0);
}

} // namespace

int main() {
    provider_require();
    for (pthread_key_t &key : keys) {
        EXPECT(pthread_key_create(&key, end_of_value) == 0);
    }
    size_t before = 0;
    for (int i = 0; i < THREADS; i++) {
        for (size_t b = 0; b < OTHERS; b++) {
            blocks_of_main[b] = malloc(b * 20000 + 1);
        }
        destructions = 0;
        run_one(live_and_end);
        EXPECT(destructions == KEYS * ROUNDS + 1);
        EXPECT(failures == 0);
        if (i == 20) {
            before = process_rss_bytes();
        }
    }
    EXPECT_AT_MOST(process_rss_bytes(), before + 32 * MIB);
    EXPECT(pthread_key_delete(keys[0]) == 0);
    EXPECT(pthread_key_create(&keys[0], end_of_silent_thread) == 0);
    destructions = 0;
    for (int i = 0; i < THREADS; i++) {
        run_one(only_end);
    }
    EXPECT(destructions == THREADS && failures == 0);
    return 0;
}
