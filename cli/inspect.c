/* inspect.c
 * Purpose.     See inspect.h.
 * Design.      That libc's heap is unused is seen by what it cannot do without: its main arena grows by brk, which the
 *              kernel shows as [heap] above the address where brk started; the arenas of other threads start with a
 *              record of fixed layout at a multiple of 64 MiB. Both stay once they were used, so the end of a process
 *              tells about its whole life, also about a plugin that was unloaded before.
 */
#include "inspect.h"

#include "view.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define THREAD_HEAP_ALIGNMENT ((uintptr_t)64 << 20)

/* The first words of glibc's struct heap_info. */
struct thread_heap {
    uint64_t arena;
    uint64_t previous;
    uint64_t size;
    uint64_t accessible;
};

/* Field `number` of /proc/TID/stat, counted as in proc(5). The name in field 2 may hold anything, brackets included. */
static uint64_t stat_field(pid_t tid, int number) {
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

static uint64_t main_heap_bytes(const struct target *target) {
    uint64_t start = stat_field(target->tid, 47), bytes = 0;
    for (size_t i = 0; i < target->map_count; i++) {
        const struct mapping *mapping = &target->maps[i];
        if (strcmp(mapping->path, "[heap]") != 0 || mapping->end <= start)
            continue;
        bytes += mapping->end - (mapping->start > start ? mapping->start : start);
    }
    return bytes;
}

static bool starts_thread_heap(struct target *target, uintptr_t address, struct thread_heap *heap) {
    if (!target_read(target, address, heap, sizeof *heap))
        return false;
    bool sized = heap->size != 0 && heap->size % 4096 == 0 && heap->accessible % 4096 == 0 &&
                 heap->size <= heap->accessible && heap->accessible <= THREAD_HEAP_ALIGNMENT;
    if (heap->previous == 0)
        return sized && heap->arena > address && heap->arena - address <= 128;
    return sized && heap->previous % THREAD_HEAP_ALIGNMENT == 0 && heap->arena % 16 == 0 && heap->arena != 0;
}

static uint64_t thread_heap_bytes(struct target *target) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < target->map_count; i++) {
        const struct mapping *mapping = &target->maps[i];
        bool anonymous = mapping->path[0] == 0 || strncmp(mapping->path, "[anon", 5) == 0;
        if (!mapping->read || !mapping->write || !anonymous)
            continue;
        uintptr_t at = (mapping->start + THREAD_HEAP_ALIGNMENT - 1) & ~(THREAD_HEAP_ALIGNMENT - 1);
        struct thread_heap heap;
        for (; at >= mapping->start && at < mapping->end; at += THREAD_HEAP_ALIGNMENT)
            if (starts_thread_heap(target, at, &heap))
                bytes += heap.size;
    }
    return bytes;
}

static const struct object *program_of(const struct object_list *objects) {
    for (size_t i = 0; i < objects->count; i++)
        if (objects->item[i].role == ROLE_PROGRAM)
            return &objects->item[i];
    for (size_t i = 0; i < objects->count; i++)
        if (objects->item[i].narrow)
            return &objects->item[i];
    return NULL;
}

/* True if the environment that the process was started with names the library in LD_PRELOAD. */
static bool environment_preloads(pid_t tid, const char *library) {
    size_t length = 0;
    bool found = false;
    char *text = proc_text(tid, "environ", &length);
    for (char *at = text; text != NULL && at < text + length && !found; at += strlen(at) + 1)
        found = strncmp(at, "LD_PRELOAD=", 11) == 0 && strstr(at + 11, library) != NULL;
    free(text);
    return found;
}

static char *why_absent(const struct target *target, const struct object_list *objects, const char *library) {
    const struct object *program = program_of(objects);
    if (program != NULL && program->narrow)
        return need_copy("32-bit program");
    if (program != NULL && !program->interpreted)
        return need_copy("static binary");
    if (library == NULL)
        return need_copy("nothing preloaded it");
    if (target_auxiliary(target->tid, AT_SECURE) != 0)
        return need_copy("setuid, setgid or with file capabilities, where the loader ignores LD_PRELOAD");
    if (!environment_preloads(target->tid, library))
        return need_format("LD_PRELOAD was taken out of its environment, or never named %s", library);
    return need_format("the loader could not load %s (it says why on stderr)", library);
}

static void find_hakmem(struct target *target, struct proof *proof, const char *library) {
    proof->hakmem = need(proof->objects.count * sizeof *proof->hakmem);
    for (size_t i = 0; i < proof->objects.count; i++) {
        uintptr_t view = view_find(target, &proof->objects.item[i]);
        if (view == 0)
            continue;
        struct counts counts;
        const char *failure = view_counts(target, view, &counts);
        proof->hakmem[i] = proof->loaded = true;
        counts_add(&proof->counts, &counts);
        if (failure != NULL && proof->uncounted == NULL)
            proof->uncounted = need_copy(failure);
    }
    if (!proof->loaded)
        proof->absence = why_absent(target, &proof->objects, library);
}

static char *why_unreadable(pid_t tid, int error) {
    if (error == EPERM || error == EACCES)
        return need_copy("the kernel does not let us read its memory");
    if (proc_status_number(tid, "Kthread:") == 1)
        return need_copy("it is a thread of the kernel");
    return need_copy(error == ESRCH || error == ENOENT ? "it was gone" : strerror(error));
}

struct proof *inspect_process(pid_t tid, const char *library) {
    struct proof *proof = need(sizeof *proof);
    struct target target;
    if (!target_open(&target, tid)) {
        proof->forbidden = errno == EPERM || errno == EACCES;
        proof->failure = why_unreadable(tid, errno);
        return proof;
    }
    const char *unreadable = NULL;
    proof->objects = objects_find(&target);
    find_hakmem(&target, proof, library);
    if (proof->objects.count == 0)
        proof->failure = need_copy("no program was found in its memory");
    else if (!bindings_find(&target, &proof->objects, &proof->bindings, &unreadable))
        proof->failure = need_format("the tables of %s could not be read", unreadable);
    proof->heap_bytes = main_heap_bytes(&target);
    proof->heap_of_threads = thread_heap_bytes(&target);
    target_close(&target);
    return proof;
}

void proof_free(struct proof *proof) {
    if (proof == NULL)
        return;
    objects_free(&proof->objects);
    bindings_free(&proof->bindings);
    free(proof->hakmem);
    free(proof->absence);
    free(proof->uncounted);
    free(proof->failure);
    free(proof);
}

struct counts inspect_counts(pid_t tid) {
    struct target target;
    struct counts sum = {0};
    if (!target_open(&target, tid))
        return sum;
    struct object_list objects = objects_find(&target);
    for (size_t i = 0; i < objects.count; i++) {
        struct counts counts;
        uintptr_t view = view_find(&target, &objects.item[i]);
        if (view != 0 && view_counts(&target, view, &counts) == NULL)
            counts_add(&sum, &counts);
    }
    objects_free(&objects);
    target_close(&target);
    return sum;
}
