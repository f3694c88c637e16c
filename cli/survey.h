/* survey.h
 * Purpose.     The structures of hakmem in another process: where it is, its units, its runs of granules, its threads.
 * Design.      From the exported object alone (include/hakmem_stats.h). Which words a structure consists of is told by
 *              the object itself; each structure becomes a `seen_` one, all of whose fields are 64 bits wide. A field
 *              that is a part of its structure and no number becomes its address.
 * Concurrency. The process may be running: a structure may be half of the past. Whoever uses one checks it.
 *              A core file is nobody's word for anything: there, too, whoever uses a structure checks it.
 * Not here.    What is resident (pages.h), what the memory is used for (account.h).
 */
#ifndef HAK_CLI_SURVEY_H
#define HAK_CLI_SURVEY_H

#include "object.h"

#include "hakmem_stats.h"

#define SEEN_FIELD(type, member) uint64_t member;
#define SEEN_STRUCT(type, fields)                                                                                      \
    struct seen_##type {                                                                                               \
        fields(SEEN_FIELD, type)                                                                                       \
    };
HAK_STRUCTS(SEEN_STRUCT)

/* Where hakmem is in a process, or in the core file of one. */
struct place {
    pid_t pid, tid;
    struct core *core; // NULL for a process
    uintptr_t view;
    uintptr_t start, end; // of the library; empty where it is linked into the program
};

/* Whom a report is about, and what it needs to know beside the numbers. */
struct subject {
    pid_t pid;
    bool ended; // seen in its core file, which does not tell what was resident
    const char *program;
    const uint32_t *class_size;
};

#define SURVEY_FIELDS_MAX 16

struct survey {
    struct place place;
    struct target target;
    struct hak_view view;
    struct seen_superslab *unit; // by address
    size_t unit_count;
    struct structure {
        uint32_t bytes;
        uint32_t field_count;
        struct hak_field field[SURVEY_FIELDS_MAX]; // in the order of HAK_STRUCTS
    } structure[HAK_STRUCT_COUNT];
};

/* Finds hakmem in the process; `view` is 0 if it is not there. False with errno set if that cannot be told. */
bool survey_locate(pid_t pid, struct place *place);

/* The same for the process that `text` numbers, for the verb. Else the exit status, after a message: EXIT_NOT_PROVED
 * if the process is not on hakmem, EXIT_USAGE if that cannot be told. */
int survey_find(const char *verb, const char *text, struct place *place);

/* The same for a process or, unless it is a number, the core file of one: `place` is to be closed after success. */
int survey_find_any(const char *verb, const char *text, struct place *place);
void survey_close(struct place *place);

/* "process 1" or "core file PATH". */
char *survey_name(const struct place *place);

/* The command line of the process as one printable line, for a person to read. */
char *survey_program(const struct place *place);

/* Reads what is there now. NULL, or why it cannot be done. To be freed in either case. */
const char *survey_take(struct survey *survey, const struct place *place);
void survey_free(struct survey *survey);

/* `failure`, or why what was read of a core is not all that it took. */
const char *survey_verdict(const struct survey *survey, const char *failure);

/* Says why a process that was looked at before could not be any more; the exit status. That it ended is no failure. */
int survey_lost(const struct place *place, const char *failure);

/* Reads one structure; false if that cannot be done. */
#define SURVEY_READER(type, fields)                                                                                    \
    bool survey_##type(struct survey *survey, uintptr_t address, struct seen_##type *seen);
HAK_STRUCTS(SURVEY_READER)

/* The unit that starts at this address, or NULL. */
const struct seen_superslab *survey_unit_at(const struct survey *survey, uintptr_t address);

/* True if the unit stands for a mapping of its own: of a block, or kept for the next one. */
bool survey_is_direct(const struct seen_superslab *unit);

/* Calls `each` for every slab, Large block and spare run of a unit that holds granules. */
void survey_runs(struct survey *survey, const struct seen_superslab *unit,
                 void (*each)(void *context, const struct seen_superslab *unit, const struct seen_slab *run),
                 void *context);

/* Class of a slab's blocks, 0 if it is none. */
unsigned survey_class(const struct seen_slab *run);

/* The value of an option in the process, `fallback` if it does not know that one. */
int64_t survey_option(struct survey *survey, const char *name, int64_t fallback);

#endif
