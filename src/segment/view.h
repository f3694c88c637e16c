/* segment/view.h
 * Purpose.     The one object that tools read from outside (include/hakmem_stats.h).
 * Concurrency. The byte counts and `limit_bytes` belong to the arena's lock, `metadata_bytes` and `regions.chunks` to
 *              the metadata lock, `threads` to the lock of the thread list, the rest of `regions`, `page_bytes`,
 *              `group_bytes` and `cpu_count` to the start; the counts of calls without a record and of errors are
 *              atomic (relaxed).
 */
#ifndef HAK_SEGMENT_VIEW_H
#define HAK_SEGMENT_VIEW_H

#include <stddef.h>

#include "hakmem_stats.h"

/* Publishes where a structure, which is `type` in HAK_STRUCTS, has its fields. */
#define VIEW_FIELD(type, member) {#member, offsetof(struct type, member), sizeof(((struct type *)0)->member)},
#define VIEW_PUBLISH(type, fields)                                                                                     \
    do {                                                                                                               \
        static const struct hak_field field[] = {fields(VIEW_FIELD, type)};                                            \
        hak_view.regions.layout[HAK_STRUCT_##type] =                                                                   \
            (struct hak_layout){field, sizeof field / sizeof *field, sizeof(struct type)};                             \
    } while (0)

__attribute__((visibility("default"))) extern struct hak_view hak_view;

#endif
