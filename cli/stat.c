/* stat.c
 * Purpose.     The verb `stat`: the numbers of a process on hakmem, once or again and again.
 */
#include "basics.h"
#include "figures.h"
#include "interval.h"
#include "verb.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option options[] = {
    {"json", no_argument, NULL, 'j'},  {"openmetrics", no_argument, NULL, 'o'},
    {"watch", no_argument, NULL, 'w'}, {"interval", required_argument, NULL, 'i'},
    {"help", no_argument, NULL, 'h'},  {0},
};

static void print_help(FILE *out) {
    fprintf(out,
            "usage: hakmem stat [--json | --openmetrics | --watch [--interval SECONDS]] PID | CORE\n\n"
            "Prints hakmem's numbers of a process that runs on it: bytes, calls, tiers, size classes. The process\n"
            "goes on running and notices nothing. Of one that has ended, its core file tells them, but for what was\n"
            "resident.\n\n"
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
static const char *take(const struct place *place, struct figures *figures, struct subject *of,
                        uint32_t class_size[HAK_CLASS_COUNT]) {
    struct survey survey;
    const char *failure = survey_take(&survey, place);
    if (failure == NULL)
        failure = figures_take(&survey, figures);
    memcpy(class_size, survey.view.class_size, HAK_CLASS_COUNT * sizeof *class_size);
    *of = (struct subject){.pid = place->pid, .ended = place->core != NULL, .class_size = class_size};
    failure = survey_verdict(&survey, failure);
    survey_free(&survey);
    return failure;
}

static bool flush(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    say("cannot write: %s", strerror(errno));
    return false;
}

/* Ends well when the process ends. */
static int watch(const struct place *place, struct figures *before, double seconds) {
    uint32_t class_size[HAK_CLASS_COUNT];
    struct figures *after = need(sizeof *after);
    struct subject of;
    double before_at = interval_now();
    int status = EXIT_PROVED;
    while (status == EXIT_PROVED) {
        interval_sleep(seconds);
        const char *failure = take(place, after, &of, class_size);
        double after_at = interval_now();
        if (failure != NULL) {
            status = survey_lost(place, failure);
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

static int show_place(const struct request *request, const struct place *place) {
    uint32_t class_size[HAK_CLASS_COUNT];
    struct subject of;
    struct figures *figures = need(sizeof *figures);
    const char *failure = take(place, figures, &of, class_size);
    char *name = survey_name(place);
    int status = EXIT_USAGE;
    if (failure != NULL)
        say("cannot look at %s: %s", name, failure);
    else if (request->watch)
        status = watch(place, figures, request->seconds);
    else {
        if (request->json)
            figures_print_json(figures, of, stdout);
        else if (request->openmetrics)
            figures_print_openmetrics(figures, of, stdout);
        else
            figures_print_text(figures, NULL, 0, of, stdout);
        status = flush() ? EXIT_PROVED : EXIT_USAGE;
    }
    free(name);
    free(figures);
    return status;
}

static int show(const struct request *request, const char *text) {
    struct place place;
    if (request->watch && !proc_is_number(text)) {
        say("stat: --watch looks at a running process; a core file does not change");
        return EXIT_USAGE;
    }
    int status = survey_find_any("stat", text, &place);
    if (status != EXIT_PROVED)
        return status;
    status = show_place(request, &place);
    survey_close(&place);
    return status;
}

static bool is_consistent(struct request *request) {
    request->seconds = 1;
    if (request->json + request->openmetrics + request->watch > 1)
        say("stat: --json, --openmetrics and --watch exclude each other");
    else if (request->interval != NULL && !request->watch)
        say("stat: --interval says how often --watch looks, which is missing");
    else
        return request->interval == NULL || interval_parse("stat", request->interval, &request->seconds);
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
