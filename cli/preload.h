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

/* Puts it in front of what LD_PRELOAD names already. */
bool preload_set(const char *library);

#endif
