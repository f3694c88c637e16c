/* judge.h
 * Purpose.     The verdict on a process: did the one that is wanted, and nothing else, serve it? If not, who did?
 * Design.      A culprit is a reason to say no, a note is not. Each is one sentence without the process's number.
 *              Served means: every allocation symbol of every object is bound to the server or was never called, no
 *              object brings an allocator that its own calls go to, libc's own heap was never used (unless libc is to
 *              serve), and no pointer came to free that hakmem had not handed out.
 *              What another allocator than hakmem does not define may stay with libc if it allocates nothing there,
 *              or through the server's malloc. A reallocarray may stay with whoever has it on top of another's
 *              realloc (libbsd): what that realloc is bound to is judged.
 *              Rejected: a loaded allocator library that nothing is bound to (a program linked with jemalloc, run on
 *              hakmem) as a culprit; it is a note. So is an operator new that a program has because the C++ runtime is
 *              linked into it: it calls malloc.
 */
#ifndef HAK_CLI_JUDGE_H
#define HAK_CLI_JUDGE_H

#include "task.h"

struct verdict {
    struct strings culprits, notes;
};

/* True if hakmem served everything; the verdict's lists are new. */
bool judge(const struct image *image, const struct wanted *wanted, struct verdict *verdict);
void verdict_free(struct verdict *verdict);

/* "exit 0", "signal 9", "exec", "running". */
char *describe_end(const struct image *image);

/* Who serves the process: "hakmem", or the names of those that hand out its blocks, or "-", or "?". */
char *describe_server(const struct image *image);

#endif
