/* limit_test.c
 * link: -Wl,--wrap=hak_os_cpu_count
 * Purpose.     What the limits promise: above the soft one nothing waits, at the hard one every call that needs memory
 *              gives NULL with ENOMEM and nothing is lost; who asked is told once per crossing, with no lock held.
 * Design.      Each test is a child: limits start anew. The sum that a limit bounds is checked after every call.
 */
#include "support/child.h"
#include "support/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "api/limit.h"
#include "hakmem.h"
#include "heap/thread.h"
#include "heap/thread_list.h"
#include "os/os.h"
#include "segment/arena.h"
#include "segment/meta.h"
#include "segment/purge.h"
#include "segment/view.h"

#define MIB ((size_t)1 << 20)

enum { BLOCKS = 200000, THREADS = 4, ROUNDS = 20000, FAKE_CPUS = 16 };

unsigned __wrap_hak_os_cpu_count(void);

unsigned __wrap_hak_os_cpu_count(void) {
    return FAKE_CPUS;
}

static void *blocks[BLOCKS];
static unsigned block_count;

static uint64_t held_bytes(void) {
    return limit_used() + hak_view.retained_bytes;
}

/* Of the limits, over what is in use now. Something is, so that the start is over. */
static uint64_t set_limits(size_t soft_more, size_t hard_more) {
    hak_free(hak_malloc(1));
    uint64_t used = limit_used();
    hak_limit_set(soft_more == 0 ? HAK_LIMIT_NONE : used + soft_more,
                  hard_more == 0 ? HAK_LIMIT_NONE : used + hard_more);
    return used + (hard_more != 0 ? hard_more : soft_more);
}

/* Allocates until refused. */
static void fill(size_t size, uint64_t hard) {
    for (; block_count < BLOCKS; block_count++) {
        errno = 0;
        void *block = hak_malloc(size);
        EXPECT(held_bytes() <= hard);
        if (block == NULL) {
            EXPECT(errno == ENOMEM);
            return;
        }
        unit_fill(block, size, 4096, block_count);
        blocks[block_count] = block;
    }
    EXPECT(false);
}

static void empty(size_t size) {
    for (unsigned i = 0; i < block_count; i++) {
        EXPECT(blocks[i] == NULL || unit_holds(blocks[i], size, size, 4096, i));
        hak_free(blocks[i]);
    }
    block_count = 0;
}

static void expect_refused(void *block) {
    EXPECT(block == NULL && errno == ENOMEM);
    errno = 0;
}

static const size_t SIZES[] = {1000, 5000, 30000, 120000, MIB, 5 * MIB};

static void fill_and_free_each_size(void *unused) {
    (void)unused;
    uint64_t hard = set_limits(0, 64 * MIB);
    for (unsigned i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        size_t size = SIZES[i];
        fill(size, hard);
        EXPECT(block_count * size > 50 * MIB);
        errno = 0;
        expect_refused(hak_calloc(1, 6 * MIB));
        expect_refused(hak_calloc(1000, 7 * MIB));
        expect_refused(hak_aligned_alloc(MIB, 6 * MIB));
        expect_refused(hak_aligned_alloc(64 * MIB, 6 * MIB));
        expect_refused(hak_malloc(64 * MIB));
        expect_refused(hak_malloc(1000 * MIB));
        expect_refused(hak_realloc(blocks[0], 64 * MIB));
        EXPECT(held_bytes() <= hard);
        for (unsigned b = 0; b < block_count; b += 2) {
            hak_free(blocks[b]);
            blocks[b] = NULL;
        }
        void *again = hak_malloc(size);
        EXPECT(again != NULL && held_bytes() <= hard);
        hak_free(again);
        empty(size);
        /* all of it is there for any other size */
        void *most = hak_malloc(48 * MIB);
        EXPECT(most != NULL && held_bytes() <= hard);
        hak_free(most);
    }
}

static void at_the_hard_limit_every_call_is_refused(void **state) {
    (void)state;
    assert_true(child_succeeds(fill_and_free_each_size, NULL));
}

/* A block in its place, one that would have to move, and mappings. */
static void grow_at_the_limit(void *unused) {
    (void)unused;
    static const size_t sizes[] = {100, 20000, 100000, 3 * MIB, 70 * MIB};
    uint64_t hard = set_limits(0, 128 * MIB);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        char *block = hak_malloc(size);
        EXPECT(block != NULL);
        unit_fill(block, size, 4096, i);
        errno = 0;
        expect_refused(hak_realloc(block, 140 * MIB));
        expect_refused(hak_realloc(block, 1000 * MIB));
        fill(MIB, hard);
        expect_refused(hak_realloc(block, size + 3 * MIB));
        EXPECT(unit_holds(block, size, size, 4096, i));
        char *shrunk = hak_realloc(block, size / 2);
        EXPECT(shrunk != NULL && unit_holds(shrunk, size, size / 2, 4096, i));
        EXPECT(held_bytes() <= hard);
        empty(MIB);
        block = hak_realloc(shrunk, size + 4 * MIB);
        EXPECT(block != NULL && unit_holds(block, size, size / 2, 4096, i));
        hak_free(block);
    }
}

static void realloc_at_the_limit_leaves_the_block(void **state) {
    (void)state;
    assert_true(child_succeeds(grow_at_the_limit, NULL));
}

/* There is room behind the block, but none below the limit. */
static void grow_in_place(void *unused) {
    (void)unused;
    char *block = hak_malloc(100000);
    EXPECT(block != NULL);
    unit_fill(block, 100000, 4096, 5);
    uint64_t hard = set_limits(0, 256 << 10);
    errno = 0;
    expect_refused(hak_realloc(block, MIB));
    EXPECT(held_bytes() <= hard && unit_holds(block, 100000, 100000, 4096, 5));
    EXPECT(hak_realloc(block, 300000) == block && held_bytes() <= hard);
}

/* hakmem's own structures count too. */
static void take_metadata(void *unused) {
    (void)unused;
    uint64_t hard = set_limits(0, 8 * MIB);
    fill(MIB, hard);
    EXPECT(hak_meta_alloc(MIB) == NULL && held_bytes() <= hard);
    empty(MIB);
    EXPECT(hak_meta_alloc(MIB) != NULL);
    hak_purge_excess(); /* as every slow path that takes memory or gives some back */
    EXPECT(held_bytes() <= hard);
}

/* What was freed lies in the thread's cache, and keeps more slabs in use than the limit leaves room for. */
static void empty_the_cache(void *unused) {
    (void)unused;
    uint64_t hard = set_limits(0, 2 * MIB);
    for (unsigned i = 0; i < 1500; i++)
        EXPECT((blocks[i] = hak_malloc(600 + i / 500 * 200)) != NULL);
    for (unsigned i = 0; i < 1500; i++)
        hak_free(blocks[i]);
    EXPECT(hak_view.active_bytes > MIB / 4);
    EXPECT(hak_malloc(MIB + MIB / 2 + MIB / 4) != NULL && held_bytes() <= hard);
}

/* A block's own metadata counts beside it: the limit is not passed by what the two are together. */
static void take_block_and_metadata(void *size) {
    uint64_t hard = set_limits(0, (size_t)size + 64);
    for (unsigned i = 0; i < 3; i++) {
        void *block = hak_malloc((size_t)size);
        EXPECT(held_bytes() <= hard);
        hak_free(block);
    }
    hak_limit_set(HAK_LIMIT_NONE, HAK_LIMIT_NONE);
    EXPECT((blocks[0] = hak_malloc((size_t)size)) != NULL);
    hak_free(blocks[0]);
}

static void whatever_takes_memory_asks(void **state) {
    (void)state;
    assert_true(child_succeeds(grow_in_place, NULL));
    assert_true(child_succeeds(take_metadata, NULL));
    assert_true(child_succeeds(empty_the_cache, NULL));
    static const size_t sizes[] = {MIB + MIB / 2 + MIB / 4, 3 * MIB, 20 * MIB, 70 * MIB};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(child_succeeds(take_block_and_metadata, (void *)sizes[i]));
    }
}

static void stay_above_soft(void *unused) {
    (void)unused;
    uint64_t soft = set_limits(24 * MIB, 0);
    bool waited = false;
    for (unsigned round = 0; round < 3; round++) {
        for (block_count = 0; block_count < 60; block_count++) {
            blocks[block_count] = hak_malloc(MIB);
            EXPECT(blocks[block_count] != NULL);
            EXPECT(hak_view.retained_bytes == 0 || held_bytes() <= soft);
        }
        EXPECT(limit_used() > soft);
        while (block_count > 0) {
            hak_free(blocks[--block_count]);
            EXPECT(hak_view.retained_bytes == 0 || held_bytes() <= soft);
            waited |= hak_view.retained_bytes != 0;
        }
    }
    EXPECT(waited); /* below the limit */
}

static void above_the_soft_limit_nothing_waits(void **state) {
    (void)state;
    assert_true(child_succeeds(stay_above_soft, NULL));
}

/* ---- who is told ---- */

static unsigned soft_told, hard_told;
static uint64_t limit_told, use_told;
static void *reserve;

static void note(size_t bytes_in_use, size_t limit, int hard) {
    soft_told += hard == 0;
    hard_told += hard == 1;
    limit_told = limit;
    use_told = bytes_in_use;
    EXPECT(!hak_thread_is_inside());
    void *block = hak_malloc(3000);
    hak_free(block);
    hak_free(reserve);
    reserve = NULL;
    errno = 99;
}

static void take(unsigned count) {
    while (count-- > 0) {
        errno = 77;
        blocks[block_count] = hak_malloc(MIB);
        EXPECT(blocks[block_count++] != NULL && errno == 77);
    }
}

static void give(unsigned count) {
    while (count-- > 0) {
        hak_free(blocks[--block_count]);
    }
}

static void cross_soft(void *unused) {
    (void)unused;
    uint64_t soft = set_limits(80 * MIB, 0);
    hak_limit_callback(note);
    take(70);
    EXPECT(soft_told == 0);
    take(20);
    EXPECT(soft_told == 1 && limit_told == soft && use_told > soft - 2 * MIB);
    take(20);
    give(35); /* below the limit, but not by an eighth */
    take(35);
    EXPECT(soft_told == 1);
    give(50);
    EXPECT(soft_told == 1);
    take(50);
    EXPECT(soft_told == 2 && hard_told == 0);
    hak_limit_callback(NULL);
    give(100);
    take(100);
    EXPECT(soft_told == 2);
}

static void the_soft_limit_is_told_once_per_crossing(void **state) {
    (void)state;
    assert_true(child_succeeds(cross_soft, NULL));
}

static void cross_hard(void *unused) {
    (void)unused;
    uint64_t hard = set_limits(0, 80 * MIB);
    hak_limit_callback(note);
    reserve = hak_malloc(5 * MIB);
    fill(MIB, hard);
    /* what the callback freed has served the call that was refused, and others */
    EXPECT(hard_told == 1 && limit_told == hard && reserve == NULL && block_count > 75);
    expect_refused(hak_malloc(MIB));
    expect_refused(hak_calloc(9, MIB));
    EXPECT(hard_told == 1 && soft_told == 0);
    hak_free(blocks[--block_count]);
    expect_refused(hak_malloc(9 * MIB));
    EXPECT(hard_told == 1);
    empty(MIB);
    expect_refused(hak_malloc(81 * MIB));
    EXPECT(hard_told == 2);
    EXPECT(hak_malloc(70 * MIB) != NULL && hard_told == 2);
}

static void the_hard_limit_is_told_and_asked_again(void **state) {
    (void)state;
    assert_true(child_succeeds(cross_hard, NULL));
}

/* ---- threads, forks ---- */

static uint64_t refusals, times_told;

static void count(size_t bytes_in_use, size_t limit, int hard) {
    EXPECT(hard == 1 && bytes_in_use > limit / 2);
    __atomic_fetch_add(&times_told, 1, __ATOMIC_RELAXED);
}

static void *work_at_the_limit(void *argument) {
    void *mine[64] = {NULL};
    size_t size[64] = {0};
    uint64_t random = (uintptr_t)argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned at = unit_below(&random, 64);
        EXPECT(mine[at] == NULL || unit_holds(mine[at], size[at], size[at], 65536, at));
        hak_free(mine[at]);
        size[at] = SIZES[unit_below(&random, 6)];
        errno = 0;
        mine[at] = hak_malloc(size[at]);
        EXPECT(mine[at] != NULL || errno == ENOMEM);
        if (mine[at] == NULL) {
            __atomic_fetch_add(&refusals, 1, __ATOMIC_RELAXED);
        } else {
            unit_fill(mine[at], size[at], 65536, at);
        }
    }
    for (unsigned at = 0; at < 64; at++) {
        hak_free(mine[at]);
    }
    return NULL;
}

static void crowd(void *unused) {
    (void)unused;
    pthread_t threads[THREADS];
    uint64_t hard = set_limits(0, 64 * MIB);
    hak_limit_callback(count);
    for (uintptr_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, work_at_the_limit, (void *)(i + 1)) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    EXPECT(refusals > 0 && times_told > 0 && times_told <= refusals);
    EXPECT(held_bytes() <= hard && hak_view.errors == 0);
    void *most = hak_malloc(48 * MIB);
    EXPECT(most != NULL && held_bytes() <= hard);
    hak_free(most);
}

static void threads_at_the_limit_go_on(void **state) {
    (void)state;
    assert_true(child_succeeds(crowd, NULL));
}

static void have_a_child(void *unused) {
    (void)unused;
    uint64_t hard = set_limits(0, 32 * MIB);
    fill(MIB, hard);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        expect_refused(hak_malloc(MIB));
        empty(MIB);
        fill(20000, hard);
        EXPECT(block_count > 1200);
        _exit(0);
    }
    EXPECT_CHILD_OK(child);
    expect_refused(hak_malloc(MIB));
}

static void a_fork_keeps_the_limit(void **state) {
    (void)state;
    assert_true(child_succeeds(have_a_child, NULL));
}

/* ---- at start ---- */

static char root[] = "/tmp/limit_test.XXXXXX";

static void write_file(const char *path, const char *text) {
    char full[256];
    snprintf(full, sizeof full, "%s%s", root, path);
    FILE *file = fopen(full, "w");
    EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void make_tree(void) {
    static const char *const folders[] = {"/proc", "/proc/self", "/sys", "/sys/fs", "/sys/fs/cgroup"};
    EXPECT(mkdtemp(root) != NULL);
    for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) {
        char full[256];
        snprintf(full, sizeof full, "%s%s", root, folders[i]);
        EXPECT(mkdir(full, 0700) == 0);
    }
    write_file("/proc/self/cgroup", "0::/\n");
    write_file("/sys/fs/cgroup/cpu.max", "250000 100000\n");
    write_file("/sys/fs/cgroup/memory.max", "1000000000\n");
}

static void *ask_for_a_record(void *barrier) {
    for (unsigned i = 0; i < 2 * HAK_VISITS_MAX; i++) {
        hak_free(hak_malloc(16));
    }
    pthread_barrier_wait(barrier);
    return NULL;
}

static unsigned heaps_of_many_threads(void) {
    enum { MANY = 4 * FAKE_CPUS };
    static pthread_t threads[MANY];
    pthread_barrier_t barrier;
    EXPECT(pthread_barrier_init(&barrier, NULL, MANY) == 0);
    for (unsigned i = 0; i < MANY; i++) {
        EXPECT(pthread_create(&threads[i], NULL, ask_for_a_record, &barrier) == 0);
    }
    for (unsigned i = 0; i < MANY; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    unsigned count = 0;
    for (unsigned id = 1; id <= HAK_HEAPS_MAX; id++)
        count += hak_heaps[id] != NULL;
    return count;
}

/* What a process that started like that has found: heaps, cpus, soft, hard and the group's limit, -1: none. */
static int tell_of_the_start(void) {
    hak_free(hak_malloc(1));
    dprintf(STDERR_FILENO, "%u %lld %lld %lld %lld\n", heaps_of_many_threads(), (long long)hak_view.cpu_count,
            (long long)hak_view.limit_bytes[HAK_LIMIT_SOFT], (long long)hak_view.limit_bytes[HAK_LIMIT_HARD],
            (long long)hak_view.group_bytes);
    return 0;
}

static void start_process(void *limit) {
    EXPECT(setenv("LIMIT_TEST_START", "1", 1) == 0 && setenv("HAKMEM_CGROUP_ROOT", root, 1) == 0);
    EXPECT(limit == NULL || setenv("HAKMEM_LIMIT", limit, 1) == 0);
    execl("/proc/self/exe", "limit_test", (char *)NULL);
    EXPECT(false);
}

static void expect_start(char *limit, const char *found) {
    static struct child child;
    child_run(&child, start_process, limit);
    assert_string_equal(child.text, found);
    assert_int_equal(child.status, 0);
}

/* 2.5 cpus are 2 heaps; nine tenths of the group's memory are the soft limit unless there is a lower one. */
static void limits_are_read_at_start(void **state) {
    char command[64];
    (void)state;
    make_tree();
    expect_start(NULL, "2 3 900000000 -1 1000000000\n");
    expect_start((char[]){"soft:1M,hard:1G"}, "2 3 1048576 1073741824 1000000000\n");
    expect_start((char[]){"soft:2G"}, "2 3 900000000 -1 1000000000\n");
    write_file("/proc/self/cgroup", "");
    expect_start((char[]){"soft:64M"}, "8 16 67108864 -1 -1\n");
    expect_start(NULL, "8 16 -1 -1 -1\n");
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

int main(void) {
    if (getenv("LIMIT_TEST_START") != NULL) {
        return tell_of_the_start();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_the_hard_limit_every_call_is_refused),
        cmocka_unit_test(realloc_at_the_limit_leaves_the_block),
        cmocka_unit_test(whatever_takes_memory_asks),
        cmocka_unit_test(above_the_soft_limit_nothing_waits),
        cmocka_unit_test(the_soft_limit_is_told_once_per_crossing),
        cmocka_unit_test(the_hard_limit_is_told_and_asked_again),
        cmocka_unit_test(threads_at_the_limit_go_on),
        cmocka_unit_test(a_fork_keeps_the_limit),
        cmocka_unit_test(limits_are_read_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
