/* target.h
 * Purpose.     Reads another process from outside: its mappings and its memory, of one that has ended from its core
 *              file. Writes a request there (ask.c).
 * Design.      /proc and process_vm_readv alone: the process need not be stopped, and nothing happens in it. Memory is
 *              read by the page and kept, so walking tables of symbols costs one system call per page.
 *              Named by the id of a thread: in a process whose first thread has ended, only the others show the memory.
 * Invariants.  `maps` is sorted by address, as the kernel lists it.
 * Not here.    What the memory means (object.h, inspect.h).
 */
#ifndef HAK_CLI_TARGET_H
#define HAK_CLI_TARGET_H

#include "core.h"
#include "mapping.h"

#include <stddef.h>
#include <sys/types.h>

struct target {
    pid_t tid;
    struct core *core; // where memory is read from if not NULL; there is no process then
    struct mapping *maps;
    size_t map_count;
    uint64_t bytes;           // that can be read, at most
    char *maps_text;          // holds the paths
    struct page_cache *pages; // what was read so far
};

/* False with errno set if the process is gone or the kernel does not let us look at it. */
bool target_open(struct target *target, pid_t tid);
/* The core has to stay. */
void target_open_core(struct target *target, struct core *core);
void target_close(struct target *target);

/* `size` bytes at `address`; false if not all of them can be read. */
bool target_read(struct target *target, uintptr_t address, void *into, size_t size);

/* The same, never from what was read before. */
bool target_read_now(const struct target *target, uintptr_t address, void *into, size_t size);

/* Writes into its memory; false with errno set if not all of it can be. */
bool target_write(const struct target *target, uintptr_t address, const void *from, size_t size);

/* The string at `address`, cut off at `size` - 1 bytes. False if it cannot be read. */
bool target_read_string(struct target *target, uintptr_t address, char *into, size_t size);

/* One line of /proc/PID/maps, or the first of a mapping in smaps, which is cut at its end and holds the path. */
bool mapping_parse(char *line, struct mapping *mapping);

/* The mapping that holds the address, or NULL. */
const struct mapping *target_mapping(const struct target *target, uintptr_t address);

/* The value of a type in the text of an auxv file; 0 if there is none, or no text. */
uint64_t auxiliary_value(const char *text, size_t length, uint64_t type);

/* A value that the kernel gave the program at its start (AT_...); 0 if it gave none. */
uint64_t target_auxiliary(const struct target *target, uint64_t type);
uint64_t proc_auxiliary(pid_t tid, uint64_t type);

/* The text of /proc/TID/NAME with its length, zero-terminated; NULL with errno set if it cannot be read. */
char *proc_text(pid_t tid, const char *name, size_t *length);

/* True if the text can only be meant as the number of a process. */
bool proc_is_number(const char *text);

/* The process of that number. -1, after a message that starts with `taker`, if the text is no number, or no process has
 * it. */
pid_t proc_find(const char *taker, const char *text);

/* Why the kernel does not let us look at the process, and what to do. Never NULL. */
char *proc_refusal(pid_t pid);

/* What the link /proc/TID/NAME points to, or NULL. */
char *proc_link(pid_t tid, const char *name);

/* The command line of a process, arguments separated by spaces; "" if it has none. */
char *proc_command_line(pid_t tid);

/* A number from /proc/TID/status, such as "Tgid:"; -1 if it cannot be read. */
long proc_status_number(pid_t tid, const char *key);

/* Field `number` of /proc/TID/stat, counted as in proc(5); 0 if it cannot be read. */
uint64_t proc_stat_field(pid_t tid, int number);

/* The state letter of a thread as in proc(5), such as 'Z' for one that is dead; 0 if there is none. */
char proc_state(pid_t tid);

/* A thread of the process that is not dead: its first one may be, and shows nothing then. `pid` itself if none is. */
pid_t proc_living_thread(pid_t pid);

#endif
