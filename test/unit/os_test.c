/* os_test.c
 * Purpose.     What os.h promises of the kernel's memory: access in steps, zeros where zeros are promised, contents
 *              that follow a move, addresses that are gone after a release, and errno left alone.
 * Design.      Access is tried in a child, where a fault is a wait status.
 */
#include "support/child.h"
#include "support/process.h"
#include "support/unit.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "os/os.h"

enum { PAGES = 16 };

static size_t page;

static void read_byte(void *p) {
    EXPECT(*(volatile char *)p == 0);
}

static void write_byte(void *p) {
    *(volatile char *)p = 1;
}

static bool faults(void (*access)(void *), void *p) {
    static struct child child;
    child_run(&child, access, p);
    assert_true(child.status == 0 || (WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGSEGV));
    return child.status != 0;
}

static bool is_mapped(void *p) {
    unsigned char resident;
    return mincore(p, page, &resident) == 0;
}

static unsigned resident_pages(void *p, size_t bytes) {
    unsigned char resident[4 * PAGES];
    unsigned count = 0;
    assert_true(bytes / page <= sizeof resident);
    assert_int_equal(mincore(p, bytes, resident), 0);
    for (size_t i = 0; i < bytes / page; i++) {
        count += resident[i] & 1;
    }
    return count;
}

static void memory_becomes_usable_in_steps(void **state) {
    (void)state;
    char *space = hak_os_reserve(PAGES * page);
    assert_non_null(space);
    assert_true(faults(read_byte, space));
    assert_int_equal(hak_os_make_readable(space, PAGES * page), 0);
    assert_false(faults(read_byte, space + 5 * page));
    assert_true(faults(write_byte, space + 5 * page));
    assert_int_equal(hak_os_commit(space + page, page), 0);
    assert_true(faults(write_byte, space + page - 1));
    assert_true(faults(write_byte, space + 2 * page));
    assert_true(unit_is_zero(space, PAGES * page));
    memset(space + page, 1, page);
    assert_int_equal(hak_os_release(space, PAGES * page), 0);
    assert_false(is_mapped(space));
}

static void purged_pages_are_zero_and_not_resident(void **state) {
    (void)state;
    char *space = hak_os_reserve(PAGES * page);
    assert_non_null(space);
    assert_int_equal(hak_os_commit(space, PAGES * page), 0);
    memset(space, 7, PAGES * page);
    assert_int_equal(resident_pages(space, PAGES * page), PAGES);
    assert_int_equal(hak_os_purge(space + 4 * page, 8 * page), 0);
    assert_int_equal(resident_pages(space, PAGES * page), PAGES - 8);
    assert_true(unit_is_zero(space + 4 * page, 8 * page));
    assert_int_equal(space[4 * page - 1], 7);
    assert_int_equal(space[12 * page], 7);
    memset(space + 4 * page, 8, 8 * page);
    assert_int_equal(hak_os_release(space, PAGES * page), 0);
}

static void reservations_are_aligned_and_whole(void **state) {
    (void)state;
    for (size_t alignment = page; alignment <= (size_t)64 << 20; alignment *= 4) {
        char *space = hak_os_reserve_aligned(PAGES * page, alignment);
        assert_non_null(space);
        assert_int_equal((uintptr_t)space % alignment, 0);
        assert_int_equal(hak_os_commit(space, PAGES * page), 0);
        memset(space, 1, PAGES * page);
        assert_int_equal(hak_os_release(space, PAGES * page), 0);
    }
    assert_null(hak_os_reserve_aligned(SIZE_MAX - page + 1, (size_t)4 << 20));
    assert_null(hak_os_reserve((size_t)1 << 62));
}

static void trimmings_go_back(void **state) {
    (void)state;
    size_t before = process_address_space_bytes();
    char *space[PAGES];
    for (unsigned i = 0; i < PAGES; i++) {
        space[i] = hak_os_reserve_aligned(page, (size_t)1 << 30);
        assert_non_null(space[i]);
    }
    assert_int_equal(process_address_space_bytes() - before, PAGES * page);
    for (unsigned i = 0; i < PAGES; i++) {
        assert_int_equal(hak_os_release(space[i], page), 0);
    }
}

static void resizing_keeps_contents_in_place(void **state) {
    (void)state;
    char *space = hak_os_reserve(4 * PAGES * page);
    assert_non_null(space);
    assert_int_equal(hak_os_release(space + PAGES * page, 3 * PAGES * page), 0);
    assert_int_equal(hak_os_commit(space, PAGES * page), 0);
    unit_fill(space, PAGES * page, 512, 1);
    assert_int_equal(hak_os_resize(space, PAGES * page, 2 * PAGES * page), 0);
    assert_true(unit_holds(space, PAGES * page, PAGES * page, 512, 1));
    assert_true(unit_is_zero(space + PAGES * page, PAGES * page));
    assert_int_equal(hak_os_resize(space, 2 * PAGES * page, 3 * page), 0);
    assert_true(unit_holds(space, PAGES * page, 3 * page, 512, 1));
    assert_false(is_mapped(space + 3 * page));
    assert_int_equal(hak_os_release(space, 3 * page), 0);
}

static void resizing_does_not_move(void **state) {
    (void)state;
    char *space = hak_os_reserve(2 * PAGES * page);
    assert_non_null(space);
    assert_int_equal(hak_os_commit(space, PAGES * page), 0);
    unit_fill(space, PAGES * page, 512, 2);
    assert_int_equal(hak_os_resize(space, PAGES * page, PAGES * page + page), ENOMEM);
    assert_true(unit_holds(space, PAGES * page, PAGES * page, 512, 2));
    assert_int_equal(hak_os_release(space, 2 * PAGES * page), 0);
}

static void a_move_takes_the_pages_along(void **state) {
    (void)state;
    char *from = hak_os_reserve(PAGES * page);
    char *to = hak_os_reserve(2 * PAGES * page);
    assert_true(from != NULL && to != NULL);
    assert_int_equal(hak_os_commit(from, PAGES * page), 0);
    unit_fill(from, PAGES * page, 512, 3);
    assert_int_equal(hak_os_move(from, PAGES * page, to, 2 * PAGES * page), 0);
    assert_false(is_mapped(from));
    assert_true(unit_holds(to, PAGES * page, PAGES * page, 512, 3));
    assert_true(unit_is_zero(to + PAGES * page, PAGES * page));
    memset(to, 1, 2 * PAGES * page);
    assert_int_equal(hak_os_release(to, 2 * PAGES * page), 0);
}

static int child_reads(const char *p) {
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(*p);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_renewed_mapping_is_as_it_was_made(void **state) {
    static const int advice[] = {MADV_DONTFORK, MADV_WIPEONFORK, MADV_DONTDUMP};
    size_t bytes = 1024 * page;
    (void)state;
    char *p = hak_os_reserve_aligned(bytes, 1 << 20);
    assert_non_null(p);
    assert_int_equal(hak_os_commit(p, bytes), 0);
    memset(p, 7, bytes);
    for (unsigned i = 0; i < sizeof advice / sizeof *advice; i++) {
        for (size_t whole = 0; whole < 2; whole++) {
            assert_int_equal(madvise(whole ? p : p + page, whole ? bytes : page, advice[i]), 0);
            assert_true(hak_os_renew(p, bytes));
            assert_int_equal(child_reads(p + page), 7);
        }
    }
    assert_int_equal(mprotect(p + page, page, PROT_NONE), 0);
    assert_true(hak_os_renew(p, bytes));
    p[page] = 8;
    assert_int_equal(p[0] + p[bytes - 1], 14);
    assert_int_equal(hak_os_resize(p, bytes, bytes - page), 0); /* it is one mapping */
    bytes -= page;
    assert_int_equal(hak_os_advise_huge(p + page, page, false), 0);
    assert_false(hak_os_renew(p, bytes));
    assert_int_equal(hak_os_release(p + page, page), 0);
    assert_false(hak_os_renew(p, bytes));
    assert_int_equal(hak_os_release(p, bytes), 0);
    assert_false(hak_os_renew(p, bytes));
}

static void read_limit(void *unused) {
    (void)unused;
    struct rlimit limit = {(rlim_t)1 << 46, RLIM_INFINITY};
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_max == RLIM_INFINITY) {
        limit.rlim_cur = RLIM_INFINITY;
        EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
        EXPECT(hak_os_address_space_limit() == SIZE_MAX);
    }
    limit.rlim_cur = (rlim_t)1 << 46;
    EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
    EXPECT(hak_os_address_space_limit() == (size_t)1 << 46);
}

static void the_limit_of_address_space_is_seen(void **state) {
    (void)state;
    assert_true(child_succeeds(read_limit, NULL));
}

static void advice_changes_no_contents(void **state) {
    (void)state;
    char *space = hak_os_reserve(PAGES * page);
    assert_non_null(space);
    assert_int_equal(hak_os_commit(space, PAGES * page), 0);
    unit_fill(space, PAGES * page, 512, 5);
    assert_int_equal(hak_os_advise_no_dump(space, PAGES * page), 0);
    (void)hak_os_advise_huge(space, PAGES * page, false);
    assert_true(unit_holds(space, PAGES * page, PAGES * page, 512, 5));
    assert_int_equal(hak_os_release(space, PAGES * page), 0);
}

static void failures_are_values_and_errno_is_kept(void **state) {
    (void)state;
    errno = 4321;
    char *gone = hak_os_reserve(page);
    assert_non_null(gone);
    assert_int_equal(hak_os_release(gone, page), 0);
    assert_int_equal(hak_os_commit(gone, page), ENOMEM);
    assert_int_equal(hak_os_make_readable(gone, page), ENOMEM);
    assert_int_equal(hak_os_purge(gone, page), ENOMEM);
    assert_int_not_equal(hak_os_resize(gone, page, 2 * page), 0);
    assert_int_not_equal(hak_os_advise_huge(gone, page, true), 0);
    assert_null(hak_os_reserve((size_t)1 << 62));
    assert_int_equal(errno, 4321);
}

static void facts_about_the_machine(void **state) {
    cpu_set_t cpus;
    (void)state;
    assert_true(is_power_of_two(page) && page >= 4096 && page <= 65536);
    assert_int_equal(page, sysconf(_SC_PAGESIZE));
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    assert_int_equal(hak_os_cpu_count(), CPU_COUNT(&cpus));
    assert_int_equal(hak_os_thread_id(), syscall(SYS_gettid));
    uint64_t last = hak_os_now_ms();
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = hak_os_now_ms();
        assert_true(now >= last);
        last = now;
    }
}

static uint32_t word;

static void *wait_for_word(void *unused) {
    (void)unused;
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 1) {
        hak_os_futex_wait(&word, 1, 0);
    }
    return NULL;
}

static void sleepers_wake(void **state) {
    pthread_t thread;
    (void)state;
    word = 1;
    hak_os_futex_wait(&word, 0, 0); /* differs: returns at once */
    hak_os_futex_wait(&word, 1, 1); /* the limit is over */
    assert_int_equal(pthread_create(&thread, NULL, wait_for_word, NULL), 0);
    __atomic_store_n(&word, 2, __ATOMIC_RELEASE);
    hak_os_futex_wake(&word, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_becomes_usable_in_steps),
        cmocka_unit_test(purged_pages_are_zero_and_not_resident),
        cmocka_unit_test(reservations_are_aligned_and_whole),
        cmocka_unit_test(trimmings_go_back),
        cmocka_unit_test(resizing_keeps_contents_in_place),
        cmocka_unit_test(resizing_does_not_move),
        cmocka_unit_test(a_move_takes_the_pages_along),
        cmocka_unit_test(a_renewed_mapping_is_as_it_was_made),
        cmocka_unit_test(the_limit_of_address_space_is_seen),
        cmocka_unit_test(advice_changes_no_contents),
        cmocka_unit_test(failures_are_values_and_errno_is_kept),
        cmocka_unit_test(facts_about_the_machine),
        cmocka_unit_test(sleepers_wake),
    };
    page = hak_os_page_size();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
