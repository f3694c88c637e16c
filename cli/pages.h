/* pages.h
 * Purpose.     What of a process is resident: per mapping, and per page. Or, where nobody knows, all of it.
 * Design.      Mappings from /proc/PID/smaps, pages from /proc/PID/pagemap, whose "present" bit the kernel shows to
 *              everybody who may read the process. Pages that only show the kernel's page of zeros are present and not
 *              resident; kernels since 6.7 tell which (PAGEMAP_SCAN). On older ones they are those that are not mapped
 *              exclusively, in a mapping that shares no page with another process.
 */
#ifndef HAK_CLI_PAGES_H
#define HAK_CLI_PAGES_H

#include "target.h"

struct area {
    struct mapping map; // first: mapping_behind
    uint64_t resident_bytes;
    bool shares;          // some of its pages with other processes
    uint64_t known_bytes; // of them, in pages that pages_look has been asked about
};

struct pages {
    bool all;          // nothing is known of the pages: each counts as if it were resident, and no area is known
    struct area *area; // by address
    size_t area_count;
    uint64_t swapped_bytes;
    size_t page_bytes;
    int pagemap; // file
    bool scans;  // the kernel has PAGEMAP_SCAN
    char *text;  // holds the paths
};

/* False with errno set if the kernel does not show them. To be freed in either case. */
bool pages_open(struct pages *pages, pid_t tid);
void pages_free(struct pages *pages);

/* Of a process that has ended. To be freed. */
struct pages pages_all(void);

/* Pages that one look can be at, in 64-bit words: 4 MiB of the smallest ones. */
#define LOOK_WORDS 16u

/* Looks at the pages of [start, start + bytes), at most LOOK_WORDS * 64 of them: a bit for each, set iff it is
 * resident, which makes it known. */
void pages_look(struct pages *pages, uintptr_t start, size_t bytes, uint64_t resident[LOOK_WORDS]);

/* The mapping that holds the address, or NULL. */
struct area *pages_area(const struct pages *pages, uintptr_t address);

#endif
