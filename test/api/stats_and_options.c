/* stats_and_options.c                                                                                  hakmem-only
 * Purpose.     hak_stats_get, hak_stats_print and hak_ctl as a program meets them: its own calls counted, its own
 *              options read and set, and what they change.
 * Design.      Found by name in the preloaded library, as in hak_functions.c.
 * Not here.    Every number and every option (unit/figures_test.c, unit/options_test.c).
 */
#include "../support/contract.h"
#include "../support/hak_functions.h"
#include "../support/process.h"

#include "hakmem_stats.h"

#include <sys/mman.h>

static struct hak_functions hak;

static hak_stats_t get(void) {
    hak_stats_t stats = {.size = sizeof stats, .version = HAK_STATS_VERSION};
    assert_int_equal(hak.hak_stats_get(&stats), 0);
    return stats;
}

static void calls_of_the_program_are_counted(void **state) {
    (void)state;
    enum { BLOCKS = 1000 };
    static void *blocks[BLOCKS];
    hak_stats_t before = get();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(5000);
    }
    hak_stats_t after = get();
    assert_int_equal(after.allocations - before.allocations, BLOCKS);
    assert_int_equal(after.calls[HAK_ENTRY_MALLOC] - before.calls[HAK_ENTRY_MALLOC], BLOCKS);
    assert_int_equal(after.tier_live_blocks[HAK_TIER_MID] - before.tier_live_blocks[HAK_TIER_MID], BLOCKS);
    assert_int_equal(after.live_bytes - before.live_bytes, BLOCKS * hak.hak_good_size(5000));
    for (int i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    after = get();
    assert_int_equal(after.live_bytes, before.live_bytes);
    assert_int_equal(after.frees - before.frees, BLOCKS);
}

static void a_struct_of_another_version_is_refused(void **state) {
    (void)state;
    hak_stats_t stats = {.size = sizeof stats, .version = HAK_STATS_VERSION + 1};
    errno = 0;
    assert_int_equal(hak.hak_stats_get(&stats), -1);
    assert_int_equal(errno, EINVAL);
    stats.version = HAK_STATS_VERSION;
    stats.size = 16;
    assert_int_equal(hak.hak_stats_get(&stats), -1);
}

static void printing_leaves_errno_alone(void **state) {
    (void)state;
    char text[4096] = "";
    int fd = memfd_create("printed", 0);
    errno = 1234;
    assert_int_equal(hak.hak_stats_print(fd, HAK_STATS_OPENMETRICS), 0);
    assert_int_equal(errno, 1234);
    assert_true(pread(fd, text, sizeof text - 1, 0) > 1000);
    assert_non_null(strstr(text, "# TYPE hakmem_live_bytes gauge\n"));
    close(fd);
    assert_int_equal(hak.hak_stats_print(fd, HAK_STATS_JSON), -1);
    assert_int_equal(errno, EBADF);
}

/* What is freed is kept for a while; not with a delay of 0. */
static void a_purge_delay_set_at_run_time_counts(void **state) {
    enum { BYTES = 20 * 1000 * 1000 };
    const int64_t never = 86400000, none = 0, usual = 1000;
    int64_t was = -1;
    (void)state;
    assert_int_equal(hak.hak_ctl("purge_delay", &was, &never), 0);
    assert_int_equal(was, usual);
    hak.hak_trim();
    free(memset(opaque(malloc(BYTES)), 1, BYTES));
    assert_true(get().retained_bytes >= BYTES);
    assert_int_equal(hak.hak_ctl("purge_delay", &was, &none), 0);
    assert_int_equal(was, never);
    free(memset(opaque(malloc(BYTES)), 1, BYTES));
    assert_int_equal(get().retained_bytes, 0);
    assert_int_equal(hak.hak_ctl("purge_delay", NULL, &usual), 0);
}

static void a_bad_free_is_reported_or_not_as_set(void **state) {
    (void)state;
    const int64_t report = 1;
    int64_t before_it = -1;
    int local = 0;
    int saved = dup(STDERR_FILENO);
    int fd = memfd_create("stderr", 0);
    assert_int_equal(hak.hak_ctl("on_error", &before_it, &report), 0);
    assert_int_equal(before_it, 0);
    hak_stats_t before = get();
    dup2(fd, STDERR_FILENO);
    free(opaque(&local));
    dup2(saved, STDERR_FILENO);
    hak_stats_t after = get();
    assert_int_equal(after.errors - before.errors, 1);
    assert_int_equal(after.foreign_frees - before.foreign_frees, 1);
    assert_int_equal(hak.hak_ctl("on_error", NULL, &before_it), 0);
    close(saved);
    close(fd);
}

static void what_ctl_cannot_do_it_says(void **state) {
    (void)state;
    int64_t value = 1, was = 4711;
    errno = 0;
    assert_int_equal(hak.hak_ctl("no_such_option", &was, NULL), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(hak.hak_ctl("heaps", &was, &value), -1);
    assert_int_equal(errno, EPERM);
    value = -1;
    assert_int_equal(hak.hak_ctl("cache_bytes", &was, &value), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(was, 4711);
    assert_int_equal(hak.hak_ctl("heaps", &was, NULL), 0);
    assert_int_equal(was, 0);
}

int main(void) {
    provider_require();
    if (!hak_functions_find(&hak, RTLD_DEFAULT)) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_the_program_are_counted),
        cmocka_unit_test(a_struct_of_another_version_is_refused),
        cmocka_unit_test(printing_leaves_errno_alone),
        cmocka_unit_test(a_purge_delay_set_at_run_time_counts),
        cmocka_unit_test(a_bad_free_is_reported_or_not_as_set),
        cmocka_unit_test(what_ctl_cannot_do_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
