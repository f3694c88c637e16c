/* core.c
 * Purpose.     See core.h.
 */
#include "core.h"

#include "arch.h"
#include "basics.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than a kernel writes: it limits the note of the mapped files to 16 MiB. */
#define FILES_BYTES_MAX ((size_t)64 << 20)
/* Segments, and mapped files: more than a process has mappings, unless vm.max_map_count is set for it. */
#define LISTED_MAX (1u << 20)
#define AUXV_BYTES_MAX ((size_t)64 << 10)

const char core_left_out[] = "memory that would tell was left out of it (coredump_filter)";
static const char *const cut_off = "it is cut off: not all that it lists is there";
static const char *const senseless = "its headers make no sense";
static const char *const endless = "it lists more than 1048576 segments or mapped files";

/* ---- headers ---- */

static const char *read_header(const struct window *all, Elf64_Ehdr *header, uint64_t *count) {
    Elf64_Shdr section;
    if (!window_read(all, 0, header->e_ident, SELFMAG) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return "it is no ELF file";
    if (!window_read(all, 0, header, sizeof *header))
        return cut_off;
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != ARCH_MACHINE)
        return "it is of another architecture than " ARCH_NAME;
    if (header->e_type != ET_CORE)
        return "it is a program or a library, not a core";
    *count = header->e_phnum;
    if (header->e_phnum == PN_XNUM) { /* the number does not fit there */
        if (!window_read(all, header->e_shoff, &section, sizeof section))
            return cut_off;
        *count = section.sh_info;
    }
    return header->e_phentsize == sizeof(Elf64_Phdr) && *count != 0 ? NULL : senseless;
}

/* The table, all of whose segments are in the file; to be freed. NULL with the reason if it is not so. */
static Elf64_Phdr *read_table(const struct window *all, uint64_t *count, const char **failure) {
    Elf64_Ehdr header;
    *failure = read_header(all, &header, count);
    if (*failure == NULL && *count > LISTED_MAX)
        *failure = endless;
    if (*failure == NULL &&
        (*count > all->bytes / sizeof(Elf64_Phdr) || !window_holds(all, header.e_phoff, *count * sizeof(Elf64_Phdr))))
        *failure = cut_off;
    if (*failure != NULL)
        return NULL;
    Elf64_Phdr *table = need(*count * sizeof *table);
    if (!window_read(all, header.e_phoff, table, *count * sizeof *table))
        *failure = cut_off;
    for (uint64_t i = 0; i < *count && *failure == NULL; i++)
        if (!window_holds(all, table[i].p_offset, table[i].p_filesz))
            *failure = cut_off;
    return table;
}

/* ---- segments ---- */

static bool add_segment(struct core *core, const Elf64_Phdr *load) {
    if (load->p_filesz > load->p_memsz || load->p_memsz > UINTPTR_MAX - load->p_vaddr)
        return false;
    if (load->p_memsz == 0)
        return true;
    struct core_segment *segment = &core->segment[core->segment_count++];
    segment->map.start = load->p_vaddr;
    segment->map.end = load->p_vaddr + load->p_memsz;
    segment->map.path = "";
    segment->map.read = (load->p_flags & PF_R) != 0;
    segment->map.write = (load->p_flags & PF_W) != 0;
    segment->map.execute = (load->p_flags & PF_X) != 0;
    segment->held = (struct window){core->all.file, load->p_offset, load->p_filesz};
    uint64_t room = core->all.bytes - core->held_bytes;
    core->held_bytes += load->p_filesz < room ? load->p_filesz : room;
    return true;
}

static int by_address(const void *a, const void *b) {
    uintptr_t one = ((const struct core_segment *)a)->map.start, other = ((const struct core_segment *)b)->map.start;
    return one < other ? -1 : one > other;
}

/* False if two of them overlap. */
static bool sort_segments(struct core *core) {
    if (core->segment_count != 0)
        qsort(core->segment, core->segment_count, sizeof *core->segment, by_address);
    for (size_t i = 1; i < core->segment_count; i++)
        if (core->segment[i].map.start < core->segment[i - 1].map.end)
            return false;
    return true;
}

/* The first segment that ends behind the address. */
static size_t segment_from(const struct core *core, uintptr_t address) {
    return mapping_behind(core->segment, sizeof *core->segment, core->segment_count, address);
}

static struct core_segment *segment_at(const struct core *core, uintptr_t address) {
    size_t i = segment_from(core, address);
    return i < core->segment_count && core->segment[i].map.start <= address ? &core->segment[i] : NULL;
}

/* ---- mapped files ---- */

/* A line of NT_FILE. */
struct file_range {
    uint64_t start, end, page;
};

struct file_ranges {
    struct file_range *range;
    size_t count;
    uint64_t page_bytes;
};

/* "count, page size, count times (start, end, page of the file), count paths, each with a zero behind it". NULL, or why
 * it is not so. */
static const char *read_files(struct core *core, const struct window *note, struct file_ranges *ranges) {
    uint64_t head[2];
    if (note->bytes > FILES_BYTES_MAX || !window_read(note, 0, head, sizeof head) ||
        head[0] > (note->bytes - sizeof head) / sizeof *ranges->range)
        return senseless;
    if (head[0] > LISTED_MAX)
        return endless;
    uint64_t count = head[0], paths_at = sizeof head + count * sizeof *ranges->range;
    size_t paths_bytes = note->bytes - paths_at;
    *ranges = (struct file_ranges){need(count * sizeof *ranges->range), count, head[1]};
    core->file = need(count * sizeof *core->file);
    core->files_text = need(paths_bytes + 1);
    if (!window_read(note, sizeof head, ranges->range, count * sizeof *ranges->range) ||
        !window_read(note, paths_at, core->files_text, paths_bytes))
        return senseless;
    const char *path = core->files_text, *end = path + paths_bytes;
    for (; core->file_count < count && path < end; path += strlen(path) + 1)
        core->file[core->file_count++].path = path;
    return core->file_count == count ? NULL : senseless;
}

/* Where no segment is (gdb leaves out what it does not dump), nobody tells how the file was mapped: as code is, which
 * the process cannot have written to. False if ranges overlap or are in no order. */
static bool add_files(struct core *core, const struct file_ranges *ranges) {
    size_t total = core->segment_count;
    uint64_t end = 0;
    for (size_t k = 0; k < ranges->count; k++) {
        const struct file_range *range = &ranges->range[k];
        if (range->start < end || range->end < range->start)
            return false;
        end = range->end;
        size_t first = segment_from(core, range->start), i = first;
        uint64_t offset = range->page * ranges->page_bytes;
        for (; i < core->segment_count && core->segment[i].map.start < range->end; i++) {
            struct core_segment *segment = &core->segment[i];
            segment->map.path = core->file[k].path;
            segment->map.offset = offset + (segment->map.start - range->start);
            segment->file = k;
        }
        if (i > first || range->start == range->end)
            continue;
        struct core_segment *segment = &core->segment[total++];
        segment->map = (struct mapping){range->start, range->end, offset, core->file[k].path, true, false, true};
        segment->file = k;
    }
    core->segment_count = total;
    return sort_segments(core);
}

/* ---- all of it ---- */

static void read_identity(struct core *core, const struct window *note) {
    struct elf_prpsinfo info;
    if (note->bytes != sizeof info || !window_read(note, 0, &info, sizeof info))
        return;
    core->pid = info.pr_pid;
    memcpy(core->program, info.pr_psargs, sizeof info.pr_psargs);
}

static void read_auxv(struct core *core, const struct window *note) {
    if (core->auxv != NULL || note->bytes > AUXV_BYTES_MAX)
        return;
    core->auxv = need(note->bytes);
    if (window_read(note, 0, core->auxv, note->bytes))
        core->auxv_bytes = note->bytes;
}

static const char *read_core(struct core *core, const Elf64_Phdr *table, uint64_t count, struct file_ranges *ranges) {
    bool named = false;
    uint64_t notes_max = core->all.bytes; // they may be the same ones again and again
    for (uint64_t i = 0; i < count; i++) {
        const Elf64_Phdr *at = &table[i];
        struct window note;
        if (at->p_type != PT_NOTE)
            continue;
        if (at->p_filesz > notes_max)
            return senseless;
        notes_max -= at->p_filesz;
        if (window_note(&core->all, at->p_offset, at->p_filesz, "CORE", NT_PRPSINFO, &note))
            read_identity(core, &note);
        if (window_note(&core->all, at->p_offset, at->p_filesz, "CORE", NT_AUXV, &note))
            read_auxv(core, &note);
        if (named || !window_note(&core->all, at->p_offset, at->p_filesz, "CORE", NT_FILE, &note))
            continue;
        named = true;
        const char *failure = read_files(core, &note, ranges);
        if (failure != NULL)
            return failure;
    }
    if (!named)
        return "it does not tell which files were mapped where (NT_FILE)";
    core->segment = need((count + ranges->count) * sizeof *core->segment);
    for (uint64_t i = 0; i < count; i++)
        if (table[i].p_type == PT_LOAD && !add_segment(core, &table[i]))
            return senseless;
    return sort_segments(core) && add_files(core, ranges) ? NULL : senseless;
}

struct core *core_open(const char *path, const char **failure) {
    struct core *core = need(sizeof *core);
    struct file_ranges ranges = {0};
    uint64_t count = 0;
    *core = (struct core){.path = path, .opened = {.file = -1}};
    Elf64_Phdr *table = NULL;
    *failure = window_open(path, &core->all);
    if (*failure == NULL)
        table = read_table(&core->all, &count, failure);
    if (*failure == NULL)
        *failure = read_core(core, table, count, &ranges);
    free(table);
    free(ranges.range);
    if (*failure == NULL)
        return core;
    core_close(core);
    return NULL;
}

static void close_window(struct window *window) {
    if (window->file >= 0)
        close(window->file);
    *window = (struct window){.file = -1};
}

void core_close(struct core *core) {
    if (core == NULL)
        return;
    close_window(&core->all);
    close_window(&core->opened);
    free(core->auxv);
    free(core->segment);
    for (size_t i = 0; i < core->file_count; i++)
        free(core->file[i].problem);
    free(core->file);
    free(core->files_text);
    free(core);
}

/* ---- reading ---- */

/* What the core has of the start of the file, to know the build by. */
static const struct window *head_of(const struct core *core, const char *path) {
    for (size_t i = 0; i < core->segment_count; i++) {
        const struct core_segment *segment = &core->segment[i];
        if (segment->held.bytes != 0 && segment->map.offset == 0 && strcmp(segment->map.path, path) == 0)
            return &segment->held;
    }
    return NULL;
}

static const char *file_problem(struct core *core, const char *path) {
    struct window ours, theirs;
    if (window_open(path, &core->opened) != NULL)
        return access(path, F_OK) != 0 ? "is gone" : "cannot be read";
    const struct window *head = head_of(core, path);
    if (head == NULL || !window_build_id(head, &ours))
        return NULL;
    return window_build_id(&core->opened, &theirs) && window_equal(&ours, &theirs) ? NULL : "is another build now";
}

/* The file of a segment, opened; NULL if nothing can be read from it. */
static const struct window *open_file(struct core *core, size_t which) {
    struct core_file *file = &core->file[which];
    bool opened = core->opened.file >= 0 && strcmp(core->file[core->opened_file].path, file->path) == 0;
    if (file->problem == NULL && !opened) {
        close_window(&core->opened);
        core->opened_file = which;
        const char *problem = file_problem(core, file->path);
        if (problem != NULL) {
            file->problem = need_format("it takes %s, which %s", file->path, problem);
            make_printable(file->problem);
            close_window(&core->opened);
        }
    }
    return file->problem == NULL ? &core->opened : NULL;
}

static bool lack(struct core *core, const char *why) {
    if (core->lack == NULL || why == core_left_out)
        core->lack = why;
    return false;
}

/* The last page of a mapping goes on with zeros behind the end of the file. */
static bool read_file(struct core *core, const struct core_segment *segment, uint64_t within, char *into, size_t size) {
    if (segment->map.path[0] != '/' || segment->map.write)
        return lack(core, core_left_out);
    const struct window *file = open_file(core, segment->file);
    uint64_t offset = segment->map.offset + within;
    if (file == NULL)
        return lack(core, core->file[segment->file].problem);
    if (offset >= file->bytes)
        return false;
    size_t there = file->bytes - offset < size ? file->bytes - offset : size;
    memset(into + there, 0, size - there);
    return window_read(file, offset, into, there);
}

bool core_read(struct core *core, uintptr_t address, void *into, size_t size) {
    for (char *at = into; size > 0;) {
        const struct core_segment *segment = segment_at(core, address);
        if (segment == NULL)
            return false;
        uint64_t within = address - segment->map.start, part = segment->map.end - address;
        bool held = within < segment->held.bytes;
        if (held && part > segment->held.bytes - within)
            part = segment->held.bytes - within;
        if (part > size)
            part = size;
        if (held ? !window_read(&segment->held, within, at, part) : !read_file(core, segment, within, at, part))
            return false;
        at += part;
        address += part;
        size -= part;
    }
    return true;
}

const char *core_file_problem(struct core *core, uintptr_t address) {
    const struct core_segment *segment = segment_at(core, address);
    return segment != NULL && segment->map.path[0] == '/' && open_file(core, segment->file) == NULL
               ? core->file[segment->file].problem
               : NULL;
}

const char *core_first_problem(const struct core *core) {
    for (size_t i = 0; i < core->file_count; i++)
        if (core->file[i].problem != NULL)
            return core->file[i].problem;
    return NULL;
}
