/* library.h
 * Purpose.     Whether a file can be preloaded.
 * Design.      From the file, before anything runs: the loader only warns about what it cannot load, and a command
 *              should not run for an hour before that is noticed.
 * Not here.    Whether it served in the end: only the process can tell.
 */
#ifndef HAK_CLI_LIBRARY_H
#define HAK_CLI_LIBRARY_H

#include <stdbool.h>

/* Why the loader would not load the file into a program for this machine; NULL if it would. With `allocator`, the file
 * has to define malloc and free too. The caller frees it. */
char *library_problem(const char *path, bool allocator);

#endif
