/* report.c
 * Purpose.     See report.h: gathers and judges.
 */
#include "report.h"

#include <stdlib.h>

static void add_proof(struct report *report, const struct proof *proof) {
    counts_add(&report->total, &proof->counts);
    report->counted |= proof->counted;
    for (size_t i = 0; i < proof->objects.count && report->server == NULL; i++)
        if (proof->server[i])
            report->server = &proof->objects.item[i];
}

void report_make(struct report *report, struct image *const *image, size_t count) {
    report->image = need(count * sizeof *report->image);
    report->verdict = need(count * sizeof *report->verdict);
    report->proved = true;
    for (size_t i = 0; i < count; i++) {
        if (image[i]->hidden)
            continue;
        report->image[report->count] = image[i];
        report->proved &= judge(image[i], report->wanted, &report->verdict[report->count]);
        report->count++;
        if (image[i]->proof != NULL)
            add_proof(report, image[i]->proof);
    }
    report->proved &= report->count != 0;
}

void report_free(struct report *report) {
    for (size_t i = 0; i < report->count; i++)
        verdict_free(&report->verdict[i]);
    free(report->verdict);
    free(report->image);
}
