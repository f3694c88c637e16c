/* usage.c
 * Purpose.     See usage.h.
 * Design.      The clocks of a process are asked by number, as clock_getcpuclockid(3) makes them; that function refuses
 *              the dead. The scheduler's clock is exact; how much of it was the kernel's is known from samples at ticks
 *              only, so the exact time is divided in that proportion, as the kernel does for getrusage(2).
 */
#include "usage.h"

#include "basics.h"
#include "target.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX 2048u
#define NS_PER_SECOND 1000000000u
#define NS_PER_MS 1000000u
#define NS_PER_US 1000u

/* Which clock of a process: its ticks in all, its ticks in user mode, its time on a cpu. */
enum { CLOCK_OF_TICKS = 0, CLOCK_OF_USER_TICKS = 1, CLOCK_OF_RUNNING = 2 };

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    return clock_gettime(clock, &now) == 0 ? (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec : 0;
}

static uint64_t read_process_clock(pid_t pid, unsigned which) {
    return read_clock((clockid_t)(~(unsigned)pid << 3 | which));
}

uint64_t usage_now(void) {
    return read_clock(CLOCK_MONOTONIC);
}

static struct process_cost cost_of(pid_t pid) {
    return (struct process_cost){
        .run_ns = read_process_clock(pid, CLOCK_OF_RUNNING),
        .user_ticks_ns = read_process_clock(pid, CLOCK_OF_USER_TICKS),
        .all_ticks_ns = read_process_clock(pid, CLOCK_OF_TICKS),
        .minor_faults = proc_stat_field(pid, 10),
        .major_faults = proc_stat_field(pid, 12),
    };
}

void usage_begin(struct usage *usage, pid_t pid) {
    usage->before = cost_of(pid);
    usage->start_ns = usage->end_ns = usage_now();
    usage->due_ns = usage->start_ns + usage->interval_ns;
}

void usage_looked(struct usage *usage, uint64_t start_ns) {
    if (usage != NULL)
        usage->looked_ns += usage_now() - start_ns;
}

void usage_leave(struct usage *usage) {
    usage->end_ns = usage_now();
    usage->proof_ns = usage->looked_ns;
}

void usage_add_process(struct usage *usage, pid_t pid, bool is_command) {
    const struct process_cost none = {0}, *before = is_command ? &usage->before : &none;
    struct process_cost cost = cost_of(pid);
    uint64_t run = cost.run_ns - before->run_ns, ticks = cost.all_ticks_ns - before->all_ticks_ns;
    uint64_t user_ticks = cost.user_ticks_ns - before->user_ticks_ns;
    uint64_t user = ticks != 0 ? (uint64_t)((double)run * (double)user_ticks / (double)ticks) : run;
    usage->user_ns += user;
    usage->system_ns += run - user;
    usage->minor_faults += cost.minor_faults - before->minor_faults;
    usage->major_faults += cost.major_faults - before->major_faults;
}

static void raise_peak(struct usage *usage, uint64_t kib) {
    if (kib > usage->peak_kib)
        usage->peak_kib = kib;
}

void usage_add_peak(struct usage *usage, const struct rusage *of_process) {
    raise_peak(usage, (uint64_t)of_process->ru_maxrss);
}

int64_t usage_wait(const struct usage *usage) {
    uint64_t now = usage_now();
    if (usage->interval_ns == 0 || usage->start_ns == 0)
        return -1;
    return now < usage->due_ns ? (int64_t)(usage->due_ns - now) : 0;
}

uint64_t usage_rss_kib(pid_t pid) {
    size_t length = 0;
    char *text = proc_text(pid, "statm", &length), *end = NULL;
    uint64_t pages = 0;
    if (text != NULL && strtoull(text, &end, 10) != 0)
        pages = strtoull(end, NULL, 10);
    free(text);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void thin_out(struct usage *usage) {
    usage->count /= 2;
    for (size_t i = 0; i < usage->count; i++)
        usage->sample[i] = usage->sample[2 * i + 1];
    usage->interval_ns *= 2;
}

void usage_add_sample(struct usage *usage, uint64_t kib) {
    uint64_t now = usage_now();
    if (usage->count == SAMPLES_MAX)
        thin_out(usage);
    usage->sample = need_room(usage->sample, usage->count, &usage->room, sizeof *usage->sample);
    usage->sample[usage->count++] = (struct rss_sample){now - usage->start_ns, kib};
    raise_peak(usage, kib);
    usage->due_ns += usage->interval_ns;
    if (usage->due_ns <= now)
        usage->due_ns = now + usage->interval_ns;
}

static uint64_t mean_kib(const struct usage *usage) {
    uint64_t sum = 0;
    for (size_t i = 0; i < usage->count; i++)
        sum += usage->sample[i].kib;
    return sum / usage->count;
}

void usage_print_json(const struct usage *usage, struct json *json) {
    json_open(json, "usage", '{');
    json_count(json, "wall_ns", usage->end_ns - usage->start_ns);
    json_count(json, "proof_ns", usage->proof_ns);
    json_count(json, "user_us", usage->user_ns / NS_PER_US);
    json_count(json, "system_us", usage->system_ns / NS_PER_US);
    json_count(json, "minor_faults", usage->minor_faults);
    json_count(json, "major_faults", usage->major_faults);
    json_count(json, "peak_rss_kib", usage->peak_kib);
    if (usage->count != 0)
        json_count(json, "mean_rss_kib", mean_kib(usage));
    else
        json_text(json, "mean_rss_kib", NULL);
    json_open(json, "samples", '[');
    for (size_t i = 0; i < usage->count; i++) {
        json_open(json, NULL, '[');
        json_count(json, NULL, usage->sample[i].at_ns / NS_PER_MS);
        json_count(json, NULL, usage->sample[i].kib);
        json_close(json, '[');
    }
    json_close(json, '[');
    json_close(json, '{');
}

void usage_print_text(const struct usage *usage, FILE *out) {
    fprintf(out,
            "  cost     %.3f s, user %.3f s, system %.3f s, peak RSS %" PRIu64 " KiB, page faults %" PRIu64 "+%" PRIu64
            "\n",
            (double)(usage->end_ns - usage->start_ns) / NS_PER_SECOND, (double)usage->user_ns / NS_PER_SECOND,
            (double)usage->system_ns / NS_PER_SECOND, usage->peak_kib, usage->minor_faults, usage->major_faults);
}

void usage_free(struct usage *usage) {
    free(usage->sample);
    usage->sample = NULL;
}
