/* report.h
 * Purpose.     What `verify` prints: one report, as a table for people or as JSON for machines.
 * Design.      Both are printed from the same struct, judged once. The form of the JSON is described in hakmem(1).
 */
#ifndef HAK_CLI_REPORT_H
#define HAK_CLI_REPORT_H

#include "judge.h"
#include "usage.h"

#include <stdio.h>

struct report {
    char *const *command; // NULL if a running process was looked at
    int status;           // the command's wait status
    const struct wanted *wanted;
    const struct usage *usage; // NULL: not asked for
    struct image **image;      // the memory images to report, by age
    struct verdict *verdict;   // of each
    size_t count;
    const struct object *server; // the first one that was found; NULL for none
    bool counted;                // hakmem's counts are known of some process
    bool proved;                 // the one that is wanted served all of them
    struct counts total;
};

/* Judges the images; those of the command itself before it became CMD are left out. */
void report_make(struct report *report, struct image *const *image, size_t count);
void report_free(struct report *report);

void report_print_text(const struct report *report, FILE *out);
void report_print_json(const struct report *report, FILE *out);

#endif
