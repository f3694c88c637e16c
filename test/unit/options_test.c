/* options_test.c
 * Purpose.     Options out of the environment: every one by both of its names, precedence, and a message for whatever
 *              is not understood, which is then ignored. And hak_ctl, which reads and sets them later.
 * Design.      A child with the environment in question reads, prints, and its stderr is compared to the letter.
 */
#include "support/child.h"
#include "support/unit.h"

#include "api/options.h"
#include "base/options.h"
#include "hakmem.h"

extern char **environ;

struct change {
    int64_t *option;
    int64_t value;
};

struct setting {
    const char *variables[4]; /* the whole environment */
    struct change changes[3]; /* of the defaults */
    const char *messages;
};

#define TO(field, value)                                                                                               \
    { &hak_options.field, value }

static void read_in_child(void *argument) {
    struct setting *setting = argument;
    struct hak_options before = hak_options;
    environ = (char **)(uintptr_t)setting->variables;
    hak_options_read();
    for (unsigned i = 0; setting->changes[i].option != NULL; i++) {
        EXPECT(*setting->changes[i].option == setting->changes[i].value);
        *setting->changes[i].option =
            *(int64_t *)((char *)&before + ((char *)setting->changes[i].option - (char *)&hak_options));
    }
    EXPECT(memcmp(&hak_options, &before, sizeof before) == 0);
}

static void check(struct setting *settings, size_t count) {
    static struct child child;
    for (size_t i = 0; i < count; i++) {
        child_run(&child, read_in_child, &settings[i]);
        assert_string_equal(child.text, settings[i].messages);
        assert_int_equal(child.status, 0);
    }
}

#define CHECK(settings) check(settings, sizeof(settings) / sizeof *(settings))

static void every_option_by_its_variable(void **state) {
    struct setting settings[] = {
        {{NULL}, {{NULL, 0}}, ""},
        {{"PATH=/bin", "HAKMEMX=1", "XHAKMEM_THP=never", NULL}, {{NULL, 0}}, ""},
        {{"HAKMEM_PURGE_DELAY=0", NULL}, {TO(purge_delay, 0)}, ""},
        {{"HAKMEM_PURGE_DELAY=86400000", NULL}, {TO(purge_delay, 86400000)}, ""},
        {{"HAKMEM_THP=never", NULL}, {TO(thp, HAK_THP_NEVER)}, ""},
        {{"HAKMEM_THP=adaptive", NULL}, {TO(thp, HAK_THP_ADAPTIVE)}, ""},
        {{"HAKMEM_THP=always", NULL}, {TO(thp, HAK_THP_ALWAYS)}, ""},
        {{"HAKMEM_ON_ERROR=report", NULL}, {TO(on_error, HAK_ON_ERROR_REPORT)}, ""},
        {{"HAKMEM_WRAP_TINY=0", NULL}, {TO(wrap_tiny, 0)}, ""},
        {{"HAKMEM_TINY_USE_SUPERSLAB=0", NULL}, {TO(tiny_use_superslab, 0)}, ""},
        {{"HAKMEM_HEAPS=1023", NULL}, {TO(heaps, 1023)}, ""},
        {{"HAKMEM_CACHE_BYTES=4096", NULL}, {TO(cache_bytes, 4096)}, ""},
        {{"HAKMEM_LIMIT_SOFT=1048576", NULL}, {TO(limit_soft, 1 << 20)}, ""},
        {{"HAKMEM_LIMIT_HARD=2K", NULL}, {TO(limit_hard, 2048)}, ""},
        {{"HAKMEM_BACKGROUND_THREAD=1", NULL}, {TO(background_thread, 1)}, ""},
        {{"HAKMEM_STATS=off", NULL}, {{NULL, 0}}, ""},
        {{"HAKMEM_STATS=exit", NULL}, {TO(stats, HAK_REPORT_EXIT)}, ""},
        {{"HAKMEM_STATS=exit:/tmp/a:b.%p", NULL}, {TO(stats, HAK_REPORT_EXIT)}, ""},
        {{"HAKMEM_STATS=every:10s:/tmp/x", NULL}, {TO(stats, HAK_REPORT_EVERY)}, ""},
        {{"HAKMEM_STATS=every:1ms:x", NULL}, {TO(stats, HAK_REPORT_EVERY)}, ""},
        {{"HAKMEM_CONF=stats:every:86400s:/tmp/x,heaps:3", NULL}, {TO(stats, HAK_REPORT_EVERY), TO(heaps, 3)}, ""},
        {{"HAKMEM_CONFIRM=1", NULL}, {TO(confirm, 1)}, ""},
    };
    (void)state;
    CHECK(settings);
}

static void conf_holds_many_and_a_variable_wins(void **state) {
    struct setting settings[] = {
        {{"HAKMEM_CONF=purge_delay:5,thp:always", NULL}, {TO(purge_delay, 5), TO(thp, HAK_THP_ALWAYS)}, ""},
        {{"HAKMEM_CONF=", NULL}, {{NULL, 0}}, ""},
        {{"HAKMEM_CONF=heaps:3,", NULL}, {TO(heaps, 3)}, ""},
        {{"HAKMEM_CONF=heaps:3,heaps:4", NULL}, {TO(heaps, 4)}, ""},
        {{"HAKMEM_CONF=heaps:3", "HAKMEM_HEAPS=7", NULL}, {TO(heaps, 7)}, ""},
        {{"HAKMEM_HEAPS=7", "HAKMEM_CONF=heaps:3", NULL}, {TO(heaps, 7)}, ""},
        {{"HAKMEM_CONF=heaps:3", "HAKMEM_HEAPS=x", NULL},
         {TO(heaps, 3)},
         "hakmem: bad value heaps=x: a number from 0 to 1023; ignored\n"},
    };
    (void)state;
    CHECK(settings);
}

static void limits_are_sizes_with_a_list_of_their_own(void **state) {
    struct setting settings[] = {
        {{"HAKMEM_LIMIT=soft:64M,hard:3G", NULL}, {TO(limit_soft, 64 << 20), TO(limit_hard, (int64_t)3 << 30)}, ""},
        {{"HAKMEM_LIMIT=hard:1048576G", NULL}, {TO(limit_hard, HAK_LIMIT_MAX)}, ""},
        {{"HAKMEM_LIMIT=hard:0", NULL}, {{NULL, 0}}, ""},
        {{"HAKMEM_CONF=limit_soft:5K,heaps:3", NULL}, {TO(limit_soft, 5120), TO(heaps, 3)}, ""},
        {{"HAKMEM_LIMIT=soft:1M", "HAKMEM_CONF=limit_soft:2M", NULL}, {TO(limit_soft, 2 << 20)}, ""},
        {{"HAKMEM_LIMIT_SOFT=3M", "HAKMEM_LIMIT=soft:1M", NULL}, {TO(limit_soft, 3 << 20)}, ""},
        {{"HAKMEM_LIMIT=64M", NULL}, {{NULL, 0}}, "hakmem: unknown limit in HAKMEM_LIMIT: 64M; ignored\n"},
        {{"HAKMEM_LIMIT=heaps:3", NULL}, {{NULL, 0}}, "hakmem: unknown limit in HAKMEM_LIMIT: heaps; ignored\n"},
        {{"HAKMEM_LIMIT=soft,hard:1M", NULL},
         {TO(limit_hard, 1 << 20)},
         "hakmem: no size in HAKMEM_LIMIT for soft; ignored\n"},
        {{"HAKMEM_CGROUP_ROOT=/tmp", NULL}, {{NULL, 0}}, ""},
    };
    (void)state;
    CHECK(settings);
}

static void bad_sizes_are_named_and_ignored(void **state) {
#define BAD_SIZE(value)                                                                                                \
    {                                                                                                                  \
        {"HAKMEM_LIMIT=soft:" value, NULL}, {{NULL, 0}},                                                               \
            "hakmem: bad value limit_soft=" value                                                                      \
            ": bytes, or K, M or G of them, from 0 to 1125899906842624; ignored\n"                                     \
    }
    struct setting settings[] = {
        BAD_SIZE(""),
        BAD_SIZE("M"),
        BAD_SIZE("1m"),
        BAD_SIZE("1MB"),
        BAD_SIZE("KM"),
        BAD_SIZE("1KM"),
        BAD_SIZE("1T"),
        BAD_SIZE("1.5G"),
        BAD_SIZE("-1M"),
        BAD_SIZE("1048577G"),
        BAD_SIZE("9223372036854775807G"),
        BAD_SIZE("99999999999999999999"),
        BAD_SIZE("17179869185G"),
    };
    (void)state;
    CHECK(settings);
}

static void bad_values_are_named_and_ignored(void **state) {
#define BAD(name, value, expected) "hakmem: bad value " name "=" value ": " expected "; ignored\n"
#define BAD_STATS(value)                                                                                               \
    {                                                                                                                  \
        {"HAKMEM_STATS=" value, NULL}, {{NULL, 0}},                                                                    \
            BAD("stats", value, "off, exit, exit:FILE or every:TIME:FILE, TIME like 10s or 500ms")                     \
    }
    struct setting settings[] = {
        {{"HAKMEM_HEAPS=1024", NULL}, {{NULL, 0}}, BAD("heaps", "1024", "a number from 0 to 1023")},
        {{"HAKMEM_HEAPS=-1", NULL}, {{NULL, 0}}, BAD("heaps", "-1", "a number from 0 to 1023")},
        {{"HAKMEM_HEAPS=", NULL}, {{NULL, 0}}, BAD("heaps", "", "a number from 0 to 1023")},
        {{"HAKMEM_HEAPS", NULL}, {{NULL, 0}}, BAD("heaps", "", "a number from 0 to 1023")},
        {{"HAKMEM_HEAPS=12a", NULL}, {{NULL, 0}}, BAD("heaps", "12a", "a number from 0 to 1023")},
        {{"HAKMEM_HEAPS=1K", NULL}, {{NULL, 0}}, BAD("heaps", "1K", "a number from 0 to 1023")},
        {{"HAKMEM_HEAPS= 1", NULL}, {{NULL, 0}}, BAD("heaps", " 1", "a number from 0 to 1023")},
        {{"HAKMEM_CONFIRM=2", NULL}, {{NULL, 0}}, BAD("confirm", "2", "a number from 0 to 1")},
        {{"HAKMEM_CONFIRM=yes", NULL}, {{NULL, 0}}, BAD("confirm", "yes", "a number from 0 to 1")},
        {{"HAKMEM_PURGE_DELAY=18446744073709551617", NULL},
         {{NULL, 0}},
         BAD("purge_delay", "18446744073709551617", "a number from 0 to 86400000")},
        {{"HAKMEM_THP=alway", NULL}, {{NULL, 0}}, BAD("thp", "alway", "one of never|adaptive|always")},
        {{"HAKMEM_THP=always|", NULL}, {{NULL, 0}}, BAD("thp", "always|", "one of never|adaptive|always")},
        {{"HAKMEM_THP=", NULL}, {{NULL, 0}}, BAD("thp", "", "one of never|adaptive|always")},
        {{"HAKMEM_THP=1", NULL}, {{NULL, 0}}, BAD("thp", "1", "one of never|adaptive|always")},
        {{"HAKMEM_CONF=on_error:die,heaps:2", NULL}, {TO(heaps, 2)}, BAD("on_error", "die", "one of abort|report")},
        BAD_STATS(""),
        BAD_STATS("exi"),
        BAD_STATS("exit:"),
        BAD_STATS("exitevery:1s:x"),
        BAD_STATS("off:x"),
        BAD_STATS("every"),
        BAD_STATS("every:10s"),
        BAD_STATS("every:10s:"),
        BAD_STATS("every:10:x"),
        BAD_STATS("every:0s:x"),
        BAD_STATS("every:s:x"),
        BAD_STATS("every:86401s:x"),
        BAD_STATS("every:99999999999999999999999s:x"),
    };
    (void)state;
    CHECK(settings);
}

static void unknown_names_are_named_and_ignored(void **state) {
    struct setting settings[] = {
        {{"HAKMEM_HEEPS=1", NULL}, {{NULL, 0}}, "hakmem: unknown option HAKMEM_HEEPS; ignored\n"},
        {{"HAKMEM_heaps=1", NULL}, {{NULL, 0}}, "hakmem: unknown option HAKMEM_heaps; ignored\n"},
        {{"HAKMEM_=1", NULL}, {{NULL, 0}}, "hakmem: unknown option HAKMEM_; ignored\n"},
        {{"HAKMEM_CONF=HEAPS:1", NULL}, {{NULL, 0}}, "hakmem: unknown option in HAKMEM_CONF: HEAPS; ignored\n"},
        {{"HAKMEM_CONF=heap:1,thp:never", NULL},
         {TO(thp, HAK_THP_NEVER)},
         "hakmem: unknown option in HAKMEM_CONF: heap; ignored\n"},
        {{"HAKMEM_CONF=heaps,thp:never", NULL},
         {TO(thp, HAK_THP_NEVER)},
         "hakmem: no value in HAKMEM_CONF for heaps; ignored\n"},
        {{"HAKMEM_A=1", "HAKMEM_B=2", NULL},
         {{NULL, 0}},
         "hakmem: unknown option HAKMEM_A; ignored\nhakmem: unknown option HAKMEM_B; ignored\n"},
    };
    (void)state;
    CHECK(settings);
}

static void read_long_values(void *unused) {
    static char variable[4000] = "HAKMEM_HEAPS=";
    static char conf[4000] = "HAKMEM_CONF=";
    char *variables[] = {variable, conf, NULL};
    (void)unused;
    memset(variable + strlen(variable), '9', 3000);
    memset(conf + strlen(conf), 'n', 3000);
    environ = variables;
    hak_options_read();
    EXPECT(hak_options.heaps == 0);
}

static void long_values_are_cut_in_messages(void **state) {
    static struct child child;
    (void)state;
    child_run(&child, read_long_values, NULL);
    assert_int_equal(child.status, 0);
    assert_non_null(strstr(child.text, "hakmem: bad value heaps=99999"));
    assert_non_null(strstr(child.text, "hakmem: unknown option in HAKMEM_CONF: nnnn"));
    assert_true(child.length < 600);
    assert_int_equal(child.text[child.length - 1], '\n');
}

static void print_all(void *unused) {
    (void)unused;
    hak_options.thp = HAK_THP_ALWAYS;
    hak_options.on_error = HAK_ON_ERROR_REPORT;
    hak_options.heaps = 12;
    hak_options.limit_hard = 1 << 20;
    hak_options_print();
}

static void printing_shows_every_option(void **state) {
    static struct child child;
    (void)state;
    child_run(&child, print_all, NULL);
    assert_int_equal(child.status, 0);
    assert_string_equal(child.text, "hakmem: purge_delay=1000\nhakmem: thp=always\nhakmem: on_error=report\n"
                                    "hakmem: wrap_tiny=1\nhakmem: tiny_use_superslab=1\nhakmem: heaps=12\n"
                                    "hakmem: cache_bytes=1048576\nhakmem: limit_soft=0\nhakmem: "
                                    "limit_hard=1048576\nhakmem: cgroup=0\nhakmem: background_thread=0\n"
                                    "hakmem: stats=off\nhakmem: confirm=0\n");
}

static void a_file_name_too_long_is_refused(void *unused) {
    static char variable[2000] = "HAKMEM_STATS=exit:";
    char *variables[] = {variable, NULL};
    (void)unused;
    memset(variable + strlen(variable), 'f', 1024);
    environ = variables;
    hak_options_read();
    EXPECT(hak_options.stats == HAK_REPORT_OFF);
    variable[strlen(variable) - 1] = 0;
    hak_options_read();
    EXPECT(hak_options.stats == HAK_REPORT_EXIT);
}

static void long_file_names(void **state) {
    (void)state;
    assert_true(child_succeeds(a_file_name_too_long_is_refused, NULL));
}

/* ---- at run time ---- */

static void ctl_reads_every_option(void **state) {
    (void)state;
#define READ(field, name, kind, fallback, min, max, when, text)                                                        \
    {                                                                                                                  \
        int64_t value = -1;                                                                                            \
        errno = 0;                                                                                                     \
        assert_int_equal(hak_ctl(#field, &value, NULL), 0);                                                            \
        assert_int_equal(value, hak_options.field);                                                                    \
        assert_int_equal(hak_ctl(#field, NULL, NULL), 0);                                                              \
        assert_int_equal(errno, 0);                                                                                    \
    }
    HAK_OPTIONS(READ)
#undef READ
}

static int64_t was;

static void ctl_fails(const char *name, int64_t value, int error) {
    was = 4711;
    errno = 0;
    assert_int_equal(hak_ctl(name, &was, &value), -1);
    assert_int_equal(errno, error);
    assert_int_equal(was, 4711);
}

/* What is marked ANYTIME takes each value within its limits, and none beyond; what is not takes none at all. */
static void ctl_sets_what_may_be_set(void **state) {
    const struct hak_options before = hak_options;
    unsigned settable = 0;
    (void)state;
#define SET(field, name, kind, fallback, min, max, when, text)                                                         \
    {                                                                                                                  \
        const int64_t least = (min), most = (max), old = before.field;                                                 \
        if (HAK_OPTION_##when == HAK_OPTION_START) {                                                                   \
            ctl_fails(#field, old, EPERM);                                                                             \
        } else {                                                                                                       \
            assert_int_equal(hak_ctl(#field, &was, &most), 0);                                                         \
            assert_int_equal(was, old);                                                                                \
            assert_int_equal(hak_options.field, most);                                                                 \
            ctl_fails(#field, most + 1, EINVAL);                                                                       \
            ctl_fails(#field, least - 1, EINVAL);                                                                      \
            assert_int_equal(hak_options.field, most);                                                                 \
            assert_int_equal(hak_ctl(#field, &was, &least), 0);                                                        \
            assert_int_equal(was, most);                                                                               \
            assert_int_equal(hak_ctl(#field, NULL, &old), 0);                                                          \
            settable++;                                                                                                \
        }                                                                                                              \
    }
    HAK_OPTIONS(SET)
#undef SET
    assert_true(settable >= 4);
    assert_memory_equal(&hak_options, &before, sizeof before);
}

static void ctl_knows_no_other_names(void **state) {
    static const char *const names[] = {"", "purge", "PURGE_DELAY", "purge_delay ", "purge_delay=1", "purge_delayed"};
    (void)state;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        ctl_fails(names[i], 1, ENOENT);
    ctl_fails(NULL, 1, EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_by_its_variable),
        cmocka_unit_test(conf_holds_many_and_a_variable_wins),
        cmocka_unit_test(limits_are_sizes_with_a_list_of_their_own),
        cmocka_unit_test(bad_sizes_are_named_and_ignored),
        cmocka_unit_test(bad_values_are_named_and_ignored),
        cmocka_unit_test(unknown_names_are_named_and_ignored),
        cmocka_unit_test(long_values_are_cut_in_messages),
        cmocka_unit_test(printing_shows_every_option),
        cmocka_unit_test(long_file_names),
        cmocka_unit_test(ctl_reads_every_option),
        cmocka_unit_test(ctl_sets_what_may_be_set),
        cmocka_unit_test(ctl_knows_no_other_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
