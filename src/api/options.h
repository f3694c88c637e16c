/* api/options.h
 * Purpose.     Reading the options from the environment, printing them, and setting them at run time (hak_ctl of
 *              hakmem.h). The table is base/options.h.
 */
#ifndef HAK_API_OPTIONS_H
#define HAK_API_OPTIONS_H

#include <stdint.h>

#include "base/compiler.h"

/* What stands before the paths of the files about control groups. HAKMEM_CGROUP_ROOT, for tests. */
extern const char *hak_options_cgroup_root;

/* Reads HAKMEM_LIMIT, HAKMEM_CONF, HAKMEM_<NAME>; the later one wins. What cannot be understood is named on stderr and
 * ignored. */
void hak_options_read(void);

/* Sets the option of that index in the table to *value, which then is what it was before. 0, or an errno value as
 * hak_ctl says, with *value what was asked for. */
int hak_options_change(uint64_t index, int64_t *value) NODISCARD;

/* One line per option in force, on stderr. */
void hak_options_print(void);

#endif
