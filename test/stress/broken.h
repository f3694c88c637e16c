/* broken.h
 * Purpose.     Allocators with one deliberate fault each, to show that the model notices it.
 * Design.      Each is hakmem with one function replaced. A run ends at the first fault that is found, so every run
 *              needs a process of its own.
 * Not here.    The checks that find the faults (shadow.c), the runs (model_self_test.c).
 */
#ifndef STRESS_BROKEN_H
#define STRESS_BROKEN_H

#include "shadow.h"

struct broken_allocator {
    const char *name;
    unsigned threads;
    enum shadow_fault expected; /* the check that has to speak */
    struct allocator allocator;
};

extern const struct broken_allocator broken_allocators[];
extern const unsigned broken_allocator_count;

#endif
