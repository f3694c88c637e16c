/* segment/view.c
 * Purpose.     Defines the exported object. See view.h. `class_size` is filled at start (heap/thread.c).
 */
#include "segment/view.h"

#include "os/counters.h"

struct hak_view hak_view = {
    .magic = HAK_VIEW_MAGIC,
    .version = HAK_VIEW_VERSION,
    .size = sizeof(struct hak_view),
    .thread_size = sizeof(struct hak_thread_view),
    .class_count = HAK_CLASS_COUNT,
    .entry_count = HAK_ENTRY_COUNT,
    .counter_count = HAK_STATS * HAK_COUNTER_COUNT,
    .counters = COUNTERS_SHARED,
};
