/* core.h
 * Purpose.     The memory of a process that is no more: what its core file holds, and the files that it had mapped.
 * Design.      What is in the core comes from there. Code and constants, which the kernel leaves out of a core unless
 *              coredump_filter says otherwise, come from the file that was mapped there (NT_FILE), unless the core has
 *              a build id of it and the file another one or none. One whose build id the core does not have (a file
 *              without one, or whose first page was left out) is taken as it is. What the process could write to comes
 *              from the core alone: a file only knows how it began. One mapped file is open at a time, since a process
 *              may have more of them than we may open.
 * Invariants.  Segments are sorted by address and do not overlap; what is held of each lies inside the core file.
 *              However many headers lead to the same bytes: segments count as holding no more than the file does, and
 *              no more of it is read as notes.
 * Not here.    What the memory means (object.h, survey.h).
 */
#ifndef HAK_CLI_CORE_H
#define HAK_CLI_CORE_H

#include "mapping.h"
#include "window.h"

#include <sys/procfs.h>
#include <sys/types.h>

struct core_segment {
    struct mapping map; // first: mapping_behind
    struct window held; // its first bytes, as many as the core has
    size_t file;        // in struct core, if the mapping has a path
};

/* A range of a file that was mapped. */
struct core_file {
    const char *path;
    char *problem; // why nothing can be read from it, once that was found; printable
};

struct core {
    const char *path;
    struct window all;
    pid_t pid;                     // 0 if it does not tell
    char program[ELF_PRARGSZ + 1]; // the command line, as far as it tells
    char *auxv;
    size_t auxv_bytes;
    struct core_segment *segment;
    size_t segment_count;
    uint64_t held_bytes; // of all segments, but not more than the file has
    struct core_file *file;
    size_t file_count;
    char *files_text; // holds the paths
    struct window opened;
    size_t opened_file;
    const char *lack; // why memory that was asked for could not be read; NULL if all of it could be. What was left
                      // out comes before what a file is missing for
};

/* NULL with the reason if the file is no core that this command can read. `path` has to stay. */
struct core *core_open(const char *path, const char **failure);
void core_close(struct core *core);

/* `size` bytes at `address`; false if not all of them can be read. */
bool core_read(struct core *core, uintptr_t address, void *into, size_t size);

/* Nobody knows what was in memory that is neither in the core nor in a file. */
extern const char core_left_out[];

/* Why nothing can be read from the file that is mapped at this address; NULL if it can be, or none is. */
const char *core_file_problem(struct core *core, uintptr_t address);

/* The same of some file that was to be read so far. */
const char *core_first_problem(const struct core *core);

#endif
