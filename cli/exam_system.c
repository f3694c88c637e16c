/* exam_system.c
 * Purpose.     The checks of the kernel's settings. See exam.h.
 */
#include "exam.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define HUGE_PAGES "/sys/kernel/mm/transparent_hugepage/"
#define MAPPINGS_USUAL 65530u

/* The word in brackets: "always [madvise] never". */
static char *chosen_word(struct exam *exam, const char *path) {
    char *text = exam_tell(exam, path), *word = NULL;
    if (text == NULL)
        return NULL;
    const char *open = strchr(text, '['), *close = open != NULL ? strchr(open, ']') : NULL;
    if (close != NULL)
        word = need_format("%.*s", (int)(close - open - 1), open + 1);
    else
        exam_add(exam, LEVEL_UNTOLD, need_format("%s%s names no mode", exam->root, path), NULL);
    free(text);
    return word;
}

static bool huge_mode_is(const struct exam *exam, const char *in_brackets) {
    char *text = exam_read(exam, HUGE_PAGES "enabled");
    bool is = text != NULL && strstr(text, in_brackets) != NULL;
    free(text);
    return is;
}

void check_huge_pages(struct exam *exam) {
    char *mode = chosen_word(exam, HUGE_PAGES "enabled");
    if (mode == NULL)
        return;
    if (strcmp(mode, "always") == 0)
        exam_add(exam, LEVEL_WARNING,
                 need_copy("always: the kernel makes huge pages also for memory that holds little"),
                 "echo madvise > " HUGE_PAGES "enabled (hakmem then asks for them where they pay)");
    else if (strcmp(mode, "never") == 0)
        exam_add(exam, LEVEL_WARNING, need_copy("never: large heaps get none, and are slower for it"),
                 "echo madvise > " HUGE_PAGES "enabled");
    else
        exam_add(exam, LEVEL_OK, need_format("%s: for those who ask, as hakmem does where they pay", mode), NULL);
    free(mode);
    char *status = exam->running ? exam_tell_process(exam, "status") : NULL;
    const char *enabled = status != NULL ? text_field(status, "THP_enabled:") : NULL;
    if (enabled != NULL && *enabled == '0')
        exam_add(exam, LEVEL_NOTE, need_copy("the process has switched them off for itself (PR_SET_THP_DISABLE)"),
                 "start it without that call, or with HAKMEM_THP=never so that hakmem does not ask");
    free(status);
}

void check_huge_stalls(struct exam *exam) {
    char *mode = chosen_word(exam, HUGE_PAGES "defrag");
    if (mode == NULL)
        return;
    if (strcmp(mode, "always") == 0 && !huge_mode_is(exam, "[never]"))
        exam_add(exam, LEVEL_WARNING,
                 need_copy("always: a page fault waits until the kernel has moved memory to make a huge page"),
                 "echo defer+madvise > " HUGE_PAGES "defrag");
    else
        exam_add(exam, LEVEL_OK, need_format("%s", mode), NULL);
    free(mode);
}

void check_huge_collapse(struct exam *exam) {
    uint64_t empty = 0;
    if (!exam_tell_number(exam, HUGE_PAGES "khugepaged/max_ptes_none", &empty))
        return;
    enum level level = empty == 0 || huge_mode_is(exam, "[never]") ? LEVEL_OK
                       : huge_mode_is(exam, "[always]")            ? LEVEL_WARNING
                                                                   : LEVEL_NOTE;
    if (level == LEVEL_OK)
        exam_add(exam, level, need_format("max_ptes_none is %" PRIu64, empty), NULL);
    else
        exam_add(exam, level,
                 need_format("max_ptes_none is %" PRIu64
                             ": to make a huge page, the kernel fills as many missing ones, "
                             "those that were given back too",
                             empty),
                 "echo 0 > " HUGE_PAGES "khugepaged/max_ptes_none");
}

void check_overcommit(struct exam *exam) {
    uint64_t mode = 0, ratio = 0;
    if (!exam_tell_number(exam, "/proc/sys/vm/overcommit_memory", &mode))
        return;
    if (mode != 2) {
        exam_add(exam, LEVEL_OK, need_format("vm.overcommit_memory is %" PRIu64, mode), NULL);
        return;
    }
    char *memory = exam_tell(exam, "/proc/meminfo");
    const char *limit = memory != NULL ? text_field(memory, "CommitLimit:") : NULL;
    const char *used = memory != NULL ? text_field(memory, "Committed_AS:") : NULL;
    uint64_t limit_kib = limit != NULL ? strtoull(limit, NULL, 10) : 0;
    uint64_t used_kib = used != NULL ? strtoull(used, NULL, 10) : 0;
    free(memory);
    if (limit == NULL || used == NULL || !exam_tell_number(exam, "/proc/sys/vm/overcommit_ratio", &ratio))
        return;
    char *limit_text = exam_size(limit_kib * 1024);
    exam_add(exam, used_kib >= limit_kib / 10 * 9 ? LEVEL_PROBLEM : LEVEL_WARNING,
             need_format("vm.overcommit_memory is 2, the ratio %" PRIu64 " %%: malloc fails once %s are promised, used "
                         "or not (%.0f %% are)",
                         ratio, limit_text, limit_kib != 0 ? 100.0 * (double)used_kib / (double)limit_kib : 100.0),
             "sysctl vm.overcommit_memory=0, or raise vm.overcommit_ratio or the swap");
    free(limit_text);
}

static uint64_t line_count(const char *text) {
    uint64_t count = 0;
    for (; *text != 0; text++)
        count += *text == '\n';
    return count;
}

void check_mappings(struct exam *exam) {
    static const char *const fix = "sysctl vm.max_map_count=1048576";
    uint64_t most = 0;
    if (!exam_tell_number(exam, "/proc/sys/vm/max_map_count", &most))
        return;
    if (most < MAPPINGS_USUAL)
        exam_add(exam, LEVEL_WARNING,
                 need_format("vm.max_map_count is %" PRIu64 ", less than the usual %u", most, MAPPINGS_USUAL), fix);
    char *maps = exam->running ? exam_tell_process(exam, "maps") : NULL;
    uint64_t count = maps != NULL ? line_count(maps) : 0;
    if (maps != NULL)
        exam_add(exam,
                 count >= most / 10 * 9 ? LEVEL_PROBLEM
                 : count >= most / 2    ? LEVEL_WARNING
                                        : LEVEL_OK,
                 need_format("the process has %" PRIu64 " mappings of %" PRIu64 " at most", count, most),
                 count >= most / 2 ? fix : NULL);
    else if (most >= MAPPINGS_USUAL)
        exam_add(exam, LEVEL_OK, need_format("vm.max_map_count is %" PRIu64, most), NULL);
    free(maps);
}

void check_page_size(struct exam *exam) {
    size_t length = 0;
    char *path = need_format("%s/proc/%s/auxv", exam->root, exam->process);
    char *text = file_text(path, &length);
    uint64_t bytes = auxiliary_value(text, length, AT_PAGESZ);
    if (bytes == 0)
        exam_add(exam, LEVEL_UNTOLD, need_format("%s does not tell it", path),
                 text == NULL && (errno == EACCES || errno == EPERM) ? "run this command as root (sudo)" : NULL);
    else if (bytes > 4096)
        exam_add(
            exam, LEVEL_NOTE,
            need_format("%" PRIu64 " bytes: memory is taken and given back in larger pieces, RSS is larger", bytes),
            "a kernel with pages of 4 KiB, if the machine is short of memory");
    else
        exam_add(exam, LEVEL_OK, need_format("%" PRIu64 " bytes", bytes), NULL);
    free(text);
    free(path);
}

void check_swap(struct exam *exam) {
    char *swaps = exam_tell(exam, "/proc/swaps");
    if (swaps == NULL)
        return;
    uint64_t size_kib = 0, used_kib = 0;
    for (const char *line = strchr(swaps, '\n'); line != NULL && line[1] != 0; line = strchr(line + 1, '\n')) {
        unsigned long size = 0, used = 0;
        if (sscanf(line, "%*s %*s %lu %lu", &size, &used) == 2) {
            size_kib += size;
            used_kib += used;
        }
    }
    char *zswap = exam_read(exam, "/sys/module/zswap/parameters/enabled");
    const char *compressed = zswap == NULL ? "not told" : *zswap == 'Y' ? "on" : "off";
    char *size = exam_size(size_kib * 1024), *used = exam_size(used_kib * 1024);
    exam_add(exam, LEVEL_OK,
             size_kib == 0 ? need_copy("none") : need_format("%s, %s in use, zswap %s", size, used, compressed), NULL);
    free(size);
    free(used);
    free(zswap);
    free(swaps);
    char *status = exam->running ? exam_tell_process(exam, "status") : NULL;
    const char *swapped = status != NULL ? text_field(status, "VmSwap:") : NULL;
    uint64_t swapped_kib = swapped != NULL ? strtoull(swapped, NULL, 10) : 0;
    if (swapped_kib != 0)
        exam_add(exam, LEVEL_NOTE, need_format("%" PRIu64 " KiB of the process are swapped out", swapped_kib),
                 "more memory, or a shorter HAKMEM_PURGE_DELAY: what is given back need not be swapped out");
    free(status);
}

/* True if this command may look at every process whatever Yama says. */
static bool may_trace_all(const struct exam *exam) {
    char *status = exam_read(exam, "/proc/self/status");
    const char *capable = status != NULL ? text_field(status, "CapEff:") : NULL;
    bool may = capable != NULL && (strtoull(capable, NULL, 16) >> CAP_SYS_PTRACE & 1) != 0;
    free(status);
    return may;
}

void check_tracing(struct exam *exam) {
    static const char *const path = "/proc/sys/kernel/yama/ptrace_scope", *const kernel = "/proc/sys/kernel/ostype";
    static const char *const who[] = {"everybody with the same user", "its parent and root", "root alone", "nobody"};
    char *there = exam_read(exam, kernel), *text = there != NULL ? exam_read(exam, path) : NULL;
    uint64_t scope = 0;
    if (there != NULL && text == NULL && errno == ENOENT)
        exam_add(exam, LEVEL_OK, need_copy("no Yama: a process may be looked at by the same user"), NULL);
    else if (exam_tell_number(exam, path, &scope)) {
        size_t known = scope < 3 ? scope : 3;
        bool fine = scope == 0 || (scope < 3 && may_trace_all(exam));
        exam_add(
            exam, fine ? LEVEL_OK : LEVEL_NOTE,
            need_format("kernel.yama.ptrace_scope is %" PRIu64 ": a process may be looked at by %s", scope, who[known]),
            fine        ? NULL
            : known < 3 ? "run 'hakmem verify --pid' as root (sudo), or sysctl kernel.yama.ptrace_scope=0"
                        : "a reboot without it: 3 cannot be taken back");
    }
    free(there);
    free(text);
}
