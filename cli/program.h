/* program.h
 * Purpose.     Finds the program to run, and whether the loader will preload a library into it.
 * Design.      The loader only warns when it cannot preload, and the program runs on libc: so everything that makes it
 *              ignore LD_PRELOAD is looked for before. A script is judged by its interpreter.
 */
#ifndef HAK_CLI_PROGRAM_H
#define HAK_CLI_PROGRAM_H

#include <stdbool.h>

struct program {
    char *path;     // what is executed
    char *obstacle; // why the library cannot be preloaded into it; NULL if it can
};

/* Looks for `name` as a shell does: in PATH unless it has a slash. False, after a message, if it cannot be run. */
bool program_find(const char *name, struct program *program);
void program_free(struct program *program);

#endif
