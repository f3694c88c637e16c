/* process.h
 * Purpose.     What the kernel says about this process: resident memory, mappings, address space; its limits.
 * Design.      Reads /proc into a buffer on the stack: asking must not change what is asked about. Resident memory
 *              comes from smaps_rollup, since the counters behind statm are batched per CPU.
 */
#ifndef TEST_SUPPORT_PROCESS_H
#define TEST_SUPPORT_PROCESS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* The number behind `key` in the first 4000 bytes of a /proc file, as written there; 0 if there is none. */
static inline size_t process_proc_number(const char *path, const char *key) {
    char text[4001];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    size_t length = 0;
    ssize_t got;
    while (length < sizeof text - 1 && (got = read(fd, text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(fd);
    text[length] = '\0';
    const char *at = strstr(text, key);
    if (at == NULL) {
        return 0;
    }
    at += strlen(key);
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    size_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (size_t)(*at - '0');
    }
    return number;
}

static inline size_t process_rss_bytes(void) {
    return process_proc_number("/proc/self/smaps_rollup", "Rss:") * 1024;
}

static inline size_t process_address_space_bytes(void) {
    return process_proc_number("/proc/self/status", "VmSize:") * 1024;
}

static inline size_t process_mapping_count(void) {
    char text[4096];
    size_t lines = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ssize_t got;
    while (fd >= 0 && (got = read(fd, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            lines += text[i] == '\n';
        }
    }
    close(fd);
    return lines;
}

/* True if some mapped file's name contains `part`. */
static inline bool process_maps_file(const char *part) {
    char text[8192];
    size_t kept = 0;
    size_t overlap = strlen(part) - 1;
    bool found = false;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ssize_t got;
    while (fd >= 0 && !found && (got = read(fd, text + kept, sizeof text - 1 - kept)) > 0) {
        size_t length = kept + (size_t)got;
        text[length] = '\0';
        found = strstr(text, part) != NULL;
        kept = length < overlap ? length : overlap;
        memmove(text, text + length - kept, kept);
    }
    close(fd);
    return found;
}

/* Lets the address space grow by at most `bytes` from here. An allocator that holds address space in reserve may let go
 * of it when it meets a limit, so it is made to meet one before what it really has is measured. */
static inline bool process_limit_growth(size_t bytes) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0) {
        return false;
    }
    for (int round = 0; round < 3; round++) {
        void *volatile refused = NULL;
        limit.rlim_cur = process_address_space_bytes() + bytes;
        if (setrlimit(RLIMIT_AS, &limit) != 0) {
            return false;
        }
        refused = malloc(64 * GIB);
        free(refused);
    }
    return true;
}

static inline bool process_unlimit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0) {
        return false;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_AS, &limit) == 0;
}

static inline void process_sleep_ms(long ms) {
    struct timespec span = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&span, NULL);
}

static inline long process_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

#endif
