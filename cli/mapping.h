/* mapping.h
 * Purpose.     A range of addresses of a process, as the kernel lists it.
 */
#ifndef HAK_CLI_MAPPING_H
#define HAK_CLI_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

struct mapping {
    uintptr_t start, end;
    uint64_t offset;  // in the file
    const char *path; // "" for anonymous memory, "[heap]" and the like as the kernel says it
    bool read, write, execute;
};

#endif
