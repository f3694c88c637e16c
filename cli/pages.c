/* pages.c
 * Purpose.     See pages.h.
 */
#include "pages.h"

#include "basics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* In an entry of pagemap. */
#define PRESENT ((uint64_t)1 << 63)
#define EXCLUSIVE ((uint64_t)1 << 56)

/* What <linux/fs.h> says since 6.7. */
struct scanned {
    uint64_t start, end, categories;
};
struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_IOCTL _IOWR('f', 16, struct scan)
#define SCAN_IS_PRESENT ((uint64_t)1 << 3)
#define SCAN_IS_ZERO ((uint64_t)1 << 5)
#define SCANNED_MAX 64u

static struct area *add_area(struct pages *pages, size_t *room, char *line) {
    pages->area = need_room(pages->area, pages->area_count, room, sizeof *pages->area);
    struct area *area = &pages->area[pages->area_count];
    *area = (struct area){0};
    if (!mapping_parse(line, &area->map))
        return NULL;
    pages->area_count++;
    return area;
}

/* A mapping is one line as in maps, and below it lines that begin with a capital letter. */
static void parse_areas(struct pages *pages) {
    size_t room = 0;
    struct area *area = NULL;
    char *rest = pages->text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (strncmp(line, "Rss:", 4) == 0 && area != NULL)
            area->resident_bytes = strtoull(line + 4, NULL, 10) * 1024;
        else if (strncmp(line, "Shared_", 7) == 0 && area != NULL)
            area->shares |= strtoull(line + strcspn(line, ":") + 1, NULL, 10) != 0;
        else if (strncmp(line, "Swap:", 5) == 0)
            pages->swapped_bytes += strtoull(line + 5, NULL, 10) * 1024;
        else if (*line != 0 && (*line < 'A' || *line > 'Z'))
            area = add_area(pages, &room, line);
    }
}

bool pages_open(struct pages *pages, pid_t tid) {
    char path[64];
    size_t length = 0;
    *pages = (struct pages){.page_bytes = (size_t)sysconf(_SC_PAGESIZE), .pagemap = -1, .scans = true};
    pages->text = proc_text(tid, "smaps", &length);
    if (pages->text == NULL)
        return false;
    parse_areas(pages);
    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)tid);
    pages->pagemap = open(path, O_RDONLY | O_CLOEXEC);
    return pages->pagemap >= 0;
}

struct pages pages_all(void) {
    return (struct pages){.all = true, .page_bytes = (size_t)sysconf(_SC_PAGESIZE), .pagemap = -1};
}

void pages_free(struct pages *pages) {
    if (pages->pagemap >= 0)
        close(pages->pagemap);
    free(pages->area);
    free(pages->text);
    *pages = (struct pages){.pagemap = -1};
}

static size_t first_behind(const struct pages *pages, uintptr_t address) {
    return mapping_behind(pages->area, sizeof *pages->area, pages->area_count, address);
}

struct area *pages_area(const struct pages *pages, uintptr_t address) {
    size_t i = first_behind(pages, address);
    return i < pages->area_count && pages->area[i].map.start <= address ? &pages->area[i] : NULL;
}

static void set_bits(uint64_t *resident, size_t from, size_t end) {
    for (size_t i = from; i < end; i++)
        resident[i / 64] |= (uint64_t)1 << i % 64;
}

/* False if the kernel cannot do this. */
static bool scan_pages(struct pages *pages, uintptr_t start, uintptr_t end, uint64_t *resident) {
    struct scanned found[SCANNED_MAX];
    struct scan scan = {
        .size = sizeof scan,
        .start = start,
        .end = end,
        .vec = (uintptr_t)found,
        .vec_len = SCANNED_MAX,
        .category_inverted = SCAN_IS_ZERO,
        .category_mask = SCAN_IS_PRESENT | SCAN_IS_ZERO,
        .return_mask = SCAN_IS_PRESENT,
    };
    while (scan.start < end) {
        int count = ioctl(pages->pagemap, SCAN_IOCTL, &scan);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        for (int i = 0; i < count; i++)
            set_bits(resident, (found[i].start - start) / pages->page_bytes,
                     (found[i].end - start) / pages->page_bytes);
        scan.start = scan.walk_end;
    }
    return true;
}

static void read_pages(const struct pages *pages, uintptr_t start, size_t count, uint64_t *resident) {
    uint64_t entry[LOOK_WORDS * 64];
    off_t offset = (off_t)(start / pages->page_bytes * sizeof *entry);
    ssize_t got = pread(pages->pagemap, entry, count * sizeof *entry, offset);
    for (size_t i = 0; got > 0 && i < (size_t)got / sizeof *entry; i++) {
        if ((entry[i] & PRESENT) == 0)
            continue;
        const struct area *area = pages_area(pages, start + i * pages->page_bytes);
        if ((entry[i] & EXCLUSIVE) != 0 || (area != NULL && area->shares))
            set_bits(resident, i, i + 1);
    }
}

void pages_look(struct pages *pages, uintptr_t start, size_t bytes, uint64_t resident[LOOK_WORDS]) {
    uintptr_t end = start + bytes;
    memset(resident, 0, LOOK_WORDS * sizeof *resident);
    if (pages->scans && !scan_pages(pages, start, end, resident)) {
        pages->scans = false;
        memset(resident, 0, LOOK_WORDS * sizeof *resident);
    }
    if (!pages->scans)
        read_pages(pages, start, bytes / pages->page_bytes, resident);
    size_t area = first_behind(pages, start);
    for (size_t i = 0; i < bytes / pages->page_bytes; i++) {
        uintptr_t page = start + i * pages->page_bytes;
        while (area < pages->area_count && pages->area[area].map.end <= page)
            area++;
        if ((resident[i / 64] >> i % 64 & 1) != 0 && area < pages->area_count && pages->area[area].map.start <= page)
            pages->area[area].known_bytes += pages->page_bytes;
    }
}
