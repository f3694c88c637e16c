/* libc_heap.c
 * Purpose.     See libc_heap.h.
 */
#include "libc_heap.h"

#include "basics.h"

#include <string.h>

#define THREAD_HEAP_ALIGNMENT ((uintptr_t)64 << 20)

/* The first words of glibc's struct heap_info. */
struct thread_heap {
    uint64_t arena;
    uint64_t previous;
    uint64_t size;
    uint64_t accessible;
};

static uint64_t mapped_heap_bytes(const struct target *target) {
    uint64_t start = proc_stat_field(target->tid, 47), bytes = 0;
    for (size_t i = 0; i < target->map_count; i++) {
        const struct mapping *mapping = &target->maps[i];
        if (strcmp(mapping->path, "[heap]") != 0 || mapping->end <= start)
            continue;
        bytes += mapping->end - (mapping->start > start ? mapping->start : start);
    }
    return bytes;
}

/* The words of glibc's struct malloc_state that tell its main arena from other data: a ring of one, used by the first
 * thread. */
#define ARENA_BYTES 0x898u
struct arena {
    char lists[0x870];
    uint64_t next, next_free, threads, bytes, most_bytes;
};
_Static_assert(sizeof(struct arena) == ARENA_BYTES, "the layout of glibc since 2.26");

/* Looks for the main arena in the data of libc. True, with the bytes that it has had at most, if it is there. */
static bool find_arena(struct target *target, const struct object *libc, uint64_t *bytes) {
    for (size_t i = 0; i < target->map_count; i++) {
        const struct mapping *mapping = &target->maps[i];
        if (!mapping->write || mapping->start < libc->base || mapping->start >= libc->end)
            continue;
        for (uintptr_t at = mapping->start; at + ARENA_BYTES <= mapping->end; at += 16) {
            struct arena arena;
            uintptr_t tail = at + offsetof(struct arena, next);
            if (!target_read(target, tail, &arena.next, ARENA_BYTES - offsetof(struct arena, next)))
                return false;
            if (arena.next != at || arena.next_free != 0 || arena.threads != 1 || arena.bytes > arena.most_bytes)
                continue;
            *bytes = arena.most_bytes;
            return true;
        }
    }
    return false;
}

uint64_t libc_heap_bytes(struct target *target, const struct object_list *objects) {
    uint64_t sum = 0;
    for (size_t i = 0; i < objects->count; i++) {
        uint64_t bytes = 0;
        if (objects->item[i].role != ROLE_LIBC)
            continue;
        if (!find_arena(target, &objects->item[i], &bytes))
            return mapped_heap_bytes(target);
        sum += bytes;
    }
    return sum;
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

uint64_t libc_thread_heap_bytes(struct target *target) {
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
