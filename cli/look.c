/* look.c
 * Purpose.     See look.h.
 */
#include "look.h"

#include "basics.h"
#include "count.h"
#include "interval.h"
#include "base/figures.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STAT_START_TIME 22 // field of /proc/PID/stat

static double age_of(pid_t pid) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    double start = (double)proc_stat_field(pid, STAT_START_TIME) / (double)sysconf(_SC_CLK_TCK);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - start;
}

static void read_name(pid_t pid, struct look_thread *thread) {
    char file[32];
    size_t length = 0;
    snprintf(file, sizeof file, "task/%d/comm", (int)thread->tid);
    char *text = proc_text(pid, file, &length);
    if (text != NULL)
        snprintf(thread->name, sizeof thread->name, "%.*s", (int)strcspn(text, "\n"), text);
    make_printable(thread->name);
    free(text);
}

struct threads {
    struct look *look;
    pid_t pid;
};

static void add_thread(void *context, uintptr_t record, const struct hak_thread_view *view) {
    struct threads *threads = context;
    struct look *look = threads->look;
    if (view->thread_id == 0)
        return;
    look->thread = need_room(look->thread, look->thread_count, &look->thread_room, sizeof *look->thread);
    struct look_thread *thread = &look->thread[look->thread_count++];
    *thread = (struct look_thread){.record = record, .tid = (pid_t)view->thread_id};
    struct counts counts = {0};
    counts_add_thread(&counts, view);
    thread->allocations = counts.allocations;
    thread->frees = counts.frees;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        int64_t blocks = figures_length(&view->slot[c], &view->flow[c]);
        thread->cached_bytes += blocks > 0 ? (uint64_t)blocks * look->class_size[c] : 0;
    }
    read_name(threads->pid, thread);
}

static int by_record(const void *a, const void *b) {
    uintptr_t one = ((const struct look_thread *)a)->record, other = ((const struct look_thread *)b)->record;
    return one < other ? -1 : one > other;
}

static const char *take_threads(struct look *look, struct survey *survey) {
    struct threads threads = {look, survey->place.pid};
    const char *failure = view_threads(&survey->target, &survey->view, add_thread, &threads);
    if (look->thread_count != 0)
        qsort(look->thread, look->thread_count, sizeof *look->thread, by_record);
    return failure;
}

static const char *take_refills(struct look *look, struct survey *survey) {
    struct counts counts;
    look->counts_refills = survey->view.counter_count != 0;
    const char *failure = view_counts(&survey->target, survey->place.view, &counts);
    look->refills = counts_range(&counts, HAK_COUNTER_REFILL_TRANSFER, HAK_COUNTER_REFILL_FAILED);
    return failure;
}

const char *look_take(struct look *look, const struct place *place) {
    struct survey survey;
    struct place living = *place;
    living.tid = proc_living_thread(place->pid);
    *look = (struct look){.at = interval_now(), .age = age_of(place->pid)};
    long threads = proc_status_number(living.tid, "Threads:");
    look->os_threads = threads > 0 ? (uint64_t)threads : 0;
    const char *failure = survey_take(&survey, &living);
    memcpy(look->class_size, survey.view.class_size, sizeof look->class_size);
    if (failure == NULL)
        failure = figures_take(&survey, &look->figures);
    if (failure == NULL)
        failure = take_threads(look, &survey);
    if (failure == NULL)
        failure = take_refills(look, &survey);
    if (failure == NULL)
        failure = account_make(&survey, &look->account);
    survey_free(&survey);
    return failure;
}

void look_free(struct look *look) {
    free(look->thread);
    *look = (struct look){0};
}
