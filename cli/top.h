/* top.h
 * Purpose.     What `hakmem top` shows, as lines of text.
 * Design.      The same lines are printed (--once) and drawn (terminal.h). They are made of looks alone.
 */
#ifndef HAK_CLI_TOP_H
#define HAK_CLI_TOP_H

#include "page.h"
#include "rates.h"

struct top {
    pid_t pid;
    char *program;
    const struct look *before, *now; // `before` is NULL at first
    struct history history;
    enum class_order order;
    bool ascending;
    bool paused;
    double interval; // seconds
};

/* How much room there is. */
struct room {
    size_t columns;
    size_t lines;        // 0 for any number
    bool block_elements; // of Unicode
};

void top_show(const struct top *top, struct room room, struct page *page);

/* The keys, and what the words mean. */
void top_show_help(struct page *page);

/* One line for the foot of the screen. */
extern const char top_keys[];

/* A process that runs on hakmem. */
struct candidate {
    struct place place;
    char *program;
    uint64_t rss_bytes, live_bytes;
};

struct candidates {
    struct candidate *item; // by number of the process
    size_t count, room;
    size_t hidden; // processes that the kernel does not let us look at
};

void candidates_find(struct candidates *candidates);
void candidates_free(struct candidates *candidates);

/* What to do about those that are hidden, behind a message; "" if nothing can be done. */
const char *candidates_advice(void);

/* `chosen` is marked, unless it is none of them. */
void candidates_show(const struct candidates *candidates, size_t chosen, struct room room, struct page *page);

#endif
