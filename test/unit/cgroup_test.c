/* cgroup_test.c
 * link: -Wl,--wrap=hak_os_read_file
 * Purpose.     The limits of control groups out of trees of files as kernels of both versions show them, whole and in
 *              containers; whatever is missing or makes no sense is no limit.
 * Design.      Each tree is made in a folder that stands before all paths. How many files are asked for is counted:
 *              every process pays for them when it starts.
 */
#include "support/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/cgroup.h"
#include "os/os.h"

#define NONE CGROUP_NO_LIMIT

static char root[] = "/tmp/cgroup_test.XXXXXX";
static unsigned files_asked;

size_t __real_hak_os_read_file(const char *path, char *text, size_t capacity);
size_t __wrap_hak_os_read_file(const char *path, char *text, size_t capacity);

size_t __wrap_hak_os_read_file(const char *path, char *text, size_t capacity) {
    files_asked++;
    return __real_hak_os_read_file(path, text, capacity);
}

static void clear_tree(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s/*", root);
    assert_int_equal(system(command), 0);
}

static void write_file(const char *path, const char *text) {
    char full[4096];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *at = full + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

struct tree {
    const char *groups; /* /proc/self/cgroup */
    struct {
        const char *path; /* below /sys/fs/cgroup */
        const char *text;
    } files[8];
    uint64_t memory_bytes;
    uint64_t cpu_count;
    unsigned files_asked; /* 0: not of interest */
};

static void check(const struct tree *trees, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char path[256];
        clear_tree();
        write_file("proc/self/cgroup", trees[i].groups);
        for (unsigned f = 0; trees[i].files[f].path != NULL; f++) {
            snprintf(path, sizeof path, "sys/fs/cgroup/%s", trees[i].files[f].path);
            write_file(path, trees[i].files[f].text);
        }
        files_asked = 0;
        struct cgroup_limits limits = hak_cgroup_read(root);
        if (limits.memory_bytes != trees[i].memory_bytes || limits.cpu_count != trees[i].cpu_count) {
            print_error("tree %zu: %s", i, trees[i].groups);
        }
        assert_int_equal(limits.memory_bytes, trees[i].memory_bytes);
        assert_int_equal(limits.cpu_count, trees[i].cpu_count);
        if (trees[i].files_asked != 0) {
            assert_int_equal(files_asked, trees[i].files_asked);
        }
    }
}

#define CHECK(trees) check(trees, sizeof(trees) / sizeof *(trees))

static void version_two(void **state) {
    static const struct tree trees[] = {
        /* a machine without limits: the mount has no such files */
        {"0::/\n", {{"cgroup.procs", "1\n"}}, NONE, NONE, 3},
        /* a container: the mount is its own group */
        {"0::/\n", {{"memory.max", "1000000\n"}, {"cpu.max", "150000 100000\n"}}, 1000000, 2, 4},
        {"0::/\n", {{"memory.max", "max\n"}, {"memory.high", "77\n"}, {"cpu.max", "max 100000\n"}}, 77, NONE, 4},
        {"0::/\n", {{"memory.max", "max\n"}, {"memory.high", "max\n"}}, NONE, NONE, 0},
        /* the least of all groups on the way, wherever it stands */
        {"0::/a/b/c\n",
         {{"a/memory.max", "500\n"},
          {"a/b/memory.max", "max\n"},
          {"a/b/memory.high", "400\n"},
          {"a/b/c/memory.max", "900\n"},
          {"a/cpu.max", "300000 100000\n"},
          {"a/b/c/cpu.max", "max 100000\n"}},
         400,
         3,
         12},
        {"0::/a/b\n", {{"a/b/memory.max", "300\n"}, {"a/memory.max", "500\n"}}, 300, NONE, 0},
        {"0::/a/b\n", {{"a/b/memory.max", "700\n"}, {"memory.max", "600\n"}}, 600, NONE, 0},
        /* a group beside it is none of its business, nor is one whose name starts alike */
        {"0::/a\n", {{"b/memory.max", "300\n"}, {"ab/memory.max", "300\n"}}, NONE, NONE, 0},
        /* a group that is not seen from here */
        {"0::/../x\n", {{"memory.max", "600\n"}}, 600, NONE, 0},
        {"0::/x (deleted)\n", {{"memory.max", "600\n"}}, 600, NONE, 0},
    };
    (void)state;
    CHECK(trees);
}

static void version_one(void **state) {
    static const struct tree trees[] = {
        {"4:memory:/g/h\n2:cpu,cpuacct:/\n0::/\n",
         {{"memory/g/memory.limit_in_bytes", "2048\n"},
          {"memory/g/h/memory.limit_in_bytes", "9223372036854771712\n"},
          {"cpu/cpu.cfs_quota_us", "50000\n"},
          {"cpu/cpu.cfs_period_us", "100000\n"}},
         2048,
         1,
         6},
        {"2:cpuacct,cpu:/q\n",
         {{"cpu/q/cpu.cfs_quota_us", "250000\n"}, {"cpu/q/cpu.cfs_period_us", "100000\n"}},
         NONE,
         3,
         0},
        {"2:cpu:/\n", {{"cpu/cpu.cfs_quota_us", "-1\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}}, NONE, NONE, 2},
        /* a container that is told a name which it does not see */
        {"4:memory:/docker/0123\n", {{"memory/memory.limit_in_bytes", "777\n"}}, 777, NONE, 4},
        /* other controllers, of similar names */
        {"3:cpuset:/\n2:cpuacct:/\n1:name=memory:/\n",
         {{"cpu/cpu.cfs_quota_us", "50000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
         NONE,
         NONE,
         1},
        /* one controller in each version, whichever stands first */
        {"0::/u\n4:memory:/m\n",
         {{"memory/m/memory.limit_in_bytes", "10\n"},
          {"u/memory.max", "9\n"},
          {"u/cpu.max", "400000 100000\n"},
          {"cpu/u/cpu.cfs_quota_us", "1\n"}},
         10,
         4,
         0},
    };
    (void)state;
    CHECK(trees);
}

static void a_quota_is_rounded_up(void **state) {
    static const struct tree trees[] = {
        {"0::/\n", {{"cpu.max", "1000 100000\n"}}, NONE, 1, 0},
        {"0::/\n", {{"cpu.max", "200000 100000\n"}}, NONE, 2, 0},
        {"0::/\n", {{"cpu.max", "200001 100000\n"}}, NONE, 3, 0},
        {"0::/\n", {{"cpu.max", "0 100000\n"}}, NONE, 1, 0},
    };
    (void)state;
    CHECK(trees);
}

static void nonsense_is_no_limit(void **state) {
    static const struct tree trees[] = {
        {"0::/\n", {{"memory.max", "12x\n"}, {"cpu.max", "abc 100000\n"}}, NONE, NONE, 0},
        {"0::/\n", {{"memory.max", "\n"}, {"cpu.max", "1000\n"}}, NONE, NONE, 0},
        {"0::/\n", {{"memory.max", ""}, {"cpu.max", "1000 0\n"}}, NONE, NONE, 0},
        {"0::/\n", {{"memory.max", "-5\n"}, {"cpu.max", "-1 100000\n"}}, NONE, NONE, 0},
        {"0::/\n", {{"memory.max", "99999999999999999999999\n"}, {"cpu.max", "1000 x\n"}}, NONE, NONE, 0},
        {"0::/\n", {{"memory.max", "5 6\n"}}, 5, NONE, 0},
        {"", {{"memory.max", "5\n"}}, NONE, NONE, 1},
        {"no colon\n:\n0:\n\n", {{"memory.max", "5\n"}}, NONE, NONE, 1},
        {"0::/", {{"memory.max", "5\n"}}, NONE, NONE, 1}, /* a line cut short */
        {"0::\n", {{"memory.max", "5\n"}}, 5, NONE, 0},
    };
    (void)state;
    CHECK(trees);
}

static void what_is_missing_is_no_limit(void **state) {
    (void)state;
    clear_tree();
    struct cgroup_limits limits = hak_cgroup_read(root);
    assert_int_equal(limits.memory_bytes, NONE);
    assert_int_equal(limits.cpu_count, NONE);
    limits = hak_cgroup_read("/nowhere/at/all");
    assert_int_equal(limits.memory_bytes, NONE);
}

/* Longer than the buffers: the groups above still count. */
static void long_paths_are_cut(void **state) {
    static char groups[2200] = "0::/a/";
    (void)state;
    clear_tree();
    memset(groups + strlen(groups), 'x', 2000);
    strcat(groups, "\n");
    write_file("proc/self/cgroup", groups);
    write_file("sys/fs/cgroup/a/memory.max", "321\n");
    assert_int_equal(hak_cgroup_read(root).memory_bytes, 321);
    memset(groups + 6, 'x', sizeof groups - 7);
    groups[sizeof groups - 1] = '\0';
    write_file("proc/self/cgroup", groups);
    assert_int_equal(hak_cgroup_read(root).memory_bytes, NONE);
}

/* Whatever this machine has, it is read without leaving a trace. */
static void the_real_files_are_read(void **state) {
    (void)state;
    int before = dup(0);
    close(before);
    errno = 77;
    struct cgroup_limits limits = hak_cgroup_read("");
    assert_int_equal(errno, 77);
    assert_true(limits.memory_bytes > 0 && limits.cpu_count > 0);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

static int make_root(void **state) {
    (void)state;
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state) {
    (void)state;
    clear_tree();
    return rmdir(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_two),
        cmocka_unit_test(version_one),
        cmocka_unit_test(a_quota_is_rounded_up),
        cmocka_unit_test(nonsense_is_no_limit),
        cmocka_unit_test(what_is_missing_is_no_limit),
        cmocka_unit_test(long_paths_are_cut),
        cmocka_unit_test(the_real_files_are_read),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
