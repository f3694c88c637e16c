/* entry.h
 * Purpose.     A program as it is before its first instruction: everything loaded, nothing of it run.
 * Design.      The loader's work cannot be foreseen from files alone, so it is let do it; a breakpoint at the program's
 *              entry point ends it. Only the loader and the constructors of libraries have run until then.
 * Concurrency. As trace.h: it waits for every child of the calling process.
 */
#ifndef HAK_CLI_ENTRY_H
#define HAK_CLI_ENTRY_H

#include <sys/types.h>

/* Starts the program, its standard output going to standard error, and stops it there. Its id; -1 after a message. */
pid_t entry_start(const char *path, char *const arguments[]);

/* Ends it. */
void entry_end(pid_t pid);

#endif
