/* view.c
 * Purpose.     See view.h.
 */
#include "view.h"

#include "basics.h"

#include <stdlib.h>
#include <string.h>

/* More threads than a process can have. A longer chain is not one, nor is one that is larger than memory. */
#define RECORDS_MAX (1u << 22)
#define SEARCH_BYTES 65536u
#define OPTION_NAMES_BYTES 4096u
#define LOOKS_MAX 5u

static bool is_view(struct target *target, uintptr_t address) {
    uint64_t magic = 0;
    return address != 0 && target_read(target, address, &magic, sizeof magic) && magic == HAK_VIEW_MAGIC;
}

/* The numbers behind the magic one tell the object from a copy of the number in somebody's code or data. */
static bool is_linked_in_view(struct target *target, uintptr_t address) {
    uint32_t head[6];
    return target_read(target, address + sizeof(uint64_t), head, sizeof head) && head[0] == HAK_VIEW_VERSION &&
           head[1] == sizeof(struct hak_view) && head[2] == sizeof(struct hak_thread_view);
}

/* Of any version too, if it is asked for. */
static uintptr_t search_mapping(struct target *target, uintptr_t at, uintptr_t end, bool any_version) {
    uint64_t *words = need(SEARCH_BYTES);
    uintptr_t found = 0;
    while (at < end && found == 0) {
        size_t size = end - at < SEARCH_BYTES ? end - at : SEARCH_BYTES;
        if (!target_read(target, at, words, size))
            break;
        for (size_t i = 0; i < size / sizeof *words && found == 0; i++)
            if (words[i] == HAK_VIEW_MAGIC && (any_version || is_linked_in_view(target, at + i * sizeof *words)))
                found = at + i * sizeof *words;
        at += size;
    }
    free(words);
    return found;
}

static uintptr_t search_data(struct target *target, const struct object *object, bool any_version) {
    uintptr_t address = 0;
    for (size_t i = 0; i < target->map_count && address == 0; i++) {
        const struct mapping *mapping = &target->maps[i];
        if (mapping->read && mapping->write && mapping->start >= object->base && mapping->start < object->end)
            address = search_mapping(target, mapping->start, mapping->end, any_version);
    }
    return address;
}

uintptr_t view_find(struct target *target, const struct object *object) {
    uintptr_t address = object_symbol(target, object, "hak_view");
    if (is_view(target, address))
        return address;
    bool may_hold = object->defines[symbol_index("malloc")] != 0 || !object->interpreted;
    return object->role == ROLE_PROGRAM && may_hold ? search_data(target, object, false) : 0;
}

bool view_may_be_in(struct target *target, const struct object *object) {
    return search_data(target, object, true) != 0;
}

static const char *const unreadable = "its records cannot be read";

const char *view_read(const struct target *target, uintptr_t address, struct hak_view *view) {
    /* The head first: another version's object may be shorter than ours and end where memory does. */
    if (!target_read_now(target, address, view, offsetof(struct hak_view, page_map_flat)))
        return unreadable;
    if (view->version != HAK_VIEW_VERSION || view->size != sizeof *view ||
        view->thread_size != sizeof(struct hak_thread_view) || view->class_count != HAK_CLASS_COUNT ||
        view->entry_count != HAK_ENTRY_COUNT)
        return "it is of another version than this command";
    return target_read_now(target, address, view, sizeof *view) ? NULL : unreadable;
}

/* True if nothing that counts together with a slot's words has changed, or is changing. */
static bool same_flow(const struct hak_flow *before, const struct hak_flow *after) {
    for (unsigned c = 0; c < HAK_CLASS_COUNT; c++)
        if (before[c].moves != after[c].moves || after[c].moves % 2 != 0)
            return false;
    return true;
}

/* The slots lie before the flow: of what a thread moves in both meanwhile, a copy may have the one as it was and the
 * other as it is. So the flow is read before them, too, and the record again while that differs. */
static bool read_record(const struct target *target, uintptr_t at, struct hak_thread_view *thread) {
    struct hak_flow before[HAK_CLASS_COUNT];
    if (!target_read_now(target, at + offsetof(struct hak_thread_view, flow), before, sizeof before))
        return false;
    for (unsigned i = 0; i < LOOKS_MAX; i++) {
        if (!target_read_now(target, at, thread, sizeof *thread))
            return false;
        if (same_flow(before, thread->flow))
            break;
        memcpy(before, thread->flow, sizeof before);
    }
    return true;
}

const char *view_threads(const struct target *target, const struct hak_view *view,
                         void (*each)(void *context, uintptr_t address, const struct hak_thread_view *thread),
                         void *context) {
    struct hak_thread_view thread;
    uint32_t records = 0;
    for (uintptr_t at = (uintptr_t)view->threads; at != 0; at = (uintptr_t)thread.next) {
        if (++records > RECORDS_MAX || records > target->bytes / sizeof thread || !read_record(target, at, &thread))
            return unreadable;
        each(context, at, &thread);
    }
    return NULL;
}

struct counting {
    const struct target *target;
    const struct hak_view *view;
    struct counts *counts;
    bool failed;
};

/* The debug counters at `address`, if the library has any. */
static void count_counters(struct counting *counting, uintptr_t address) {
    uint64_t counters[HAK_COUNTER_COUNT];
    if (counting->view->counter_count != HAK_COUNTER_COUNT)
        return;
    if (target_read_now(counting->target, address, counters, sizeof counters))
        counts_add_counters(counting->counts, counters);
    else
        counting->failed = true;
}

static void count_thread(void *context, uintptr_t address, const struct hak_thread_view *thread) {
    struct counting *counting = context;
    counts_add_thread(counting->counts, thread);
    count_counters(counting, address + sizeof *thread);
}

const char *view_counts(struct target *target, uintptr_t address, struct counts *counts) {
    struct hak_view view;
    struct counting counting = {.target = target, .view = &view, .counts = counts};
    *counts = (struct counts){0};
    const char *failure = view_read(target, address, &view);
    if (failure != NULL)
        return failure;
    counts_begin(counts, &view);
    count_counters(&counting, (uintptr_t)view.counters);
    failure = view_threads(target, &view, count_thread, &counting);
    if (failure == NULL)
        counts_finish(counts);
    return counting.failed ? unreadable : failure;
}

int64_t view_option(struct target *target, const struct hak_view *view, const char *name) {
    char names[OPTION_NAMES_BYTES], *rest = names;
    if (!target_read_string(target, (uintptr_t)view->regions.option_names, names, sizeof names))
        return -1;
    for (uint64_t i = 0; i < view->regions.option_count && rest != NULL; i++)
        if (strcmp(strsep(&rest, ","), name) == 0)
            return (int64_t)i;
    return -1;
}
