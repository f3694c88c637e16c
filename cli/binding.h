/* binding.h
 * Purpose.     Which object each allocation symbol of each object is bound to.
 * Design.      The loader leaves the address that it bound a symbol to in a slot of the object that refers to it. The
 *              slot is read and the address looked up in the list of objects: no symbol search is repeated, so whatever
 *              made the loader decide (preload, RTLD_DEEPBIND, namespaces, -Bsymbolic) is in the answer.
 * Not here.    Which bindings are right (judge.h).
 */
#ifndef HAK_CLI_BINDING_H
#define HAK_CLI_BINDING_H

#include "object.h"

enum binding_state {
    BINDING_BOUND,   // to the object `to`, or to memory of no object
    BINDING_LAZY,    // not looked up yet: the object has never called it
    BINDING_ABSENT,  // weak, and nobody defines it
    BINDING_STUB,    // to the PLT entry of `to`, which is the function's address for everybody; `to` has its own slot
    BINDING_CHANGED, // a variable that started as the function's address; the program has stored something else in it
};

#define BINDING_NOWHERE SIZE_MAX

struct binding {
    size_t from, to; // indices of objects; `to` may be BINDING_NOWHERE
    unsigned symbol;
    enum binding_state state;
};

struct binding_list {
    struct binding *item;
    size_t count, room;
};

/* One entry for each object, symbol, state and target that occurs. False if an object could not be read; its path is
 * then in `unreadable`. */
bool bindings_find(struct target *target, const struct object_list *objects, struct binding_list *list,
                   const char **unreadable);
void bindings_free(struct binding_list *list);

const char *binding_state_name(enum binding_state state);

#endif
