/* preload.h
 * Purpose.     Finds the library and puts it into LD_PRELOAD.
 * Not here.    Whether a program honours LD_PRELOAD (program.h).
 */
#ifndef HAK_CLI_PRELOAD_H
#define HAK_CLI_PRELOAD_H

#include <stdbool.h>

/* The absolute path of the library: `chosen` if it is not NULL, else the first one found beside the command, in ../lib
 * from there, in the system's library folders. NULL after a message if there is none that can be preloaded. */
char *preload_find(const char *chosen);

/* The absolute path of another allocator's library. NULL after a message if it cannot be preloaded, or defines no
 * malloc and free. */
char *preload_find_allocator(const char *path);

/* Puts it in front of what LD_PRELOAD names already. */
bool preload_set(const char *library);

#endif
