/* api/figures.h
 * Purpose.     hak_stats_t, gathered and printed: hak_stats_get and hak_stats_print of hakmem.h.
 * Concurrency. Any thread, no lock, no memory of the allocator's: also at the end of a program in which other threads
 *              have been stopped anywhere, and in a thread that is inside the allocator.
 */
#ifndef HAK_API_FIGURES_H
#define HAK_API_FIGURES_H

#include "base/figures_print.h"
#include "hakmem_stats.h"

/* What programs call the entries. */
extern const char hak_entry_names[HAK_ENTRY_COUNT][FIGURE_MEMBER_BYTES];

/* hak_stats_print, with the errno value as the result and errno left alone. */
int hak_figures_print(int fd, enum hak_stats_format format);

#endif
