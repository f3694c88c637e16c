/* os/cgroup.c
 * Purpose.     See cgroup.h.
 */
#include "os/cgroup.h"

#include "base/bits.h"
#include "base/format.h"
#include "os/os.h"

#define MOUNT "/sys/fs/cgroup"

struct buffers {
    char groups[2560]; /* /proc/self/cgroup */
    char path[1024];
    char value[128];
};
_Static_assert(sizeof(struct buffers) <= 4096, "a page");

/* The process's group in one hierarchy. */
struct group {
    const char *path; /* NULL: there is none */
    size_t length;
    bool second; /* of version 2 */
};

/* Behind the next `c` of the line; NULL if there is none. */
static const char *behind(const char *at, char c) {
    while (*at != c && *at != '\n' && *at != 0)
        at++;
    return *at == c ? at + 1 : NULL;
}

/* True if `word` is in the list, which has commas between and a colon behind. */
static bool holds_word(const char *list, const char *word) {
    for (;;) {
        const char *left = word;
        while (*left != 0 && *list == *left)
            left++, list++;
        if (*left == 0 && (*list == ',' || *list == ':'))
            return true;
        while (*list != ',' && *list != ':')
            list++;
        if (*list++ == ':')
            return false;
    }
}

/* Of lines "number:controllers:path"; version 2 has no controllers there. */
static struct group find_group(const char *text, const char *controller) {
    struct group group = {.path = NULL};
    for (const char *next; (next = behind(text, '\n')) != NULL; text = next) {
        const char *list = behind(text, ':');
        const char *path = list == NULL ? NULL : behind(list, ':');
        bool second = path != NULL && *list == ':';
        if (path != NULL && (second ? group.path == NULL : holds_word(list, controller)))
            group = (struct group){.path = path, .length = (size_t)(next - 1 - path), .second = second};
    }
    return group;
}

/* The number at *text, which is moved behind it; no limit for anything else, such as "max" and -1. */
static uint64_t read_number(const char **text) {
    uint64_t number = 0;
    const char *start = *text, *at = start;
    for (; *at >= '0' && *at <= '9' && number < CGROUP_NO_LIMIT / 16; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    bool whole = at > start && (*at == ' ' || *at == '\n' || *at == 0);
    *text = at + (*at == ' ');
    return whole ? number : CGROUP_NO_LIMIT;
}

/* The text of a file of the group whose folder this is; "" if there is none. */
static const char *read_in(struct buffers *buffers, struct format folder, const char *name) {
    format_text(&folder, name);
    bool fits = folder.length + 1 < folder.capacity;
    return fits && hak_os_read_file(folder.buffer, buffers->value, sizeof buffers->value) != 0 ? buffers->value : "";
}

static void look_at_memory(struct buffers *buffers, struct format folder, bool second, struct cgroup_limits *limits) {
    const char *text = read_in(buffers, folder, second ? "/memory.max" : "/memory.limit_in_bytes");
    bool has_high = second && *text != 0;
    limits->memory_bytes = least(limits->memory_bytes, read_number(&text));
    if (!has_high)
        return;
    text = read_in(buffers, folder, "/memory.high");
    limits->memory_bytes = least(limits->memory_bytes, read_number(&text));
}

static void look_at_cpu(struct buffers *buffers, struct format folder, bool second, struct cgroup_limits *limits) {
    const char *text = read_in(buffers, folder, second ? "/cpu.max" : "/cpu.cfs_quota_us");
    uint64_t quota = read_number(&text);
    if (quota == CGROUP_NO_LIMIT)
        return;
    if (!second)
        text = read_in(buffers, folder, "/cpu.cfs_period_us");
    uint64_t period = read_number(&text);
    if (period == CGROUP_NO_LIMIT || period == 0)
        return;
    uint64_t cpu_count = quota / period + (quota % period != 0);
    limits->cpu_count = least(limits->cpu_count, cpu_count == 0 ? 1 : cpu_count);
}

typedef void look(struct buffers *buffers, struct format folder, bool second, struct cgroup_limits *limits);

/* Looks at the group of that controller and at all above it. */
static void walk(struct buffers *buffers, const char *root, const char *controller, look *at,
                 struct cgroup_limits *limits) {
    struct group group = find_group(buffers->groups, controller);
    if (group.path == NULL)
        return;
    struct format folder = format_into(buffers->path, sizeof buffers->path);
    format_text(&folder, root);
    format_text(&folder, MOUNT);
    if (!group.second) {
        format_text(&folder, "/");
        format_text(&folder, controller);
    }
    size_t top = folder.length;
    format_span(&folder, group.path, group.length);
    while (folder.length > top) {
        if (folder.length > top + 1)
            at(buffers, folder, group.second, limits);
        while (folder.length > top && folder.buffer[--folder.length] != '/')
            ;
    }
    at(buffers, folder, group.second, limits);
}

struct cgroup_limits hak_cgroup_read(const char *root) {
    struct cgroup_limits limits = {.memory_bytes = CGROUP_NO_LIMIT, .cpu_count = CGROUP_NO_LIMIT};
    size_t bytes = hak_os_page_size();
    struct buffers *buffers = hak_os_reserve(bytes);
    if (buffers == NULL)
        return limits;
    if (hak_os_commit(buffers, bytes) == 0) {
        struct format path = format_into(buffers->path, sizeof buffers->path);
        format_text(&path, root);
        format_text(&path, "/proc/self/cgroup");
        (void)hak_os_read_file(buffers->path, buffers->groups, sizeof buffers->groups);
        walk(buffers, root, "memory", look_at_memory, &limits);
        walk(buffers, root, "cpu", look_at_cpu, &limits);
    }
    (void)!hak_os_release(buffers, bytes);
    return limits;
}
