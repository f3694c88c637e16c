/* base/options.h
 * Purpose.     What a user may set at run time: the one table, and the values in force.
 * Design.      X(field, NAME, kind, default, min, max, when, text). The environment variable is HAKMEM_<NAME>, the key
 *              in HAKMEM_CONF is the field. A CHOICE lists its words in `text` before the colon; its value is their
 *              index. A SIZE is a number of bytes that K, M or G may follow. A REPORT is a CHOICE whose words may have
 *              arguments behind them (api/report.h).
 *              Values are written by api/options.c: those marked START before the program's first allocation is
 *              served, those marked ANYTIME also later. Every layer may read them.
 * Concurrency. ANYTIME values are written and read relaxed, one word each.
 * Not here.    Parsing and printing (api/options.c), compile-time constants (config.h).
 */
#ifndef HAK_BASE_OPTIONS_H
#define HAK_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

enum hak_option_kind { HAK_OPTION_BOOL, HAK_OPTION_NUMBER, HAK_OPTION_SIZE, HAK_OPTION_CHOICE, HAK_OPTION_REPORT };
enum hak_option_when { HAK_OPTION_START, HAK_OPTION_ANYTIME };

enum hak_thp { HAK_THP_NEVER, HAK_THP_ADAPTIVE, HAK_THP_ALWAYS };
enum hak_on_error { HAK_ON_ERROR_ABORT, HAK_ON_ERROR_REPORT };
enum hak_report { HAK_REPORT_OFF, HAK_REPORT_EXIT, HAK_REPORT_EVERY };

#define HAK_OPTIONS(X)                                                                                                 \
    X(purge_delay, PURGE_DELAY, NUMBER, 1000, 0, 86400000, ANYTIME,                                                    \
      "milliseconds until free pages go back to the kernel")                                                           \
    X(thp, THP, CHOICE, HAK_THP_ADAPTIVE, 0, 2, ANYTIME,                                                               \
      "never|adaptive|always: when to ask for transparent huge pages")                                                 \
    X(on_error, ON_ERROR, CHOICE, HAK_ON_ERROR_ABORT, 0, 1, ANYTIME, "abort|report: what follows a bad free")          \
    X(wrap_tiny, WRAP_TINY, BOOL, 1, 0, 1, START, "0 serves Tiny requests from the Mid tier")                          \
    X(tiny_use_superslab, TINY_USE_SUPERSLAB, BOOL, 1, 0, 1, START,                                                    \
      "0 takes Tiny slabs from the space of Large blocks")                                                             \
    X(heaps, HEAPS, NUMBER, 0, 0, HAK_HEAPS_MAX, START, "number of heaps; 0 for one for every two cpus")               \
    X(cache_bytes, CACHE_BYTES, NUMBER, HAK_CACHE_BYTES, 0, 16777216, ANYTIME,                                         \
      "bytes a thread may cache per size class, and between two looks up to 170 KiB more")                             \
    X(limit_soft, LIMIT_SOFT, SIZE, 0, 0, HAK_LIMIT_MAX, START,                                                        \
      "bytes in use from which on no free pages wait; 0 for none")                                                     \
    X(limit_hard, LIMIT_HARD, SIZE, 0, 0, HAK_LIMIT_MAX, START,                                                        \
      "bytes in use that no allocation may exceed; 0 for none")                                                        \
    X(cgroup, CGROUP, BOOL, 0, 0, 1, START, "1 follows the limits of the control group, which are read at start")      \
    X(background_thread, BACKGROUND_THREAD, BOOL, 0, 0, 1, START,                                                      \
      "1 purges from a thread of its own, also while idle")                                                            \
    X(stats, STATS, REPORT, HAK_REPORT_OFF, 0, 2, START,                                                               \
      "off|exit|every: writes statistics, exit[:FILE] or every:TIME:FILE")                                             \
    X(confirm, CONFIRM, BOOL, 0, 0, 1, START, "1 prints the options in force at start")

struct hak_options {
#define HAK_OPTION_FIELD(field, name, kind, fallback, min, max, when, text) int64_t field;
    HAK_OPTIONS(HAK_OPTION_FIELD)
#undef HAK_OPTION_FIELD
};

extern struct hak_options hak_options;

/* The value of a BOOL, NUMBER or SIZE. False if the text is no such number, or does not fit. */
static inline bool option_number(enum hak_option_kind kind, const char *text, size_t length, int64_t *value) {
    unsigned shift = 0;
    int64_t number = 0;
    for (unsigned i = 0; kind == HAK_OPTION_SIZE && length > 1 && i < 3; i++)
        shift += text[length - 1] == "KMG"[i] ? 10 * (i + 1) : 0;
    length -= shift != 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || number > (INT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (text[i] - '0');
    }
    if (length == 0 || number > INT64_MAX >> shift)
        return false;
    *value = number << shift;
    return true;
}

#endif
