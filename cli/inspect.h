/* inspect.h
 * Purpose.     Looks at one process and gathers the facts: objects, bindings, hakmem's counts, libc's heap.
 * Design.      Facts only, kept after the process is gone. The verdict on them is judge.h's.
 */
#ifndef HAK_CLI_INSPECT_H
#define HAK_CLI_INSPECT_H

#include "basics.h"
#include "binding.h"
#include "count.h"
#include "object.h"

struct proof {
    char *failure;  // why the process could not be looked at; NULL if it could
    bool forbidden; // that was the kernel's refusal
    struct object_list objects;
    struct binding_list bindings;
    bool *hakmem;             // per object: it is hakmem
    bool loaded;              // one of them is
    char *absence;            // why none is
    char *uncounted;          // why the counts could not be read; NULL if they could
    struct counts counts;     // since the process was forked
    uint64_t heap_bytes;      // of the [heap] mapping, which libc's malloc grows with brk
    uint64_t heap_of_threads; // bytes of libc's heaps for other threads
};

/* Looks at the process of this thread, which may run or be stopped. `library` is what was preloaded into it, NULL for
 * nothing. Never NULL. */
struct proof *inspect_process(pid_t tid, const char *library);
void proof_free(struct proof *proof);

/* What hakmem has counted in the process so far; all zero if hakmem is not there. */
struct counts inspect_counts(pid_t tid);

#endif
