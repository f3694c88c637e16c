/* interval.c
 * Purpose.     See interval.h.
 */
#include "interval.h"

#include "basics.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

bool interval_parse(const char *verb, const char *text, double *seconds) {
    char *end = NULL;
    *seconds = strtod(text, &end);
    if (end != text && *end == 0 && *seconds > 0 && *seconds <= INTERVAL_MAX)
        return true;
    say("%s: --interval takes a number of seconds up to %.0f, not '%s'", verb, INTERVAL_MAX, text);
    return false;
}

double interval_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void interval_sleep(double seconds) {
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}
