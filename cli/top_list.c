/* top_list.c
 * Purpose.     See top.h: the processes that run on hakmem.
 */
#include "top.h"

#include "basics.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* False if there is nothing to be shown of it: it has just ended, or has not allocated yet. */
static bool look_at(struct candidate *candidate) {
    struct survey survey;
    struct figures figures;
    const char *failure = survey_take(&survey, &candidate->place);
    if (failure == NULL)
        failure = figures_take(&survey, &figures);
    survey_free(&survey);
    long rss_kib = proc_status_number(candidate->place.tid, "VmRSS:");
    if (failure != NULL || rss_kib < 0)
        return false;
    candidate->rss_bytes = (uint64_t)rss_kib * 1024;
    candidate->live_bytes = figures.known.live_bytes;
    candidate->program = survey_program(&candidate->place);
    return true;
}

static int by_pid(const void *a, const void *b) {
    return ((const struct candidate *)a)->place.pid - ((const struct candidate *)b)->place.pid;
}

void candidates_find(struct candidates *candidates) {
    *candidates = (struct candidates){0};
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        struct candidate candidate = {0};
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0)
            continue;
        if (!survey_locate(pid, &candidate.place)) {
            candidates->hidden += errno == EPERM || errno == EACCES;
            continue;
        }
        if (candidate.place.view == 0 || !look_at(&candidate))
            continue;
        candidates->item = need_room(candidates->item, candidates->count, &candidates->room, sizeof *candidates->item);
        candidates->item[candidates->count++] = candidate;
    }
    if (folder != NULL)
        closedir(folder);
    if (candidates->count != 0)
        qsort(candidates->item, candidates->count, sizeof *candidates->item, by_pid);
}

void candidates_free(struct candidates *candidates) {
    for (size_t i = 0; i < candidates->count; i++)
        free(candidates->item[i].program);
    free(candidates->item);
    *candidates = (struct candidates){0};
}

const char *candidates_advice(void) {
    return geteuid() != 0 ? ": run this command as root (sudo)" : "";
}

void candidates_show(const struct candidates *candidates, size_t chosen, struct room room, struct page *page) {
    page_add(page, STYLE_HEAD, "  %-9s%12s%12s  %s", "process", "RSS KiB", "live KiB", "program");
    /* The chosen one is among those that are shown. */
    size_t lines = room.lines > 2 ? room.lines - 2 : 1, count = candidates->count;
    size_t first = room.lines != 0 && chosen < count && chosen >= lines ? chosen - lines + 1 : 0;
    for (size_t i = first; i < count; i++) {
        const struct candidate *item = &candidates->item[i];
        page_add(page, i == chosen ? STYLE_STRONG : STYLE_PLAIN, "%c %-9d%12" PRIu64 "%12" PRIu64 "  %.100s",
                 i == chosen ? '>' : ' ', (int)item->place.pid, kib(item->rss_bytes), kib(item->live_bytes),
                 item->program);
    }
    if (candidates->hidden != 0)
        page_add(page, STYLE_PLAIN, "%zu more may not be looked at%s", candidates->hidden, candidates_advice());
}
