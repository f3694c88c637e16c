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
#include "wanted.h"

struct proof {
    char *failure;  // why the process could not be looked at; NULL if it could
    bool forbidden; // that was the kernel's refusal
    struct object_list objects;
    struct binding_list bindings;
    bool *hakmem;             // per object: it is hakmem
    bool *server;             // per object: it is who is wanted
    bool loaded;              // one of them is
    char *absence;            // why none is
    bool sealed;              // ... and nothing can be preloaded into it
    bool counted;             // hakmem is there, and its counts could be read
    char *uncounted;          // why the counts could not be read; NULL if they could
    struct counts counts;     // since the process was forked
    uint64_t heap_bytes;      // of libc's main heap, at most
    uint64_t heap_of_threads; // bytes of libc's heaps for other threads
};

/* Looks at the process of this thread, which may run or be stopped. Never NULL. */
struct proof *inspect_process(pid_t tid, const struct wanted *wanted);
void proof_free(struct proof *proof);

/* What hakmem has counted in the process so far; all zero if hakmem is not there. */
struct counts inspect_counts(pid_t tid);

#endif
