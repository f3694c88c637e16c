/* binding.c
 * Purpose.     See binding.h.
 */
#include "binding.h"

#include "arch.h"
#include "basics.h"

#include <stdlib.h>

struct search {
    struct target *target;
    const struct object_list *objects;
    struct binding_list *list;
    size_t from;
    bool failed;
};

static void add_once(struct binding_list *list, const struct binding *binding) {
    for (size_t i = list->count; i-- > 0 && list->item[i].from == binding->from;) {
        const struct binding *old = &list->item[i];
        if (old->symbol == binding->symbol && old->to == binding->to && old->state == binding->state)
            return;
    }
    list->item = need_room(list->item, list->count, &list->room, sizeof *list->item);
    list->item[list->count++] = *binding;
}

static enum binding_state state_of(const struct reference *reference, uintptr_t value, const struct object *from,
                                   const struct object *to) {
    uintptr_t address = value - (uintptr_t)reference->addend;
    if (value == 0)
        return BINDING_ABSENT;
    if (to != NULL && to->entry_stub[reference->symbol] == address)
        return BINDING_STUB;
    /* A word of data is a variable of the program's. Only if it holds the function still is it a binding. */
    if (reference->kind == ARCH_RELOC_WORD && (to == NULL || to->defines[reference->symbol] != address))
        return BINDING_CHANGED;
    if (reference->kind == ARCH_RELOC_CALL && to == from && from->defines[reference->symbol] != value)
        return BINDING_LAZY;
    return BINDING_BOUND;
}

static void look_at(void *context, const struct reference *reference) {
    struct search *search = context;
    uintptr_t value = 0;
    if (!target_read(search->target, reference->slot, &value, sizeof value)) {
        search->failed = true;
        return;
    }
    const struct object *to = object_at(search->objects, value);
    struct binding binding = {
        .from = search->from,
        .to = to != NULL ? (size_t)(to - search->objects->item) : BINDING_NOWHERE,
        .symbol = reference->symbol,
        .state = state_of(reference, value, &search->objects->item[search->from], to),
    };
    add_once(search->list, &binding);
}

bool bindings_find(struct target *target, const struct object_list *objects, struct binding_list *list,
                   const char **unreadable) {
    *list = (struct binding_list){0};
    for (size_t i = 0; i < objects->count; i++) {
        struct search search = {.target = target, .objects = objects, .list = list, .from = i};
        const struct object *object = &objects->item[i];
        if (object->narrow)
            continue;
        if (!object_references(target, object, look_at, &search) || search.failed) {
            *unreadable = object->path;
            return false;
        }
    }
    return true;
}

void bindings_free(struct binding_list *list) {
    free(list->item);
    *list = (struct binding_list){0};
}

const char *binding_state_name(enum binding_state state) {
    static const char *const names[] = {
        [BINDING_BOUND] = "bound",
        [BINDING_LAZY] = "never called",
        [BINDING_ABSENT] = "absent",
        [BINDING_STUB] = "through a PLT entry",
        [BINDING_CHANGED] = "changed by the program",
    };
    return names[state];
}
