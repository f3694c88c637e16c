/* identity.h
 * Purpose.     What an allocator library is, whatever its file is called.
 * Design.      Its kind by a symbol that it alone defines, its build by the GNU build id. Both are read from the
 *              process, like everything else about an object.
 */
#ifndef HAK_CLI_IDENTITY_H
#define HAK_CLI_IDENTITY_H

#include "object.h"

/* "hakmem", "mimalloc", ..., "libc"; "unknown" if it defines none of their symbols. */
const char *identity_kind(struct target *target, const struct object *object);

/* The build id in hexadecimal; NULL if there is none. The caller frees it. */
char *identity_build_id(struct target *target, const struct object *object);

#endif
