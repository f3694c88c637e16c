/* figures_test.c
 * Purpose.     hak_stats_get says what happened, and hak_stats_print says the same in each of its formats.
 * Design.      The difference that a known sequence of calls makes, in a process that is quiet; what is printed is
 *              looked up number by number. The printer is also run with a buffer that it has to empty again and again.
 */
#include "support/unit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/config.h"
#include "base/figures_print.h"
#include "base/options.h"
#include "base/size_class.h"
#include "hakmem.h"
#include "hakmem_stats.h"
#include "os/os.h"
#include "segment/limit.h"
#include "segment/view.h"

#define NEW_STATS ((hak_stats_t){.size = sizeof(hak_stats_t), .version = HAK_STATS_VERSION})

/* Of the struct when it was made. */
#define FIRST_BYTES offsetof(hak_stats_t, reused_bytes)

static hak_stats_t get(void) {
    hak_stats_t stats = NEW_STATS;
    assert_int_equal(hak_stats_get(&stats), 0);
    return stats;
}

static void a_wrong_size_or_version_is_refused(void **state) {
    hak_stats_t stats = NEW_STATS, before;
    (void)state;
    const uint32_t sizes[] = {0, 8, FIRST_BYTES - 8, FIRST_BYTES - 1};
    memset(&stats, 0xaa, sizeof stats);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        stats.size = sizes[i];
        stats.version = HAK_STATS_VERSION;
        before = stats;
        errno = 0;
        assert_int_equal(hak_stats_get(&stats), -1);
        assert_int_equal(errno, EINVAL);
        assert_memory_equal(&stats, &before, sizeof stats);
    }
    stats.size = sizeof stats;
    stats.version = HAK_STATS_VERSION + 1;
    before = stats;
    assert_int_equal(hak_stats_get(&stats), -1);
    assert_memory_equal(&stats, &before, sizeof stats);
    errno = 0;
    assert_int_equal(hak_stats_get(NULL), -1);
    assert_int_equal(errno, EINVAL);
}

/* A program that was built with a later header, which knows more. */
static void a_larger_struct_is_filled_as_far_as_it_is_known(void **state) {
    struct {
        hak_stats_t stats;
        uint64_t later;
    } larger = {.stats = NEW_STATS, .later = 77};
    (void)state;
    larger.stats.size = sizeof larger;
    assert_int_equal(hak_stats_get(&larger.stats), 0);
    assert_int_equal(larger.stats.size, sizeof(hak_stats_t));
    assert_int_equal(larger.stats.version, HAK_STATS_VERSION);
    assert_int_equal(larger.later, 77);
    assert_true(larger.stats.committed_bytes != 0);
}

/* A program that was built with an earlier header, whose struct ends before what is new. */
static void a_smaller_struct_is_filled_as_far_as_it_goes(void **state) {
    hak_stats_t stats, known = get();
    (void)state;
    for (uint32_t size = FIRST_BYTES; size <= sizeof stats; size += 8) {
        memset(&stats, 0xaa, sizeof stats);
        stats.size = size;
        stats.version = HAK_STATS_VERSION;
        assert_int_equal(hak_stats_get(&stats), 0);
        assert_int_equal(stats.size, size);
        assert_memory_equal(&stats.live_bytes, &known.live_bytes, size - offsetof(hak_stats_t, live_bytes));
        for (uint32_t i = size; i < sizeof stats; i++)
            assert_int_equal(((unsigned char *)&stats)[i], 0xaa);
    }
}

#define MORE(field) (after.field - before.field)

static void small_blocks_are_counted(void **state) {
    enum { BLOCKS = 5000 };
    static void *blocks[BLOCKS];
    unsigned c = size_class_of(100);
    size_t bytes = size_class_bytes(c);
    (void)state;
    hak_stats_t before = get();
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i] = i % 2 == 0 ? hak_malloc(100) : hak_calloc(10, 10);
    hak_stats_t after = get();
    assert_int_equal(MORE(allocations), BLOCKS);
    assert_int_equal(MORE(live_bytes), BLOCKS * bytes);
    assert_int_equal(MORE(allocated_bytes), BLOCKS * bytes);
    assert_int_equal(MORE(class_allocations[c]), BLOCKS);
    assert_int_equal(MORE(class_live_blocks[c]), BLOCKS);
    assert_int_equal(MORE(class_live_bytes[c]), BLOCKS * bytes);
    assert_int_equal(MORE(tier_live_bytes[HAK_TIER_TINY]), BLOCKS * bytes);
    assert_int_equal(MORE(calls[HAK_ENTRY_MALLOC]), BLOCKS / 2);
    assert_int_equal(MORE(calls[HAK_ENTRY_CALLOC]), BLOCKS / 2);
    for (unsigned i = 0; i < BLOCKS; i++)
        hak_free(blocks[i]);
    hak_free(NULL);
    after = get();
    assert_int_equal(MORE(frees), BLOCKS);
    assert_int_equal(MORE(null_frees), 1);
    assert_int_equal(MORE(calls[HAK_ENTRY_FREE]), BLOCKS + 1);
    assert_int_equal(MORE(live_bytes), 0);
    assert_int_equal(MORE(class_live_blocks[c]), 0);
    assert_true(after.active_bytes + after.retained_bytes <= after.committed_bytes);
    assert_true(after.committed_bytes <= after.mapped_bytes && after.metadata_bytes != 0);
    assert_true(after.heaps >= 1 && after.threads >= 1);
}

static void *free_it(void *block) {
    hak_free(block);
    return NULL;
}

/* Large, Huge and direct ones, resized in place and by moving, freed by another thread. */
static void blocks_above_the_classes_are_counted(void **state) {
    static const struct {
        size_t size, resized;
        enum hak_tier tier;
    } cases[] = {
        {100000, 130000, HAK_TIER_LARGE},   {100000, 40000, HAK_TIER_LARGE},     {5 << 20, 6 << 20, HAK_TIER_HUGE},
        {5 << 20, 3 << 20, HAK_TIER_HUGE},  {70 << 20, 90 << 20, HAK_TIER_HUGE}, {1000000, 1900000, HAK_TIER_LARGE},
        {5 << 20, 70 << 20, HAK_TIER_HUGE},
    };
    unsigned moved = 0;
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        pthread_t thread;
        hak_stats_t before = get();
        void *block = hak_malloc(cases[i].size);
        hak_stats_t after = get();
        assert_int_equal(MORE(live_bytes), hak_good_size(cases[i].size));
        assert_int_equal(MORE(tier_live_bytes[cases[i].tier]), hak_good_size(cases[i].size));
        assert_int_equal(MORE(tier_live_blocks[cases[i].tier]), 1);
        assert_int_equal(MORE(allocated_bytes), hak_good_size(cases[i].size));
        assert_int_equal(MORE(calls[HAK_ENTRY_MALLOC]), 1);
        block = hak_realloc(block, cases[i].resized);
        after = get();
        size_t from = hak_good_size(cases[i].size), to = hak_good_size(cases[i].resized);
        bool has_moved = MORE(allocations) == 2;
        assert_int_equal(MORE(allocated_bytes), from + to - (has_moved ? 0 : least(from, to)));
        moved += has_moved;
        assert_int_equal(MORE(live_bytes), hak_good_size(cases[i].resized));
        assert_int_equal(MORE(tier_live_bytes[cases[i].tier]), hak_good_size(cases[i].resized));
        assert_int_equal(MORE(calls[HAK_ENTRY_MALLOC]), 1);
        assert_int_equal(MORE(calls[HAK_ENTRY_REALLOC]), 1);
        assert_int_equal(pthread_create(&thread, NULL, free_it, block), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        after = get();
        assert_int_equal(MORE(live_bytes), 0);
        assert_int_equal(MORE(tier_live_bytes[cases[i].tier]), 0);
        assert_int_equal(MORE(tier_live_blocks[cases[i].tier]), 0);
    }
    assert_true(moved != 0 && moved < sizeof cases / sizeof *cases);
}

static void free_touched(void *block, size_t size) {
    assert_non_null(block);
    memset(block, 1, size);
    hak_free(block);
}

/* Large and Huge blocks in memory that had been freed: its whole granules. What went back to the kernel meanwhile is
 * not used again, nor is what calloc exchanges for the kernel's zero pages. */
static void faults_that_retained_memory_avoids_are_counted(void **state) {
    static const struct {
        size_t size;
        bool zeroed, exchanged;
    } cases[] = {{1000000, false, false}, {1000000, true, false},  {5 << 20, false, false},
                 {5 << 20, true, false},  {9 << 20, false, false}, {(9 << 20) + 1, true, true}};
    (void)state;
    int64_t delay = hak_options.purge_delay;
    hak_options.purge_delay = 86400000;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = cases[i].size, bytes = round_up(size, HAK_GRANULE_SIZE);
        hak_trim();
        hak_stats_t before = get();
        free_touched(cases[i].zeroed ? hak_calloc(1, size) : hak_malloc(size), size);
        hak_stats_t after = get();
        assert_int_equal(MORE(reused_bytes), 0);
        free_touched(cases[i].zeroed ? hak_calloc(1, size) : hak_malloc(size), size);
        after = get();
        assert_int_equal(MORE(reused_bytes), cases[i].exchanged ? 0 : bytes);
        assert_int_equal(MORE(page_faults_avoided), MORE(reused_bytes) / hak_os_page_size());
        assert_int_equal(MORE(purged_bytes), cases[i].exchanged ? bytes : 0);
        hak_trim();
        before = get();
        free_touched(cases[i].zeroed ? hak_calloc(1, size) : hak_malloc(size), size);
        after = get();
        assert_int_equal(MORE(reused_bytes) + MORE(page_faults_avoided), 0);
    }
    hak_options.purge_delay = delay;
}

/* ---- printing ---- */

static char printed[1 << 20];

static void print(enum hak_stats_format format) {
    int fd = memfd_create("printed", 0);
    assert_true(fd >= 0);
    assert_int_equal(hak_stats_print(fd, (int)format), 0);
    ssize_t length = pread(fd, printed, sizeof printed - 1, 0);
    assert_true(length > 1000);
    printed[length] = 0;
    close(fd);
}

static void expect_text(const char *text) {
    if (strstr(printed, text) == NULL)
        fail_msg("no '%s' in:\n%.3000s", text, printed);
}

/* `before`, a number, and what ends it. */
static void expect_number(const char *before, uint64_t number, const char *after) {
    char line[200];
    snprintf(line, sizeof line, "%s%" PRIu64 "%s", before, number, after);
    expect_text(line);
}

static void every_format_says_the_same(void **state) {
    void *kept = hak_malloc(123456);
    char label[100];
    (void)state;
    hak_stats_t stats = get();
    print(HAK_STATS_JSON);
    expect_number("{\n  \"pid\": ", (uint64_t)getpid(), ",\n");
#define JSON_COUNTER(field) expect_number("\n  \"" #field "\": ", stats.field, "");
#define JSON_GAUGE(field) JSON_COUNTER(field)
#define JSON_LIMIT(field) expect_text("\n  \"" #field "\": null");
#define JSON_NONE(field, kind) JSON_##kind(field)
#define JSON_TIER(field, kind)
#define JSON_ENTRY(field, kind)
#define JSON_CLASS(field, kind)
#define JSON_LINE(field, kind, set, column, text) JSON_##set(field, kind)
    HAK_FIGURES(JSON_LINE)
    expect_number("\"tier\": \"large\",\n      \"allocations\": ", stats.tier_allocations[HAK_TIER_LARGE], ",\n");
    expect_number("\"function\": \"malloc\",\n      \"calls\": ", stats.calls[HAK_ENTRY_MALLOC], "\n");
    expect_number("\"block_bytes\": 112,\n      \"allocations\": ", stats.class_allocations[size_class_of(100)], ",\n");
    assert_string_equal(printed + strlen(printed) - 4, "]\n}\n");
    print(HAK_STATS_OPENMETRICS);
    snprintf(label, sizeof label, "\nhakmem_live_bytes{pid=\"%d\"} ", (int)getpid());
    expect_number(label, stats.live_bytes, "\n");
    snprintf(label, sizeof label, "\nhakmem_allocations_total{pid=\"%d\"} ", (int)getpid());
    expect_number(label, stats.allocations, "\n");
    assert_string_equal(printed + strlen(printed) - 6, "# EOF\n");
    print(HAK_STATS_TEXT);
    expect_number(" ", stats.live_bytes, "  live          bytes in blocks");
    /* Nothing that was printed was printed with malloc. */
    hak_stats_t after = get();
    assert_int_equal(after.allocations, stats.allocations);
    hak_free(kept);
}

/* Where there is none, it says so in each format; elsewhere it is a number. */
static void limits_are_printed_as_they_are_in_force(void **state) {
    (void)state;
    assert_int_equal(get().hard_limit_bytes, 0);
    assert_int_equal(get().group_limit_bytes, 0);
    assert_true(get().cpus >= 1);
    print(HAK_STATS_TEXT);
    expect_text("\n       unlimited  hard limit    bytes in use");
    print(HAK_STATS_OPENMETRICS);
    expect_text("# TYPE hakmem_hard_limit_bytes gauge\n");
    expect_text("\"} +Inf\n");
    hak_limit_set(5 << 20, (uint64_t)1 << 40);
    hak_stats_t stats = get();
    print(HAK_STATS_TEXT);
    expect_text("\n         5242880  soft limit    bytes in use");
    expect_text("\n   1099511627776  hard limit    bytes in use");
    print(HAK_STATS_JSON);
    expect_text(
        "\"soft_limit_bytes\": 5242880,\n  \"hard_limit_bytes\": 1099511627776,\n  \"group_limit_bytes\": null,");
    print(HAK_STATS_OPENMETRICS);
    expect_text("\"} 1099511627776\n");
    hak_limit_set(HAK_LIMIT_NONE, HAK_LIMIT_NONE);
    assert_int_equal(stats.soft_limit_bytes, 5 << 20);
    assert_int_equal(stats.hard_limit_bytes, (uint64_t)1 << 40);
}

static void what_cannot_be_printed_is_an_error(void **state) {
    (void)state;
    errno = 0;
    assert_int_equal(hak_stats_print(STDERR_FILENO, 3), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(hak_stats_print(STDERR_FILENO, -1), -1);
    errno = 0;
    assert_int_equal(hak_stats_print(-1, HAK_STATS_TEXT), -1);
    assert_int_equal(errno, EBADF);
    int full = open("/dev/full", O_WRONLY);
    errno = 0;
    assert_int_equal(hak_stats_print(full, HAK_STATS_JSON), -1);
    assert_int_equal(errno, ENOSPC);
    close(full);
}

/* ---- the printer ---- */

static char collected[1 << 16];
static unsigned flushes;

static void collect(struct figures_print *print) {
    strcat(collected, print->out.buffer);
    flushes++;
    print->out = format_into(print->out.buffer, print->out.capacity);
}

static void walk(void (*form)(struct figures_print *), size_t capacity, const void *before) {
    static char buffer[1 << 16];
    static const uint64_t values[] = {5, 0, 1000000, 7, 0, 3};
    static const struct figure_row rows[] = {
        {"one_bytes", FIGURE_GAUGE, 0, "one", "of a kind", 0},
        {"class_many", FIGURE_COUNTER, 1, "many", "of classes", 8},
        {"tier_more", FIGURE_GAUGE, 2, "more", "of tiers", 32},
    };
    static const char names[][FIGURE_MEMBER_BYTES] = {"low", "high"};
    static const struct figure_set sets[] = {
        {NULL, NULL, 0, 1, NULL}, {"block_bytes", "classes", 0, 3, NULL}, {"tier", "tiers", 0, 2, names}};
    static const uint32_t sizes[] = {0, 16, 32};
    struct figures_print print = {rows, 3, sets, 3, values, before, 500, sizes, 42, {0}, collect};
    collected[0] = 0;
    flushes = 0;
    print.out = format_into(buffer, capacity);
    form(&print);
}

static void text_is_what_it_should_be(void **state) {
    static const uint64_t before[] = {5, 0, 0, 8, 0, 0};
    (void)state;
    walk(hak_figures_json, 4096, NULL);
    assert_string_equal(collected, "{\n  \"pid\": 42,\n  \"one_bytes\": 5,\n  \"classes\": [\n"
                                   "    {\n      \"block_bytes\": 16,\n      \"many\": 1000000\n    },\n"
                                   "    {\n      \"block_bytes\": 32,\n      \"many\": 7\n    }\n  ],\n"
                                   "  \"tiers\": [\n    {\n      \"tier\": \"high\",\n      \"more\": 3\n    }\n"
                                   "  ]\n}\n");
    walk(hak_figures_openmetrics, 4096, NULL);
    assert_string_equal(collected, "# HELP hakmem_one_bytes of a kind\n# TYPE hakmem_one_bytes gauge\n"
                                   "hakmem_one_bytes{pid=\"42\"} 5\n"
                                   "# HELP hakmem_class_many_total of classes\n# TYPE hakmem_class_many_total counter\n"
                                   "hakmem_class_many_total{pid=\"42\",block_bytes=\"0\"} 0\n"
                                   "hakmem_class_many_total{pid=\"42\",block_bytes=\"16\"} 1000000\n"
                                   "hakmem_class_many_total{pid=\"42\",block_bytes=\"32\"} 7\n"
                                   "# HELP hakmem_tier_more of tiers\n# TYPE hakmem_tier_more gauge\n"
                                   "hakmem_tier_more{pid=\"42\",tier=\"low\"} 0\n"
                                   "hakmem_tier_more{pid=\"42\",tier=\"high\"} 3\n# EOF\n");
    walk(hak_figures_text, 4096, before);
    assert_string_equal(collected, "               5  one           bytes of a kind\n\n"
                                   "            many  block bytes\n"
                                   "       2000000/s  16\n"
                                   "             0/s  32\n\n"
                                   "            more  tier\n"
                                   "               3  high\n");
}

static void a_small_buffer_loses_nothing(void **state) {
    static void (*const forms[])(struct figures_print *) = {hak_figures_text, hak_figures_json,
                                                            hak_figures_openmetrics};
    static char whole[1 << 16];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        walk(forms[i], 1 << 15, NULL);
        assert_int_equal(flushes, 1);
        strcpy(whole, collected);
        walk(forms[i], FIGURES_LINE_BYTES + 8, NULL);
        assert_true(flushes > 3);
        assert_string_equal(collected, whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_size_or_version_is_refused),
        cmocka_unit_test(a_larger_struct_is_filled_as_far_as_it_is_known),
        cmocka_unit_test(a_smaller_struct_is_filled_as_far_as_it_goes),
        cmocka_unit_test(small_blocks_are_counted),
        cmocka_unit_test(blocks_above_the_classes_are_counted),
        cmocka_unit_test(faults_that_retained_memory_avoids_are_counted),
        cmocka_unit_test(every_format_says_the_same),
        cmocka_unit_test(limits_are_printed_as_they_are_in_force),
        cmocka_unit_test(what_cannot_be_printed_is_an_error),
        cmocka_unit_test(text_is_what_it_should_be),
        cmocka_unit_test(a_small_buffer_loses_nothing),
    };
    hak_free(hak_malloc(1));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
