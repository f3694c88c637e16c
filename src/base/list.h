/* base/list.h
 * Purpose.     Circular doubly linked lists whose links live in the listed struct.
 * Design.      A list is a link of its own; a link that is in no list points at itself, so removing twice is harmless.
 */
#ifndef HAK_BASE_LIST_H
#define HAK_BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct link {
    struct link *next;
    struct link *prev;
};

static inline void list_init(struct link *list) {
    list->next = list;
    list->prev = list;
}

static inline bool list_is_empty(const struct link *list) {
    return list->next == list;
}

static inline void list_remove(struct link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

static inline void list_push_front(struct link *list, struct link *link) {
    link->next = list->next;
    link->prev = list;
    list->next->prev = link;
    list->next = link;
}

static inline void list_push_back(struct link *list, struct link *link) {
    list_push_front(list->prev, link);
}

#endif
