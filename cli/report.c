/* report.c
 * Purpose.     See report.h: gathers and judges.
 */
#include "report.h"

#include <stdlib.h>

void report_make(struct report *report, struct image *const *image, size_t count) {
    report->image = need(count * sizeof *report->image);
    report->verdict = need(count * sizeof *report->verdict);
    report->proved = true;
    for (size_t i = 0; i < count; i++) {
        if (image[i]->hidden)
            continue;
        report->image[report->count] = image[i];
        report->proved &= judge(image[i], &report->verdict[report->count]);
        report->count++;
        if (image[i]->proof != NULL)
            counts_add(&report->total, &image[i]->proof->counts);
    }
    report->proved &= report->count != 0;
}

void report_free(struct report *report) {
    for (size_t i = 0; i < report->count; i++)
        verdict_free(&report->verdict[i]);
    free(report->verdict);
    free(report->image);
}
