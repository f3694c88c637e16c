/* model.h
 * Purpose.     Runs an allocator against the model: model_test.c the real one, model_self_test.c broken ones.
 */
#ifndef STRESS_MODEL_H
#define STRESS_MODEL_H

#include "shadow.h"

enum { MODEL_MAX_THREADS = 64 };

/* Does `ops` operations on `thread_count` threads at a time and frees every block. Ends the process with the number of
 * the fault as its status if a check fails. Returns how many blocks were freed by another thread. */
uint64_t model_run(const struct allocator *allocator, uint64_t seed, uint64_t ops, unsigned thread_count);

#endif
