/* api/options.h
 * Purpose.     Reading the options from the environment, and printing them. The table is base/options.h.
 */
#ifndef HAK_API_OPTIONS_H
#define HAK_API_OPTIONS_H

/* Reads HAKMEM_CONF, then HAKMEM_<NAME>, which wins. What cannot be understood is named on stderr and ignored. */
void hak_options_read(void);

/* One line per option in force, on stderr. */
void hak_options_print(void);

#endif
