/* usage.h
 * Purpose.     What a command and all that it starts cost: time, memory, page faults.
 * Design.      Each process is asked when it is dead but not yet buried: its own figures, exact and complete with the
 *              release of its memory, whether or not its parent waits for it. Memory is sampled from /proc meanwhile,
 *              which stops nobody. Once there are SAMPLES_MAX samples, every second one is dropped and the interval
 *              doubled, so a run of any length has a curve of bounded size.
 * Invariants.  Samples are `interval_ns` apart, unless the tracer was late.
 * Not here.    Which processes there are (trace.c).
 */
#ifndef HAK_CLI_USAGE_H
#define HAK_CLI_USAGE_H

#include "json.h"

#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

struct process_cost {
    uint64_t run_ns, user_ticks_ns, all_ticks_ns; // exact, and as the scheduler's clock saw it
    uint64_t minor_faults, major_faults;
};

struct rss_sample {
    uint64_t at_ns, kib;
};

struct usage {
    uint64_t interval_ns; // 0 for no samples
    uint64_t due_ns;      // time of the next one
    uint64_t start_ns, end_ns;
    uint64_t looked_ns; // spent looking at processes so far
    uint64_t proof_ns;  // of it, before the last process ended
    uint64_t user_ns, system_ns, minor_faults, major_faults, peak_kib;
    struct process_cost before; // what the command's process had cost before it became the command
    struct rss_sample *sample;
    size_t count, room;
};

uint64_t usage_now(void);

/* Process `pid` becomes the command. */
void usage_begin(struct usage *usage, pid_t pid);

/* Time since `start_ns` was spent looking at a process, and is no cost of the command's. `usage` may be NULL. */
void usage_looked(struct usage *usage, uint64_t start_ns);

/* A process is about to end: the last one that says so ends the measurement. */
void usage_leave(struct usage *usage);

/* Adds a process that is dead and still there. */
void usage_add_process(struct usage *usage, pid_t pid, bool is_command);

/* What the kernel says of its largest size. */
void usage_add_peak(struct usage *usage, const struct rusage *of_process);

/* Nanoseconds until the next sample; -1 for never. */
int64_t usage_wait(const struct usage *usage);

/* Resident memory of one process. */
uint64_t usage_rss_kib(pid_t pid);

/* `kib` is the sum over all processes. */
void usage_add_sample(struct usage *usage, uint64_t kib);

void usage_print_json(const struct usage *usage, struct json *json);
void usage_print_text(const struct usage *usage, FILE *out);
void usage_free(struct usage *usage);

#endif
