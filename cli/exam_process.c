/* exam_process.c
 * Purpose.     The checks of a process, or of what a command would be: its limits, its program, who serves it. See
 *              exam.h.
 * Design.      Who serves it is judged as `verify` does, from the same facts.
 */
#include "exam.h"
#include "arch.h"
#include "judge.h"
#include "library.h"
#include "survey.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEALED_FIX "link it with libhakmem.a, or build it dynamic, for " ARCH_NAME " and without privileges"

/* The page map, which hakmem takes where an eighth of the address space is that much. */
#define PAGE_MAP_BYTES ((uint64_t)8 << 30)

static const struct limit {
    const char *name, *used; // in limits and in status
    uint64_t enough;         // bytes from which it does not hurt; 0: it always does
    bool when_used;          // it does only if something is used
    const char *effect, *fix;
} limits[] = {
    {"Max address space", "VmSize:", 8 * PAGE_MAP_BYTES, false,
     "malloc fails once addresses are used up, and hakmem takes the slower page map",
     "ulimit -v unlimited, and a limit on memory by a control group"},
    {"Max data size", "VmData:", 0, false, "malloc fails beyond it, though memory is free",
     "ulimit -d unlimited, and a limit on memory by a control group"},
    {"Max locked memory", "VmLck:", PAGE_MAP_BYTES, true, "mlockall counts the 8 GiB of hakmem's page map",
     "ulimit -l unlimited (LimitMEMLOCK=infinity), or the capability IPC_LOCK"},
};

static void judge_limit(struct exam *exam, const struct limit *limit, const char *text, const char *status) {
    const char *value = text_field(text, limit->name), *use = text_field(status, limit->used);
    char *end = NULL;
    uint64_t most = value != NULL ? strtoull(value, &end, 10) : 0;
    uint64_t used = exam->running && use != NULL ? strtoull(use, NULL, 10) * 1024 : 0;
    if (value == NULL || (end == value && strncmp(value, "unlimited", 9) != 0)) {
        exam_add(exam, LEVEL_UNTOLD, need_format("%s", limit->name), NULL);
        return;
    }
    if (end == value) {
        exam_add(exam, LEVEL_OK, need_format("%s: unlimited", limit->name), NULL);
        return;
    }
    bool harmless = (limit->when_used && used == 0) || (limit->enough != 0 && most >= limit->enough);
    bool full = used != 0 && used >= most / 10 * 9;
    enum level level = full ? LEVEL_PROBLEM : harmless ? LEVEL_OK : LEVEL_WARNING;
    char *most_text = exam_size(most), *used_text = exam_size(used);
    exam_add(exam, level,
             need_format("%s: %s%s%s%s: %s", limit->name, most_text, exam->running ? ", " : "",
                         exam->running ? used_text : "", exam->running ? " in use" : "", limit->effect),
             level == LEVEL_OK ? NULL : limit->fix);
    free(most_text);
    free(used_text);
}

void check_limits(struct exam *exam) {
    char *text = exam_tell_process(exam, "limits");
    char *status = text != NULL ? exam_tell_process(exam, "status") : NULL;
    for (size_t i = 0; status != NULL && i < sizeof limits / sizeof *limits; i++)
        judge_limit(exam, &limits[i], text, status);
    free(status);
    free(text);
}

static void judge_own_limit(struct exam *exam, const struct hak_view *view, enum hak_limit which, unsigned percent_full,
                            enum level worse, const char *effect, const char *fix) {
    const char *name = which == HAK_LIMIT_HARD ? "hard" : "soft";
    uint64_t most = view->limit_bytes[which], used = view->active_bytes + view->metadata_bytes;
    if (most == HAK_LIMIT_NONE) {
        exam_add(exam, LEVEL_OK, need_format("%s: unlimited", name), NULL);
        return;
    }
    bool full = used >= most / 100 * percent_full;
    char *most_text = exam_size(most), *used_text = exam_size(used);
    exam_add(exam, full ? worse : LEVEL_OK, need_format("%s: %s, %s in use: %s", name, most_text, used_text, effect),
             full ? fix : NULL);
    free(most_text);
    free(used_text);
}

/* Those that hakmem keeps within by itself. */
void check_own_limits(struct exam *exam) {
    struct place place;
    struct target target;
    struct hak_view view;
    if (!exam->running || exam->proof == NULL || !exam->proof->loaded)
        return;
    if (!survey_locate(atoi(exam->process), &place) || place.view == 0 || !target_open(&target, place.tid)) {
        exam_add(exam, LEVEL_UNTOLD, need_copy("its memory cannot be read any more"), NULL);
        return;
    }
    const char *failure = view_read(&target, place.view, &view);
    target_close(&target);
    if (failure != NULL) {
        exam_add(exam, LEVEL_UNTOLD, need_copy(failure), NULL);
        return;
    }
    judge_own_limit(exam, &view, HAK_LIMIT_SOFT, 100, LEVEL_WARNING, "above it free memory goes back at once",
                    "raise HAKMEM_LIMIT=soft: (or the control group's limit), or use less");
    judge_own_limit(exam, &view, HAK_LIMIT_HARD, 90, LEVEL_PROBLEM, "beyond it malloc fails",
                    "raise HAKMEM_LIMIT=hard:, or use less");
    char *group = view.group_bytes != HAK_LIMIT_NONE ? exam_size(view.group_bytes) : NULL;
    exam_add(exam, LEVEL_OK,
             group != NULL ? need_format("control group: %s, of which nine tenths are a soft limit", group)
                           : need_copy("control group: none followed (HAKMEM_CGROUP=1 follows one that has a limit)"),
             NULL);
    free(group);
}

void check_seccomp(struct exam *exam) {
    char *status = exam_tell_process(exam, "status");
    if (status == NULL)
        return;
    const char *mode = text_field(status, "Seccomp:");
    if (mode == NULL)
        exam_add(exam, LEVEL_OK, need_copy("the kernel has none"), NULL);
    else if (*mode == '0')
        exam_add(exam, LEVEL_OK, need_copy("no filter"), NULL);
    else
        exam_add(exam, LEVEL_NOTE, need_copy("a filter of system calls is in force"),
                 "it has to allow mmap, munmap, mprotect, mremap, madvise, futex, prlimit64 and sched_getaffinity");
    free(status);
}

/* The highest version of glibc's interface that a file names as text: what a library needs, what libc has. 0 for
 * none. */
static unsigned highest_version(const char *path) {
    static const char mark[] = "GLIBC_2.";
    size_t length = 0;
    char *text = file_text(path, &length), *end = text + length;
    unsigned highest = 0;
    for (char *at = text; at != NULL && (at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) != NULL;) {
        at += sizeof mark - 1;
        unsigned minor = (unsigned)strtoul(at, NULL, 10);
        highest = minor > highest ? minor : highest;
    }
    free(text);
    return highest;
}

/* The minor version of the libc that the process has loaded, or that a command would; 0 if it is not known. */
static unsigned libc_version(const struct exam *exam) {
    if (!exam->running)
        return strncmp(gnu_get_libc_version(), "2.", 2) == 0 ? (unsigned)atoi(gnu_get_libc_version() + 2) : 0;
    for (size_t i = 0; exam->proof != NULL && i < exam->proof->objects.count; i++) {
        const struct object *object = &exam->proof->objects.item[i];
        if (object->role != ROLE_LIBC)
            continue;
        char *path = need_format("/proc/%s/root%s", exam->process, object->path);
        unsigned version = highest_version(path);
        free(path);
        return version;
    }
    return 0;
}

void check_libc(struct exam *exam) {
    unsigned have = libc_version(exam), needed = exam->hakmem != NULL ? highest_version(exam->hakmem) : 0;
    if (exam->hakmem == NULL)
        exam_add(exam, LEVEL_UNTOLD, need_copy("whether it is new enough: libhakmem.so was not found"),
                 "name it with --lib");
    else if (have == 0 || needed == 0)
        exam_add(exam, LEVEL_UNTOLD, need_format("which glibc %s", have == 0 ? "it has" : "the library needs"), NULL);
    else if (have < needed)
        exam_add(exam, LEVEL_PROBLEM,
                 need_format("glibc 2.%u is older than the 2.%u that %s needs: the loader does not load it", have,
                             needed, exam->hakmem),
                 "build hakmem on the oldest system that it is to run on");
    else
        exam_add(exam, LEVEL_OK, need_format("glibc 2.%u; 2.%u is needed", have, needed), NULL);
}

/* What `path` means to the process: its root may be another one. A descriptor, -1 with errno set. */
static int open_inside(const struct exam *exam, const char *path) {
    char *folder = need_format("%s/proc/%s/%s", exam->root, exam->process, *path == '/' ? "root" : "cwd");
    int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = *path == '/' ? RESOLVE_IN_ROOT : 0};
    int file = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    int error = errno;
    if (root >= 0)
        close(root);
    free(folder);
    errno = error;
    return file;
}

static void judge_preload(struct exam *exam, const char *path) {
    if (strchr(path, '/') == NULL || strchr(path, '$') != NULL) {
        exam_add(exam, LEVEL_UNTOLD, need_format("where the loader finds %s", path), "name it by its full path");
        return;
    }
    int file = open_inside(exam, path);
    char *problem = NULL;
    if (file >= 0) {
        char *opened = need_format("/proc/self/fd/%d", file);
        problem = library_problem(opened, false);
        free(opened);
        close(file);
    } else if (errno == ENOENT || errno == ENOTDIR) {
        problem = need_copy("there is no such file");
    } else {
        exam_add(exam, LEVEL_UNTOLD, need_format("%s cannot be read: %s", path, strerror(errno)), NULL);
        return;
    }
    if (problem != NULL)
        exam_add(exam, LEVEL_PROBLEM, need_format("%s: %s; the loader goes on without it", path, problem),
                 "correct or unset LD_PRELOAD (and /etc/ld.so.preload)");
    else
        exam_add(exam, LEVEL_OK, need_format("%s", path), NULL);
    free(problem);
}

void check_preload(struct exam *exam) {
    size_t length = 0, before = exam->count;
    char *path = need_format("%s/proc/%s/environ", exam->root, exam->process);
    char *text = file_text(path, &length), *list = NULL;
    if (text == NULL)
        exam_add(exam, LEVEL_UNTOLD, need_format("%s cannot be read: %s", path, strerror(errno)), NULL);
    for (char *at = text; at != NULL && at < text + length && list == NULL; at += strlen(at) + 1)
        if (strncmp(at, "LD_PRELOAD=", 11) == 0)
            list = at + 11;
    for (char *name; list != NULL && (name = strsep(&list, ": ")) != NULL;)
        if (*name != 0)
            judge_preload(exam, name);
    if (exam->count == before)
        exam_add(exam, LEVEL_OK, need_copy("LD_PRELOAD names nothing"), NULL);
    free(text);
    free(path);
}

/* What `verify` would say of it. */
static void judge_service(struct exam *exam) {
    struct image image = {.proof = exam->proof};
    struct verdict verdict;
    bool served = judge(&image, &exam->wanted, &verdict);
    bool hopeful = !exam->proof->loaded && !exam->proof->sealed && exam->wanted.preload == NULL;
    for (size_t i = 0; i < verdict.culprits.count; i++)
        exam_add(exam, hopeful ? LEVEL_NOTE : LEVEL_PROBLEM, need_copy(verdict.culprits.item[i]),
                 hopeful               ? "start it with 'hakmem run -- COMMAND'"
                 : exam->proof->sealed ? SEALED_FIX
                                       : "'hakmem verify' tells more; a program's own allocator is switched off where "
                                         "it is built or configured");
    for (size_t i = 0; i < verdict.notes.count; i++)
        exam_add(exam, LEVEL_NOTE, need_copy(verdict.notes.item[i]), NULL);
    if (served)
        exam_add(exam, LEVEL_OK, need_copy("hakmem serves it"), NULL);
    verdict_free(&verdict);
}

void check_program(struct exam *exam) {
    if (exam->obstacle != NULL)
        exam_add(exam, LEVEL_PROBLEM, need_copy(exam->obstacle), SEALED_FIX);
    else if (exam->proof != NULL)
        judge_service(exam);
    else if (exam->unseen != NULL)
        exam_add(exam, LEVEL_UNTOLD, need_copy(exam->unseen), NULL);
}

void check_allocators(struct exam *exam) {
    const struct proof *proof = exam->proof;
    size_t before = exam->count;
    for (size_t i = 0; proof != NULL && i < proof->objects.count; i++) {
        const struct object *object = &proof->objects.item[i];
        if (object->kind == NULL || proof->hakmem[i] || object->role == ROLE_LIBC || object->role == ROLE_LOADER)
            continue;
        bool stays = object->role == ROLE_PROGRAM;
        exam_add(exam,
                 proof->loaded ? LEVEL_NOTE
                 : stays       ? LEVEL_PROBLEM
                               : LEVEL_WARNING,
                 need_format("%s (%s) defines malloc%s", object->path, object->kind,
                             stays ? ", which no preloaded library can replace" : ""),
                 "build the program without it: two allocators keep memory that the other one cannot use");
    }
    if (proof != NULL && exam->count == before)
        exam_add(exam, LEVEL_OK, need_copy("no other one is linked in or mapped"), NULL);
}
