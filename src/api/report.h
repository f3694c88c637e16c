/* api/report.h
 * Purpose.     HAKMEM_STATS: the numbers of hak_stats_t, written at the end of the program, or again and again.
 * Design.      exit writes to stderr, exit:FILE and every:TIME:FILE to a file, which is emptied first; TIME is a number
 *              with s or ms behind it, and %p in FILE is the process id. The file's name says the format: .json,
 *              .prom (for OpenMetrics), or text. `every` is driven by slow paths (control.h), and writes at the end
 *              too.
 *              What cannot be written is said once on stderr.
 */
#ifndef HAK_API_REPORT_H
#define HAK_API_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The option's value: *when is an enum hak_report. False, with nothing changed, if it is none. */
bool hak_report_parse(const char *text, size_t length, int64_t *when);

/* True if the numbers are to be written every now and then. */
bool hak_report_is_periodic(void);

/* ... and now is the time. */
bool hak_report_is_due(void);

/* Writes them, if the option asks for it at all. One thread at a time. */
void hak_report_write(void);

#endif
