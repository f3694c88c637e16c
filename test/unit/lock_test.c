/* lock_test.c
 * Purpose.     The lock excludes, wakes its sleepers, knows its owner, survives a fork, and minds ranks.
 */
#include "support/child.h"
#include "support/unit.h"

#include <pthread.h>
#include <sched.h>

#include "os/lock.h"
#include "os/os.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct lock lock = {.rank = LOCK_RANK_HEAP};
static uint64_t guarded[2];

static void *increment(void *unused) {
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 4 != 0 || !lock_try(&lock)) {
            lock_acquire(&lock);
        }
        guarded[0]++;
        if (i % 64 == 0) {
            sched_yield(); /* others find it taken */
        }
        guarded[1]++;
        lock_release(&lock);
    }
    return NULL;
}

static void threads_exclude_each_other(void **state) {
    pthread_t threads[THREADS];
    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, increment, NULL), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(guarded[0], THREADS * ROUNDS);
    assert_int_equal(guarded[1], THREADS * ROUNDS);
    assert_int_equal(lock.word, 0);
}

static void *take_and_release(void *unused) {
    (void)unused;
    EXPECT(!lock_try(&lock));
    EXPECT(!lock_is_mine(&lock));
    lock_acquire(&lock);
    EXPECT(lock_is_mine(&lock));
    guarded[0] = 5;
    lock_release(&lock);
    return NULL;
}

static void a_sleeper_is_woken(void **state) {
    pthread_t thread;
    (void)state;
    lock_acquire(&lock);
    guarded[0] = 0;
    assert_int_equal(pthread_create(&thread, NULL, take_and_release, NULL), 0);
    while ((load_relaxed(&lock.word) & LOCK_CONTENDED) == 0) {
        sched_yield();
    }
    assert_true(lock_is_mine(&lock));
    assert_int_equal(guarded[0], 0);
    lock_release(&lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(guarded[0], 5);
    assert_int_equal(lock.word, 0);
}

static void the_owner_is_in_the_word(void **state) {
    (void)state;
    assert_int_equal(hak_lock_self(), hak_os_thread_id());
    assert_false(lock_is_mine(&lock));
    assert_true(lock_try(&lock));
    assert_int_equal(lock.word, hak_os_thread_id());
    assert_true(lock_is_mine(&lock));
    assert_false(lock_try(&lock));
    lock_release(&lock);
    assert_false(lock_is_mine(&lock));
}

static struct lock other = {.rank = LOCK_RANK_ARENA};

/* `lock` was held before the fork and stays with the child's thread; `other` was taken for the fork. */
static void continue_in_child(void *unused) {
    (void)unused;
    hak_lock_self_forked();
    EXPECT(hak_lock_self() == hak_os_thread_id());
    hak_lock_postfork_child(&other);
    hak_lock_postfork_child(&lock);
    EXPECT(lock_is_mine(&lock) && !lock_is_mine(&other));
    EXPECT(other.word == 0);
    lock_release(&lock);
    EXPECT(lock_try(&other) && lock_is_mine(&other));
}

static void forked_locks_are_kept_or_free(void **state) {
    (void)state;
    lock_acquire(&lock);
    hak_lock_prefork(&lock, true);
    hak_lock_prefork(&other, true);
    assert_int_equal(lock.fork, LOCK_FORK_KEPT);
    assert_int_equal(other.fork, LOCK_FORK_TAKEN);
    assert_true(lock_is_mine(&lock) && lock_is_mine(&other));
    assert_true(child_succeeds(continue_in_child, NULL));
    hak_lock_postfork_parent(&lock);
    hak_lock_postfork_parent(&other);
    assert_true(lock_is_mine(&lock) && other.word == 0);
    lock_release(&lock);
}

static pthread_barrier_t barrier;

static void *hold_other(void *unused) {
    (void)unused;
    lock_acquire(&other);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    lock_release(&other);
    return NULL;
}

static void skip_in_child(void *unused) {
    (void)unused;
    hak_lock_self_forked();
    hak_lock_postfork_child(&other);
    EXPECT(other.word == 0 && lock_try(&other));
}

/* Its holder will not come back in the child, and in the parent it is still his. */
static void a_lock_that_cannot_be_had_is_skipped(void **state) {
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_other, NULL), 0);
    pthread_barrier_wait(&barrier);
    hak_lock_prefork(&other, true);
    assert_int_equal(other.fork, LOCK_FORK_SKIPPED);
    assert_true(child_succeeds(skip_in_child, NULL));
    hak_lock_postfork_parent(&other);
    assert_false(lock_try(&other));
    pthread_barrier_wait(&barrier);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.word, 0);
    pthread_barrier_destroy(&barrier);
}

static void take_in_falling_rank(void *unused) {
    (void)unused;
    lock_acquire(&other);
    lock_acquire(&lock);
}

static void falling_rank_dies_in_debug_builds(void **state) {
    static struct child child;
    (void)state;
    child_run(&child, take_in_falling_rank, NULL);
    assert_int_equal(child_aborted(&child), HAK_DEBUG >= 1);
    assert_int_equal(child.status != 0, HAK_DEBUG >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_exclude_each_other),
        cmocka_unit_test(a_sleeper_is_woken),
        cmocka_unit_test(the_owner_is_in_the_word),
        cmocka_unit_test(forked_locks_are_kept_or_free),
        cmocka_unit_test(a_lock_that_cannot_be_had_is_skipped),
        cmocka_unit_test(falling_rank_dies_in_debug_builds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
