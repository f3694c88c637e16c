/* api/init.h
 * Purpose.     Start of the allocator and of threads.
 */
#ifndef HAK_API_INIT_H
#define HAK_API_INIT_H

#include "heap/thread.h"

/* The calling thread's record, made now if the thread has visited HAK_VISITS_MAX times, or HAK_VISITS_MANY where
 * threads are many; NULL until then, after the thread's end, or when there is no memory for one. Keeps errno. */
struct thread *hak_api_thread(void);

#endif
