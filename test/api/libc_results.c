/* libc_results.c
 * Purpose.     What libc allocates on behalf of the program comes from the same allocator: the program can free and
 *              realloc it.
 * Design.      With hakmem under the program each result must be one that hakmem owns, so a libc that went around the
 *              exported malloc is seen before the free.
 */
#include "../support/contract.h"

#include <dirent.h>
#include <glob.h>
#include <malloc.h>
#include <regex.h>
#include <search.h>
#include <stdio.h>
#include <sys/stat.h>
#include <wchar.h>

static bool (*owns)(const void *);

/* The block is the allocator's own, can grow, and can be freed. */
static void take_over(void *block) {
    assert_non_null(opaque(block));
    if (owns != NULL) {
        assert_true(owns(block));
    }
    assert_true(malloc_usable_size(block) > 0);
    block = realloc(block, 5000);
    assert_non_null(block);
    free(block);
}

static void strings_can_be_freed(void **state) {
    (void)state;
    char *copy = strdup("a string that libc copies");
    assert_string_equal(copy, "a string that libc copies");
    take_over(copy);
    take_over(strndup("a string", 3));
    take_over(wcsdup(L"wide"));
    char *text = NULL;
    assert_true(asprintf(&text, "%d %s %2000d", 1, "two", 3) > 2000);
    take_over(text);
}

static void getline_can_be_freed(void **state) {
    (void)state;
    char *line = NULL;
    size_t capacity = 0;
    char long_text[3000];
    memset(long_text, 'x', sizeof long_text);
    long_text[10] = '\n';
    long_text[sizeof long_text - 1] = '\n';
    FILE *file = fmemopen(long_text, sizeof long_text, "r");
    assert_non_null(file);
    assert_int_equal(getline(&line, &capacity, file), 11);
    assert_int_equal(getline(&line, &capacity, file), sizeof long_text - 11);
    assert_true(capacity > sizeof long_text - 11);
    assert_int_equal(fclose(file), 0);
    take_over(line);
    /* libc grows a block that the program allocated */
    line = malloc(4);
    capacity = 4;
    file = fmemopen(long_text, sizeof long_text, "r");
    assert_non_null(file);
    assert_int_equal(getline(&line, &capacity, file), 11);
    assert_int_equal(fclose(file), 0);
    take_over(line);
}

static void memory_streams_can_be_freed(void **state) {
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    for (int i = 0; i < 20000; i++) {
        assert_true(fprintf(stream, "%d\n", i) > 0);
    }
    assert_int_equal(fclose(stream), 0);
    assert_true(length == strlen(text) && length > 100000);
    take_over(text);
}

static void paths_can_be_freed(void **state) {
    (void)state;
    take_over(realpath("/proc/self/exe", NULL));
    take_over(getcwd(NULL, 0));
    take_over(canonicalize_file_name("/usr/../usr"));
}

static int any_entry(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void directory_lists_can_be_freed(void **state) {
    (void)state;
    struct dirent **entries = NULL;
    int count = scandir("/", &entries, any_entry, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        take_over(entries[i]);
    }
    take_over(entries);
    glob_t found;
    assert_int_equal(glob("/*", 0, NULL, &found), 0);
    assert_true(found.gl_pathc > 0);
    globfree(&found);
}

static void libc_frees_what_it_allocated(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        FILE *file = fopen("/proc/self/status", "r");
        assert_non_null(file);
        char line[200];
        assert_non_null(fgets(line, sizeof line, file));
        assert_int_equal(fclose(file), 0);
        regex_t regex;
        assert_int_equal(regcomp(&regex, "(a|b)*c[[:alpha:]]+", REG_EXTENDED), 0);
        assert_int_equal(regexec(&regex, "ababcxyz", 0, NULL, 0), 0);
        regfree(&regex);
        assert_int_equal(setenv("TEST_LIBC_RESULTS", line, 1), 0);
        assert_int_equal(unsetenv("TEST_LIBC_RESULTS"), 0);
        assert_int_not_equal(hcreate(1000), 0);
        hdestroy();
    }
}

static void stream_buffers_can_be_ours(void **state) {
    (void)state;
    FILE *file = fopen("/dev/null", "w");
    assert_non_null(file);
    char *buffer = malloc(100000);
    assert_non_null(buffer);
    assert_int_equal(setvbuf(file, buffer, _IOFBF, 100000), 0);
    assert_true(fprintf(file, "%s", "text") == 4);
    assert_int_equal(fclose(file), 0);
    free(buffer);
}

int main(void) {
    provider_require();
    *(void **)&owns = dlsym(RTLD_DEFAULT, "hak_owns");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_can_be_freed),         cmocka_unit_test(getline_can_be_freed),
        cmocka_unit_test(memory_streams_can_be_freed),  cmocka_unit_test(paths_can_be_freed),
        cmocka_unit_test(directory_lists_can_be_freed), cmocka_unit_test(libc_frees_what_it_allocated),
        cmocka_unit_test(stream_buffers_can_be_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
