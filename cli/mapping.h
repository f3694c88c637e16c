/* mapping.h
 * Purpose.     A range of addresses of a process, as the kernel lists it.
 */
#ifndef HAK_CLI_MAPPING_H
#define HAK_CLI_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
    uintptr_t start, end;
    uint64_t offset;  // in the file
    const char *path; // "" for anonymous memory, "[heap]" and the like as the kernel says it
    bool read, write, execute;
};

/* The index of the first of `count` mappings in order that ends behind the address; `count` if none does. Each begins
 * an item of `stride` bytes, the first at `items`. */
static inline size_t mapping_behind(const void *items, size_t stride, size_t count, uintptr_t address) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct mapping *mapping = (const void *)((const char *)items + middle * stride);
        if (mapping->end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
