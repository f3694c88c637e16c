/* base/options.h
 * Purpose.     What a user may set at run time: the one table, and the values in force.
 * Design.      X(field, NAME, kind, default, min, max, text). The environment variable is HAKMEM_<NAME>, the key in
 *              HAKMEM_CONF is the field. A CHOICE lists its words in `text` before the colon; its value is their index.
 *              Values are written by api/options.c before the first thread is started by the program; every layer may
 *              read them.
 * Not here.    Parsing and printing (api/options.c), compile-time constants (config.h).
 */
#ifndef HAK_BASE_OPTIONS_H
#define HAK_BASE_OPTIONS_H

#include <stdint.h>

#include "base/config.h"

enum hak_option_kind { HAK_OPTION_BOOL, HAK_OPTION_NUMBER, HAK_OPTION_CHOICE };

enum hak_thp { HAK_THP_NEVER, HAK_THP_ADAPTIVE, HAK_THP_ALWAYS };
enum hak_on_error { HAK_ON_ERROR_ABORT, HAK_ON_ERROR_REPORT };

#define HAK_OPTIONS(X)                                                                                                 \
    X(purge_delay, PURGE_DELAY, NUMBER, 1000, 0, 86400000, "milliseconds until free pages go back to the kernel")      \
    X(thp, THP, CHOICE, HAK_THP_ADAPTIVE, 0, 2, "never|adaptive|always: when to ask for transparent huge pages")       \
    X(on_error, ON_ERROR, CHOICE, HAK_ON_ERROR_ABORT, 0, 1, "abort|report: what follows a bad free")                   \
    X(wrap_tiny, WRAP_TINY, BOOL, 1, 0, 1, "0 serves Tiny requests from the Mid tier")                                 \
    X(tiny_use_superslab, TINY_USE_SUPERSLAB, BOOL, 1, 0, 1, "0 takes Tiny slabs from the space of Large blocks")      \
    X(heaps, HEAPS, NUMBER, 0, 0, HAK_HEAPS_MAX, "number of heaps; 0 for four per cpu")                                \
    X(cache_bytes, CACHE_BYTES, NUMBER, HAK_CACHE_BYTES, 0, 16777216, "bytes a thread may cache per size class")       \
    X(background_thread, BACKGROUND_THREAD, BOOL, 0, 0, 1, "1 purges from a thread of its own, also while idle")       \
    X(confirm, CONFIRM, BOOL, 0, 0, 1, "1 prints the options in force at start")

struct hak_options {
#define HAK_OPTION_FIELD(field, name, kind, fallback, min, max, text) int64_t field;
    HAK_OPTIONS(HAK_OPTION_FIELD)
#undef HAK_OPTION_FIELD
};

extern struct hak_options hak_options;

#endif
