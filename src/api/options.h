/* api/options.h
 * Purpose.     Reading the options from the environment, and printing them. The table is base/options.h.
 */
#ifndef HAK_API_OPTIONS_H
#define HAK_API_OPTIONS_H

/* What stands before the paths of the files about control groups. HAKMEM_CGROUP_ROOT, for tests. */
extern const char *hak_options_cgroup_root;

/* Reads HAKMEM_LIMIT, HAKMEM_CONF, HAKMEM_<NAME>; the later one wins. What cannot be understood is named on stderr and
 * ignored. */
void hak_options_read(void);

/* One line per option in force, on stderr. */
void hak_options_print(void);

#endif
