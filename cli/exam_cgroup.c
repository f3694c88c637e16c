/* exam_cgroup.c
 * Purpose.     The checks of control groups: what a container or a systemd unit may use. See exam.h.
 * Design.      A limit of any group above counts as well, so the way from the process's group up to the mount is gone,
 *              and the tightest is reported. Pages of files that the kernel can drop at once are no use of memory.
 */
#include "exam.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Version 1 says "no limit" with a number about as large as there is. */
#define NO_LIMIT ((uint64_t)1 << 60)

struct cgroup {
    char *top;    // where its hierarchy is mounted
    char *folder; // the group itself, at or below `top`; both below the root
    bool second;  // version 2
};

static bool listed(const char *list, size_t length, const char *word) {
    size_t word_length = strlen(word);
    for (const char *at = list; at < list + length; at += strcspn(at, ",") + 1)
        if (strncmp(at, word, word_length) == 0 && strchr(",:\n ", at[word_length]) != NULL)
            return true;
    return false;
}

/* The process's group in the hierarchy of `controller`, or in that of version 2 if version 1 does not have it: lines
 * "number:controllers:path". NULL if there is none. */
static char *group_path(const char *text, const char *controller, bool *second) {
    char *unified = NULL;
    for (const char *line = text; line != NULL && *line != 0; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *list = strchr(line, ':'), *path = list != NULL ? strchr(list + 1, ':') : NULL;
        if (path == NULL)
            break;
        *second = strncmp(line, "0::", 3) == 0;
        if (*second && unified == NULL)
            unified = need_format("%.*s", (int)strcspn(path + 1, "\n"), path + 1);
        else if (listed(list + 1, (size_t)(path - list - 1), controller)) {
            free(unified);
            return need_format("%.*s", (int)strcspn(path + 1, "\n"), path + 1);
        }
    }
    *second = true;
    return unified;
}

/* Where that hierarchy is mounted, and which of its groups is seen there: lines "id parent device root mount options
 * ... - type source options". */
static bool find_mount(const char *text, const char *controller, bool second, char **root, char **mount) {
    for (const char *line = text; line != NULL && *line != 0; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *type = strstr(line, " - "), *end = line + strcspn(line, "\n");
        if (type == NULL || type >= end)
            continue;
        bool right = second ? strncmp(type + 3, "cgroup2 ", 8) == 0 : strncmp(type + 3, "cgroup ", 7) == 0;
        const char *options = end;
        while (options > type && options[-1] != ' ')
            options--;
        if (right && (second || listed(options, (size_t)(end - options), controller)) &&
            sscanf(line, "%*s %*s %*s %ms %ms", root, mount) == 2)
            return true;
    }
    return false;
}

/* Where the group `path` is among what is mounted here; false if it is not. */
static bool place_group(const struct exam *exam, const char *mounts, const char *controller, const char *path,
                        struct cgroup *group) {
    char *root = NULL, *mount = NULL;
    bool found = false;
    if (find_mount(mounts, controller, group->second, &root, &mount)) {
        size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
        bool below = strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == 0);
        const char *rest = below ? path + length : "";
        group->top = need_copy(mount);
        group->folder = need_format("%s%s", mount, strcmp(rest, "/") == 0 ? "" : rest);
        char *full = need_format("%s%s", exam->root, group->folder);
        found = below && access(full, X_OK) == 0;
        free(full);
    }
    free(root);
    free(mount);
    return found;
}

/* False after a finding. */
static bool find_cgroup(struct exam *exam, const char *controller, struct cgroup *group) {
    char *groups = exam_tell_process(exam, "cgroup");
    char *mounts = groups != NULL ? exam_tell(exam, "/proc/self/mountinfo") : NULL;
    char *path = mounts != NULL ? group_path(groups, controller, &group->second) : NULL;
    bool found = path != NULL && place_group(exam, mounts, controller, path, group);
    if (mounts != NULL && path == NULL)
        exam_add(exam, LEVEL_OK, need_copy("the kernel has no such groups"), NULL);
    else if (mounts != NULL && !found)
        exam_add(exam, LEVEL_UNTOLD, need_format("the control group %s is not mounted here", path),
                 "look from outside the container, where the group is");
    free(path);
    free(mounts);
    free(groups);
    return found;
}

/* To the group above; false at the top. */
static bool go_up(struct cgroup *group) {
    char *slash = strrchr(group->folder, '/');
    if (strlen(group->folder) <= strlen(group->top) || slash == NULL)
        return false;
    *slash = 0;
    return true;
}

static void cgroup_free(struct cgroup *group) {
    free(group->top);
    free(group->folder);
}

/* A file of the group; NULL if there is none, as at the root of version 2, or after a finding. */
static char *group_file(struct exam *exam, const struct cgroup *group, const char *name) {
    char *path = need_format("%s/%s", group->folder, name);
    char *text = exam_read(exam, path);
    if (text == NULL && errno != ENOENT)
        text = exam_tell(exam, path);
    free(path);
    return text;
}

static bool group_number(struct exam *exam, const struct cgroup *group, const char *name, uint64_t *number) {
    char *text = group_file(exam, group, name), *end = text;
    if (text != NULL)
        *number = strtoull(text, &end, 10);
    bool told = end != text;
    free(text);
    return told;
}

/* Bytes in use that are not to be had for the asking. */
static bool group_use(struct exam *exam, const struct cgroup *group, uint64_t *bytes) {
    bool second = group->second;
    char *text = group_file(exam, group, "memory.stat");
    const char *droppable = text != NULL ? text_field(text, second ? "inactive_file " : "total_inactive_file ") : NULL;
    uint64_t cache = droppable != NULL ? strtoull(droppable, NULL, 10) : 0;
    bool told = group_number(exam, group, second ? "memory.current" : "memory.usage_in_bytes", bytes);
    told = told && droppable != NULL;
    *bytes = *bytes > cache ? *bytes - cache : 0;
    free(text);
    return told;
}

static const struct memory_limit {
    const char *second, *first; // the file's name in both versions; NULL: version 1 has none
    unsigned near, full;        // percent in use from which it is a warning, and worse
    enum level worse;
    const char *effect, *fix;
} memory_limits[] = {
    {"memory.max", "memory.limit_in_bytes", 75, 90, LEVEL_PROBLEM, "beyond it the kernel kills",
     "raise the limit of the container or unit (memory.max, MemoryMax=), or HAKMEM_PURGE_DELAY=0"},
    {"memory.high", NULL, 90, 100, LEVEL_WARNING, "beyond it every allocation is slowed down",
     "raise memory.high (MemoryHigh=), or HAKMEM_PURGE_DELAY=0"},
};

/* Reports the tightest limit of that kind. */
static void judge_memory(struct exam *exam, struct cgroup *group, const struct memory_limit *kind) {
    const char *name = group->second ? kind->second : kind->first;
    uint64_t limit = UINT64_MAX, used = 0, one_limit = 0, one_use = 0;
    double most = -1;
    char *where = NULL;
    do {
        bool limited = name != NULL && group_number(exam, group, name, &one_limit) && one_limit < NO_LIMIT;
        if (!limited)
            continue;
        bool known = group_use(exam, group, &one_use);
        double percent = one_limit == 0 ? 100 : 100.0 * (double)one_use / (double)one_limit;
        if (!known)
            exam_add(exam, LEVEL_UNTOLD,
                     need_format("%s of %s is set, but not how much is in use", name, group->folder), NULL);
        if (!known || percent <= most)
            continue;
        most = percent;
        limit = one_limit;
        used = one_use;
        free(where);
        where = need_copy(group->folder);
    } while (go_up(group));
    if (where == NULL)
        return;
    enum level level = most >= kind->full ? kind->worse : most >= kind->near ? LEVEL_WARNING : LEVEL_OK;
    char *limit_text = exam_size(limit), *used_text = exam_size(used);
    exam_add(exam, level,
             need_format("%s of %s is %s, %s of it in use: %s", name, where, limit_text, used_text, kind->effect),
             level == LEVEL_OK ? NULL : kind->fix);
    free(limit_text);
    free(used_text);
    free(where);
}

void check_cgroup_memory(struct exam *exam) {
    struct cgroup group = {0};
    size_t before = exam->count;
    bool found = find_cgroup(exam, "memory", &group);
    char *leaf = found ? need_copy(group.folder) : NULL;
    for (size_t i = 0; found && i < sizeof memory_limits / sizeof *memory_limits; i++) {
        free(group.folder);
        group.folder = need_copy(leaf);
        judge_memory(exam, &group, &memory_limits[i]);
    }
    if (exam->count == before)
        exam_add(exam, LEVEL_OK, need_copy("no limit in sight"), NULL);
    free(leaf);
    cgroup_free(&group);
}

/* Cpus in a list of the kernel's: "0-3,8". */
static unsigned cpus_in(const char *list) {
    unsigned count = 0;
    for (;;) {
        char *end = NULL;
        unsigned long first = strtoul(list, &end, 10), last = first;
        if (end == list)
            return count;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        count += (unsigned)(last - first + 1);
        if (*end != ',')
            return count;
        list = end + 1;
    }
}

/* Cpus that the group may keep busy; false if there is no limit. */
static bool group_cpus(struct exam *exam, const struct cgroup *group, double *cpus) {
    double quota = 0, period = 0;
    char *text = group_file(exam, group, group->second ? "cpu.max" : "cpu.cfs_quota_us"), *rest = text;
    if (text != NULL)
        quota = strtod(text, &rest);
    uint64_t first_period = 0;
    if (group->second)
        period = rest != text ? strtod(rest, NULL) : 0;
    else if (quota > 0 && group_number(exam, group, "cpu.cfs_period_us", &first_period))
        period = (double)first_period;
    free(text);
    *cpus = period > 0 ? quota / period : 0;
    return quota > 0 && period > 0;
}

void check_cgroup_cpu(struct exam *exam) {
    struct cgroup group = {0};
    size_t before = exam->count;
    double least = 0, cpus = 0;
    if (find_cgroup(exam, "cpu", &group))
        do {
            if (group_cpus(exam, &group, &cpus) && (least == 0 || cpus < least))
                least = cpus;
        } while (go_up(&group));
    cgroup_free(&group);
    if (least == 0) {
        if (exam->count == before)
            exam_add(exam, LEVEL_OK, need_copy("no limit in sight"), NULL);
        return;
    }
    char *status = exam_tell_process(exam, "status");
    const char *list = status != NULL ? text_field(status, "Cpus_allowed_list:") : NULL;
    unsigned seen = list != NULL ? cpus_in(list) : 0;
    if (seen == 0)
        exam_add(exam, LEVEL_UNTOLD, need_format("the limit is %.2f cpus, but not how many are seen", least), NULL);
    else if (least < seen)
        exam_add(exam, LEVEL_WARNING,
                 need_format("the limit is %.2f cpus, but the process sees %u: it starts threads and heaps for them, "
                             "and a thread may be stopped while it holds a lock",
                             least, seen),
                 "give it whole cpus (cpuset, taskset), or fewer threads and HAKMEM_HEAPS of one for every two");
    else
        exam_add(exam, LEVEL_OK, need_format("the limit is %.2f cpus of %u", least, seen), NULL);
    free(status);
}
