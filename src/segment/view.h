/* segment/view.h
 * Purpose.     The one object that tools read from outside (include/hakmem_stats.h).
 * Concurrency. The byte counts belong to the arena's lock, `metadata_bytes` to the metadata lock, `threads`
 *              to the lock of the thread list; the counts of calls without a record and
 *              of errors are atomic (relaxed).
 */
#ifndef HAK_SEGMENT_VIEW_H
#define HAK_SEGMENT_VIEW_H

#include "hakmem_stats.h"

__attribute__((visibility("default"))) extern struct hak_view hak_view;

#endif
