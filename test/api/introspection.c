/* introspection.c
 * Purpose.     mallinfo, mallinfo2, malloc_info, malloc_stats, malloc_trim and mallopt speak of the allocator that
 *              serves the program.
 * Design.      Allocates a known amount and looks at what changed. glibc counts mappings of its own in hblkhd, so big
 *              blocks are looked for in the sum of both.
 * Not here.    The statistics block hak_view (unit tests and the `hakmem stat` command).
 */
#include "../support/contract.h"

#include <ctype.h>
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>

#include "hakmem_stats.h"

enum { SMALL_BLOCKS = 50000, SMALL_SIZE = 200, BIG_BLOCKS = 20 };
#define BIG_SIZE (5 * MIB)

static void *blocks[SMALL_BLOCKS];

static void allocate(size_t count, size_t size) {
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, size);
    }
}

static void release(size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(blocks[i]);
    }
}

static void mallinfo2_follows_small_blocks(void **state) {
    (void)state;
    size_t requested = (size_t)SMALL_BLOCKS * SMALL_SIZE;
    struct mallinfo2 before = mallinfo2();
    allocate(SMALL_BLOCKS, SMALL_SIZE);
    struct mallinfo2 full = mallinfo2();
    release(SMALL_BLOCKS);
    struct mallinfo2 after = mallinfo2();
    assert_true(full.uordblks >= before.uordblks + requested);
    assert_true(full.uordblks <= before.uordblks + requested * 5 / 4);
    assert_true(after.uordblks <= before.uordblks + requested / 20);
    assert_true(full.arena + full.hblkhd >= full.uordblks);
}

static void mallinfo2_follows_big_blocks(void **state) {
    (void)state;
    size_t requested = BIG_BLOCKS * BIG_SIZE;
    struct mallinfo2 before = mallinfo2();
    allocate(BIG_BLOCKS, BIG_SIZE);
    struct mallinfo2 full = mallinfo2();
    release(BIG_BLOCKS);
    struct mallinfo2 after = mallinfo2();
    size_t used_before = before.uordblks + before.hblkhd;
    assert_true(full.uordblks + full.hblkhd >= used_before + requested);
    assert_true(after.uordblks <= before.uordblks + requested / 10);
}

/* The old form has int fields that wrap; the differences still hold. */
static void mallinfo_says_the_same(void **state) {
    (void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo before = mallinfo();
    allocate(SMALL_BLOCKS, SMALL_SIZE);
    struct mallinfo full = mallinfo();
#pragma GCC diagnostic pop
    struct mallinfo2 same = mallinfo2();
    release(SMALL_BLOCKS);
    assert_true((unsigned)full.uordblks - (unsigned)before.uordblks >= (unsigned)SMALL_BLOCKS * SMALL_SIZE);
    assert_true((unsigned)full.uordblks == (unsigned)same.uordblks);
}

static void malloc_trim_gives_memory_back(void **state) {
    (void)state;
    malloc_trim(0);
    size_t before = process_rss_bytes();
    allocate(SMALL_BLOCKS, 2000);
    void *barrier = malloc(2000); /* keeps glibc's top of heap where it is */
    assert_true(process_rss_bytes() >= before + 90 * MIB);
    release(SMALL_BLOCKS);
    errno = 1234;
    assert_int_equal(malloc_trim(0), 1);
    assert_int_equal(errno, 1234);
    assert_true(process_rss_bytes() < before + 10 * MIB);
    free(barrier);
}

/* Reads `text` as XML without entities; true if every element is closed in order and the root is `root`. */
static bool is_well_formed(const char *text, const char *root) {
    enum { DEPTH = 32, NAME = 64 };
    char open[DEPTH][NAME];
    int depth = 0;
    int elements = 0;
    while ((text = strchr(text, '<')) != NULL) {
        const char *end = strchr(text, '>');
        const char *next = strchr(text + 1, '<');
        if (end == NULL || (next != NULL && next < end)) {
            return false;
        }
        bool closing = text[1] == '/';
        bool empty = end[-1] == '/';
        bool declaration = text[1] == '?' || text[1] == '!';
        const char *name = text + 1 + closing;
        size_t length = strcspn(name, " \t\n/>");
        size_t quotes = 0;
        for (const char *at = name; at < end; at++) {
            quotes += *at == '"';
        }
        if (length == 0 || length >= NAME || quotes % 2 != 0) {
            return false;
        }
        if (closing) {
            if (depth == 0 || strlen(open[depth - 1]) != length || memcmp(open[depth - 1], name, length) != 0) {
                return false;
            }
            depth--;
        } else if (!declaration) {
            if (depth == DEPTH ||
                (depth == 0 && (elements > 0 || strlen(root) != length || memcmp(name, root, length)))) {
                return false;
            }
            elements++;
            memcpy(open[depth], name, length);
            open[depth][length] = '\0';
            depth += !empty;
        }
        text = end + 1;
    }
    return depth == 0 && elements > 1;
}

static void the_xml_reader_can_say_no(void **state) {
    (void)state;
    assert_true(is_well_formed("<malloc version=\"1\"><a/><b x=\"1\">2</b></malloc>\n", "malloc"));
    assert_false(is_well_formed("<malloc><a></malloc>", "malloc"));
    assert_false(is_well_formed("<malloc><a></malloc></a>", "malloc"));
    assert_false(is_well_formed("<malloc><a x=\"1></a></malloc>", "malloc"));
    assert_false(is_well_formed("<other><a/></other>", "malloc"));
    assert_false(is_well_formed("<malloc><a/>", "malloc"));
    assert_false(is_well_formed("nothing", "malloc"));
}

static void malloc_info_is_well_formed(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);
        assert_non_null(stream);
        assert_int_equal(malloc_info(0, stream), 0);
        assert_int_equal(fclose(stream), 0);
        assert_true(is_well_formed(text, "malloc"));
        free(text);
        allocate(1000, 5000);
        release(1000);
    }
}

static void malloc_info_refuses_unknown_options(void **state) {
    (void)state;
    FILE *null = fopen("/dev/null", "w");
    assert_non_null(null);
    errno = 0;
    int result = malloc_info(1, null);
    assert_true(result == EINVAL || (result == -1 && errno == EINVAL));
    assert_int_equal(fclose(null), 0);
}

/* Runs malloc_stats with stderr in a file; returns what it wrote, in a static buffer. */
static const char *captured_stats(void) {
    static char text[65536];
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    malloc_stats();
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t length = pread(fileno(file), text, sizeof text - 1, 0);
    assert_int_equal(fclose(file), 0);
    assert_true(length > 0);
    text[length] = '\0';
    return text;
}

/* The largest number in a text. */
static size_t largest_number(const char *text) {
    size_t largest = 0;
    while (*text != '\0') {
        if (isdigit((unsigned char)*text)) {
            char *end;
            size_t number = strtoull(text, &end, 10);
            largest = number > largest ? number : largest;
            text = end;
        } else {
            text++;
        }
    }
    return largest;
}

static void malloc_stats_writes_to_stderr(void **state) {
    (void)state;
    const char *text = captured_stats();
    assert_true(text[strlen(text) - 1] == '\n');
    assert_true(largest_number(text) > 0);
    if (provider_is_hakmem()) {
        const struct hak_view *view = dlsym(RTLD_DEFAULT, "hak_view");
        assert_non_null(view);
#define STATS_NAME(id, name, what)                                                                                     \
    assert_true((strstr(text, "hakmem: " name "=") != NULL) == (view->counter_count != 0));
        HAK_COUNTERS(STATS_NAME)
#undef STATS_NAME
    }
}

static void mallopt_answers(void **state) {
    (void)state;
    static const int PARAMETERS[] = {M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX};
    for (size_t i = 0; i < sizeof PARAMETERS / sizeof PARAMETERS[0]; i++) {
        int result = mallopt(PARAMETERS[i], 65536);
        assert_true(result == 0 || result == 1);
    }
    allocate(1000, 70000);
    release(1000);
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mallinfo2_follows_small_blocks),
        cmocka_unit_test(mallinfo2_follows_big_blocks),
        cmocka_unit_test(mallinfo_says_the_same),
        cmocka_unit_test(malloc_trim_gives_memory_back),
        cmocka_unit_test(the_xml_reader_can_say_no),
        cmocka_unit_test(malloc_info_is_well_formed),
        cmocka_unit_test(malloc_info_refuses_unknown_options),
        cmocka_unit_test(malloc_stats_writes_to_stderr),
        cmocka_unit_test(mallopt_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
