/* stat.c
 * Purpose.     The verb `stat`: the numbers of a process on hakmem, once or again and again.
 */
#include "basics.h"
#include "figures.h"
#include "verb.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct option options[] = {
    {"json", no_argument, NULL, 'j'},  {"openmetrics", no_argument, NULL, 'o'},
    {"watch", no_argument, NULL, 'w'}, {"interval", required_argument, NULL, 'i'},
    {"help", no_argument, NULL, 'h'},  {0},
};

#define INTERVAL_MAX 86400.0

static void print_help(FILE *out) {
    fprintf(out,
            "usage: hakmem stat [--json | --openmetrics | --watch [--interval SECONDS]] PID\n\n"
            "Prints hakmem's numbers of a process that runs on it: bytes, calls, tiers, size classes. The process\n"
            "goes on running and notices nothing.\n\n"
            "  --json              as JSON\n"
            "  --openmetrics       for Prometheus\n"
            "  --watch             again and again until the process ends, counters per second\n"
            "  --interval SECONDS  how often --watch looks, 1 by default\n");
}

struct request {
    bool json, openmetrics, watch;
    const char *interval;
    double seconds;
};

/* One look. NULL, or why there is none. */
static const char *take(const struct place *place, struct figures *figures, struct figures_of *of,
                        uint32_t class_size[HAK_CLASS_COUNT]) {
    struct survey survey;
    const char *failure = survey_take(&survey, place);
    if (failure == NULL)
        failure = figures_take(&survey, figures);
    memcpy(class_size, survey.view.class_size, HAK_CLASS_COUNT * sizeof *class_size);
    *of = (struct figures_of){place->pid, class_size};
    survey_free(&survey);
    return failure;
}

static bool flush(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    say("cannot write: %s", strerror(errno));
    return false;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pause_for(double seconds) {
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

/* Ends well when the process ends. */
static int watch(const struct place *place, struct figures *before, double seconds) {
    uint32_t class_size[HAK_CLASS_COUNT];
    struct figures *after = need(sizeof *after);
    struct figures_of of;
    double before_at = now();
    int status = EXIT_PROVED;
    while (status == EXIT_PROVED) {
        pause_for(seconds);
        const char *failure = take(place, after, &of, class_size);
        double after_at = now();
        char state = proc_state(place->tid);
        if (failure != NULL && (state == 0 || state == 'Z' || state == 'X')) {
            say("process %d has ended", (int)place->pid);
            break;
        }
        if (failure != NULL) {
            say("cannot look at process %d any more: %s", (int)place->pid, failure);
            status = EXIT_USAGE;
            break;
        }
        fputs(isatty(STDOUT_FILENO) ? "\033[H\033[J" : "\n", stdout);
        figures_print_text(after, before, after_at - before_at, of, stdout);
        *before = *after;
        before_at = after_at;
        status = flush() ? EXIT_PROVED : EXIT_USAGE;
    }
    free(after);
    return status;
}

static int show(const struct request *request, const char *pid) {
    struct place place;
    uint32_t class_size[HAK_CLASS_COUNT];
    struct figures_of of;
    int status = survey_find("stat", pid, &place);
    if (status != EXIT_PROVED)
        return status;
    struct figures *figures = need(sizeof *figures);
    const char *failure = take(&place, figures, &of, class_size);
    status = EXIT_USAGE;
    if (failure != NULL)
        say("cannot look at process %d: %s", (int)place.pid, failure);
    else if (request->watch)
        status = watch(&place, figures, request->seconds);
    else {
        if (request->json)
            figures_print_json(figures, of, stdout);
        else if (request->openmetrics)
            figures_print_openmetrics(figures, of, stdout);
        else
            figures_print_text(figures, NULL, 0, of, stdout);
        status = flush() ? EXIT_PROVED : EXIT_USAGE;
    }
    free(figures);
    return status;
}

static bool is_consistent(struct request *request) {
    char *end = NULL;
    request->seconds = request->interval != NULL ? strtod(request->interval, &end) : 1;
    if (request->json + request->openmetrics + request->watch > 1)
        say("stat: --json, --openmetrics and --watch exclude each other");
    else if (request->interval != NULL && !request->watch)
        say("stat: --interval says how often --watch looks, which is missing");
    else if (request->interval != NULL &&
             (end == request->interval || *end != 0 || !(request->seconds > 0) || request->seconds > INTERVAL_MAX))
        say("stat: --interval takes a number of seconds up to %.0f, not '%s'", INTERVAL_MAX, request->interval);
    else
        return true;
    return false;
}

int verb_stat(int count, char **arguments) {
    struct request request = {0};
    int letter;
    opterr = 0;
    while ((letter = getopt_long(count, arguments, ":", options, NULL)) != -1) {
        switch (letter) {
        case 'j':
            request.json = true;
            break;
        case 'o':
            request.openmetrics = true;
            break;
        case 'w':
            request.watch = true;
            break;
        case 'i':
            request.interval = optarg;
            break;
        case 'h':
            print_help(stdout);
            return 0;
        default:
            say("stat: %s %s", letter == ':' ? "a value is missing after" : "unknown option", arguments[optind - 1]);
            return EXIT_USAGE;
        }
    }
    if (!is_consistent(&request))
        return EXIT_USAGE;
    if (count - optind == 1)
        return show(&request, arguments[optind]);
    print_help(stderr);
    return EXIT_USAGE;
}
