/* interval.h
 * Purpose.     The time between two looks at a process.
 */
#ifndef HAK_CLI_INTERVAL_H
#define HAK_CLI_INTERVAL_H

#include <stdbool.h>

#define INTERVAL_MAX 86400.0

/* The seconds that the text of --interval tells; false, after a message, if it tells none. */
bool interval_parse(const char *verb, const char *text, double *seconds);

/* CLOCK_MONOTONIC in seconds. */
double interval_now(void);

void interval_sleep(double seconds);

#endif
