/* hakmem.c
 * Purpose.     The whole library as one translation unit, for the shipped .so and .a: the fast paths inline across
 *              layers, and the C library's names are aliases of hakmem's functions. Tests also build every file alone.
 */
#include "base/check.c"
#include "base/figures_print.c"
#include "base/format.c"
#include "base/options.c"
#include "base/size_class.c"

#include "os/counters.c"
#include "os/lock.c"
#include "os/os_linux.c"
#include "os/cgroup.c"

#include "segment/view.c"
#include "segment/limit.c"
#include "segment/meta.c"
#include "segment/page_map.c"
#include "segment/arena.c"
#include "segment/direct.c"
#include "segment/superslab.c"
#include "segment/purge.c"

#include "heap/slab.c"
#include "heap/heap.c"
#include "heap/transfer.c"
#include "heap/outbox.c"
#include "heap/huge.c"
#include "heap/large.c"
#include "heap/thread_list.c"
#include "heap/thread.c"

#include "api/figures.c"
#include "api/report.c"
#include "api/options.c"
#include "api/limit.c"
#include "api/control.c"
#include "api/background.c"
#include "api/init.c"
#include "api/error.c"
#include "api/malloc.c"
#include "api/free.c"
#include "api/realloc.c"
#include "api/stats.c"

#include "override/libc.c"
#include "override/cxx_oom.c"
#include "override/cxx.c"
