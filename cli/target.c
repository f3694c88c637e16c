/* target.c
 * Purpose.     See target.h.
 */
#include "target.h"

#include "basics.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The cache's own unit; the machine's page may be larger, never smaller. */
#define PAGE_BYTES 4096u
#define PAGE_SLOTS 1024u

struct page_cache {
    struct {
        uintptr_t address; // of the page; 0 for none
        char bytes[PAGE_BYTES];
    } slot[PAGE_SLOTS];
};

char *proc_text(pid_t tid, const char *name, size_t *length) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, name);
    return file_text(path, length);
}

bool proc_is_number(const char *text) {
    char *end = NULL;
    strtol(text, &end, 10);
    return *end == 0;
}

pid_t proc_find(const char *taker, const char *text) {
    char *end = NULL;
    errno = 0;
    long pid = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || pid <= 0 || pid > INT32_MAX) {
        say("%s takes the number of a process, not '%s'", taker, text);
        return -1;
    }
    if (proc_status_number((pid_t)pid, "Tgid:") < 0) {
        say("there is no process %ld", pid);
        return -1;
    }
    return (pid_t)pid;
}

char *proc_refusal(pid_t pid) {
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &status) == 0 && status.st_uid != geteuid() && geteuid() != 0)
        return need_format("process %d belongs to another user: run this command as root (sudo)", (int)pid);
    size_t length = 0;
    char *yama = file_text("/proc/sys/kernel/yama/ptrace_scope", &length);
    int scope = yama != NULL ? atoi(yama) : 0;
    free(yama);
    if (scope > 0)
        return need_format("the kernel lets only root look at running processes (kernel.yama.ptrace_scope is %d): run "
                           "this command as root (sudo), or as root 'sysctl kernel.yama.ptrace_scope=0', or start the "
                           "program with 'hakmem verify'",
                           scope);
    return need_format("the kernel does not let us look at process %d (it runs with other rights, or has made itself "
                       "undumpable): run this command as root (sudo)",
                       (int)pid);
}

char *proc_link(pid_t tid, const char *name) {
    char path[64], found[4096];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, name);
    ssize_t length = readlink(path, found, sizeof found - 1);
    if (length < 0)
        return NULL;
    found[length] = 0;
    return need_copy(found);
}

char *proc_command_line(pid_t tid) {
    size_t length = 0;
    char *text = proc_text(tid, "cmdline", &length);
    if (text == NULL)
        return need_copy("");
    while (length > 0 && text[length - 1] == 0)
        length--;
    for (size_t i = 0; i < length; i++)
        if (text[i] == 0)
            text[i] = ' ';
    return text;
}

long proc_status_number(pid_t tid, const char *key) {
    size_t length = 0;
    char *text = proc_text(tid, "status", &length);
    const char *field = text != NULL ? text_field(text, key) : NULL;
    long number = field != NULL ? strtol(field, NULL, 10) : -1;
    free(text);
    return number;
}

/* The name in field 2 may hold anything, brackets included. */
uint64_t proc_stat_field(pid_t tid, int number) {
    size_t length = 0;
    char *text = proc_text(tid, "stat", &length);
    const char *at = text != NULL ? strrchr(text, ')') : NULL;
    for (int field = 2; at != NULL && field < number; field++) {
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
    }
    uint64_t value = at != NULL ? strtoull(at, NULL, 10) : 0;
    free(text);
    return value;
}

char proc_state(pid_t tid) {
    size_t length = 0;
    char *text = proc_text(tid, "stat", &length);
    /* "id (name) state": the name may hold anything, brackets included. */
    const char *name_end = text != NULL ? strrchr(text, ')') : NULL;
    char state = name_end != NULL && name_end[1] == ' ' ? name_end[2] : 0;
    free(text);
    return state;
}

pid_t proc_living_thread(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    pid_t found = 0;
    for (struct dirent *entry; folder != NULL && found == 0 && (entry = readdir(folder)) != NULL;) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        char state = tid > 0 ? proc_state(tid) : 0;
        if (state != 0 && state != 'Z' && state != 'X')
            found = tid;
    }
    if (folder != NULL)
        closedir(folder);
    return found != 0 ? found : pid;
}

uint64_t auxiliary_value(const char *text, size_t length, uint64_t type) {
    uint64_t value = 0;
    for (size_t at = 0; text != NULL && at + 16 <= length; at += 16) {
        uint64_t pair[2];
        memcpy(pair, text + at, sizeof pair);
        if (pair[0] == type)
            value = pair[1];
    }
    return value;
}

uint64_t target_auxiliary(const struct target *target, uint64_t type) {
    const struct core *core = target->core;
    return core != NULL ? auxiliary_value(core->auxv, core->auxv_bytes, type) : proc_auxiliary(target->tid, type);
}

uint64_t proc_auxiliary(pid_t tid, uint64_t type) {
    size_t length = 0;
    char *text = proc_text(tid, "auxv", &length);
    uint64_t value = auxiliary_value(text, length, type);
    free(text);
    return value;
}

/* "start-end rwxp offset dev inode   path". */
bool mapping_parse(char *line, struct mapping *mapping) {
    unsigned long start = 0, end = 0, offset = 0;
    char mode[5] = "";
    int path_at = 0;
    if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %n", &start, &end, mode, &offset, &path_at) != 4 || path_at == 0)
        return false;
    *mapping = (struct mapping){
        .start = start,
        .end = end,
        .offset = offset,
        .path = line + path_at,
        .read = mode[0] == 'r',
        .write = mode[1] == 'w',
        .execute = mode[2] == 'x',
    };
    return true;
}

bool target_open(struct target *target, pid_t tid) {
    *target = (struct target){.tid = tid};
    size_t length = 0, room = 0;
    target->maps_text = proc_text(tid, "maps", &length);
    if (target->maps_text == NULL)
        return false;
    char *rest = target->maps_text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        target->maps = need_room(target->maps, target->map_count, &room, sizeof *target->maps);
        struct mapping *map = &target->maps[target->map_count];
        if (!mapping_parse(line, map))
            continue;
        target->bytes += map->end - map->start;
        target->map_count++;
    }
    if (target->map_count == 0) {
        target_close(target);
        errno = ESRCH;
        return false;
    }
    char probe;
    if (!target_read_now(target, target->maps[0].start, &probe, 1) && errno != EFAULT) {
        int error = errno;
        target_close(target);
        errno = error;
        return false;
    }
    target->pages = need(sizeof *target->pages);
    return true;
}

void target_open_core(struct target *target, struct core *core) {
    *target = (struct target){.core = core, .map_count = core->segment_count, .bytes = core->held_bytes};
    target->maps = need(target->map_count * sizeof *target->maps);
    for (size_t i = 0; i < target->map_count; i++)
        target->maps[i] = core->segment[i].map;
    target->pages = need(sizeof *target->pages);
}

void target_close(struct target *target) {
    free(target->maps);
    free(target->maps_text);
    free(target->pages);
    *target = (struct target){0};
}

bool target_read_now(const struct target *target, uintptr_t address, void *into, size_t size) {
    char *at = into;
    if (target->core != NULL)
        return core_read(target->core, address, into, size);
    while (size > 0) {
        struct iovec here = {.iov_base = at, .iov_len = size};
        struct iovec there = {.iov_base = (void *)address, .iov_len = size};
        ssize_t got = process_vm_readv(target->tid, &here, 1, &there, 1, 0);
        if (got <= 0)
            return false;
        at += got;
        address += (size_t)got;
        size -= (size_t)got;
    }
    return true;
}

bool target_write(const struct target *target, uintptr_t address, const void *from, size_t size) {
    struct iovec here = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};
    struct iovec there = {.iov_base = (void *)address, .iov_len = size};
    return process_vm_writev(target->tid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* The page's bytes, or NULL if they cannot be read. */
static const char *cached_page(struct target *target, uintptr_t page) {
    size_t slot = (page / PAGE_BYTES) % PAGE_SLOTS;
    char *bytes = target->pages->slot[slot].bytes;
    if (target->pages->slot[slot].address == page && page != 0)
        return bytes;
    target->pages->slot[slot].address = 0;
    if (!target_read_now(target, page, bytes, PAGE_BYTES))
        return NULL;
    target->pages->slot[slot].address = page;
    return bytes;
}

bool target_read(struct target *target, uintptr_t address, void *into, size_t size) {
    if (address > UINTPTR_MAX - size)
        return false;
    if (size >= 4 * PAGE_BYTES)
        return target_read_now(target, address, into, size);
    char *at = into;
    while (size > 0) {
        size_t within = address % PAGE_BYTES;
        size_t part = PAGE_BYTES - within < size ? PAGE_BYTES - within : size;
        const char *bytes = cached_page(target, address - within);
        if (bytes == NULL)
            return false;
        memcpy(at, bytes + within, part);
        at += part;
        address += part;
        size -= part;
    }
    return true;
}

bool target_read_string(struct target *target, uintptr_t address, char *into, size_t size) {
    size_t length = 0;
    while (length + 1 < size) {
        size_t within = (address + length) % PAGE_BYTES;
        const char *bytes = cached_page(target, address + length - within);
        if (bytes == NULL)
            return false;
        size_t part = PAGE_BYTES - within < size - 1 - length ? PAGE_BYTES - within : size - 1 - length;
        const char *end = memchr(bytes + within, 0, part);
        size_t taken = end != NULL ? (size_t)(end - (bytes + within)) : part;
        memcpy(into + length, bytes + within, taken);
        length += taken;
        if (end != NULL)
            break;
    }
    into[length] = 0;
    return true;
}

const struct mapping *target_mapping(const struct target *target, uintptr_t address) {
    size_t low = 0, high = target->map_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (target->maps[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == target->map_count || target->maps[low].start > address)
        return NULL;
    return &target->maps[low];
}
