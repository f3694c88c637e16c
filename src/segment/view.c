/* segment/view.c
 * Purpose.     Defines the exported object. See view.h. `class_size` and most of `regions` are filled at start,
 *              by those whom they are about.
 */
#include "segment/view.h"

#include "base/options.h"
#include "os/counters.h"

#define OPTION_NAME(field, name, kind, fallback, min, max, when, text) #field ","

struct hak_view hak_view = {
    .magic = HAK_VIEW_MAGIC,
    .version = HAK_VIEW_VERSION,
    .size = sizeof(struct hak_view),
    .thread_size = sizeof(struct hak_thread_view),
    .class_count = HAK_CLASS_COUNT,
    .entry_count = HAK_ENTRY_COUNT,
    .counter_count = HAK_STATS * HAK_COUNTER_COUNT,
    .counters = COUNTERS_SHARED,
    .limit_bytes = {HAK_LIMIT_NONE, HAK_LIMIT_NONE},
    .group_bytes = HAK_LIMIT_NONE,
    .regions =
        {
            .unit_bytes = HAK_SUPERSLAB_SIZE,
            .granule_bytes = HAK_GRANULE_SIZE,
            .options = (const int64_t *)&hak_options,
            .option_names = HAK_OPTIONS(OPTION_NAME),
            .option_count = sizeof hak_options / sizeof(int64_t),
        },
};
