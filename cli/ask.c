/* ask.c
 * Purpose.     The verbs `trim` and `set`: requests to the hakmem in a running process.
 * Design.      A request is written into hak_view.control of the process (include/hakmem_stats.h), and the next of its
 *              threads that comes by carries it out: no signal, nothing is stopped. Whoever asks holds a lock on
 *              /proc/PID while writing, so that two requests become two.
 */
#include "basics.h"
#include "settings.h"
#include "survey.h"
#include "verb.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* No thread came by, or the process is too busy to take another request. */
#define EXIT_WAITING 3

#define TIMEOUT_SECONDS 2.0
#define TIMEOUT_MAX 86400.0
#define LOOK_NS 2000000L

struct asking {
    struct place place;
    struct target target;
    struct hak_view view;
    double timeout, deadline; // seconds
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* False when the time is over. */
static bool wait_more(const struct asking *asking) {
    if (now() >= asking->deadline)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    return true;
}

static uintptr_t control_at(const struct asking *asking) {
    return asking->place.view + offsetof(struct hak_view, control);
}

static uintptr_t slot_at(const struct asking *asking, uint32_t number) {
    return control_at(asking) + offsetof(struct hak_control, request) +
           number % HAK_REQUEST_COUNT * sizeof(struct hak_request);
}

static int cannot(const struct asking *asking, const char *what) {
    char state = proc_state(asking->place.tid);
    if (state == 0 || state == 'Z' || state == 'X')
        say("process %d has ended", (int)asking->place.pid);
    else
        say("cannot %s process %d: %s", what, (int)asking->place.pid, strerror(errno));
    return EXIT_USAGE;
}

/* The lock that keeps other tools from writing requests; -1 if the time is over. */
static int lock_process(const struct asking *asking) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)asking->place.pid);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) != 0) {
        if (!wait_more(asking)) {
            close(folder);
            return -1;
        }
    }
    return folder;
}

/* Adds the request, which becomes number *number. The exit status. */
static int add_request(const struct asking *asking, const struct hak_request *request, uint32_t *number) {
    struct hak_control control;
    uint32_t attention = 1;
    if (!target_read_now(&asking->target, control_at(asking), &control, sizeof control))
        return cannot(asking, "look at");
    *number = control.asked;
    if (control.asked - control.done >= HAK_REQUEST_COUNT) {
        say("%u requests wait in process %d already: none was added", HAK_REQUEST_COUNT, (int)asking->place.pid);
        return EXIT_WAITING;
    }
    control.asked++;
    if (!target_write(&asking->target, slot_at(asking, *number), request, sizeof *request) ||
        !target_write(&asking->target, control_at(asking) + offsetof(struct hak_control, asked), &control.asked,
                      sizeof control.asked) ||
        !target_write(&asking->target, control_at(asking) + offsetof(struct hak_control, attention), &attention,
                      sizeof attention))
        return cannot(asking, "write a request into");
    return EXIT_PROVED;
}

/* Until it has been carried out; *request then says how that went. */
static int await_answer(const struct asking *asking, uint32_t number, struct hak_request *request) {
    uintptr_t done_at = control_at(asking) + offsetof(struct hak_control, done);
    for (;;) {
        uint32_t done;
        if (!target_read_now(&asking->target, done_at, &done, sizeof done))
            return cannot(asking, "look at");
        if ((int32_t)(done - number) > 0)
            break;
        if (!wait_more(asking)) {
            say("no thread of process %d came by within %g s: the request is carried out at its next slow path",
                (int)asking->place.pid, asking->timeout);
            return EXIT_WAITING;
        }
    }
    if (!target_read_now(&asking->target, slot_at(asking, number), request, sizeof *request))
        return cannot(asking, "look at");
    return EXIT_PROVED;
}

static int ask(struct asking *asking, struct hak_request *request) {
    uint32_t number = 0;
    asking->deadline = now() + asking->timeout;
    int lock = lock_process(asking);
    if (lock < 0) {
        say("another request to process %d is being made: none was added", (int)asking->place.pid);
        return EXIT_WAITING;
    }
    int status = add_request(asking, request, &number);
    close(lock);
    return status == EXIT_PROVED ? await_answer(asking, number, request) : status;
}

/* Opens the process for the verb. The exit status. */
static int find(const char *verb, const char *pid, struct asking *asking) {
    int status = survey_find(verb, pid, &asking->place);
    if (status != EXIT_PROVED)
        return status;
    if (!target_open(&asking->target, asking->place.tid))
        return cannot(asking, "look at");
    const char *failure = view_read(&asking->target, asking->place.view, &asking->view);
    if (failure == NULL)
        return EXIT_PROVED;
    say("cannot look at process %d: %s", (int)asking->place.pid, failure);
    return EXIT_USAGE;
}

/* ---- the verbs ---- */

static long resident_kib(const struct asking *asking) {
    size_t length = 0;
    char *text = proc_text(asking->place.tid, "smaps_rollup", &length);
    const char *field = text != NULL ? text_field(text, "Rss:") : NULL;
    long kib = field != NULL ? strtol(field, NULL, 10) : 0;
    free(text);
    return kib;
}

static int trim(struct asking *asking) {
    struct hak_request request = {.kind = HAK_REQUEST_TRIM};
    long before = resident_kib(asking);
    int status = ask(asking, &request);
    if (status == EXIT_PROVED)
        printf("process %d: %s; RSS %ld KiB -> %ld KiB\n", (int)asking->place.pid,
               request.value != 0 ? "trimmed" : "nothing to give back", before, resident_kib(asking));
    return status;
}

static int set(struct asking *asking, const char *assignment) {
    struct setting setting, was;
    char text[2][SETTING_BYTES];
    if (!settings_parse(assignment, &setting))
        return EXIT_USAGE;
    int64_t option = view_option(&asking->target, &asking->view, setting.name);
    if (option < 0) {
        say("the hakmem of process %d has no option %s", (int)asking->place.pid, setting.name);
        return EXIT_USAGE;
    }
    struct hak_request request = {.kind = HAK_REQUEST_SET, .option = (uint64_t)option, .value = setting.value};
    int status = ask(asking, &request);
    if (status != EXIT_PROVED)
        return status;
    if (request.result != 0) {
        say("process %d refuses %s: %s", (int)asking->place.pid, assignment, strerror(request.result));
        return EXIT_USAGE;
    }
    was = (struct setting){setting.name, request.value};
    printf("process %d: %s %s -> %s\n", (int)asking->place.pid, setting.name, settings_text(&was, text[0]),
           settings_text(&setting, text[1]));
    return EXIT_PROVED;
}

static void print_help(const char *verb, FILE *out) {
    bool sets = strcmp(verb, "set") == 0;
    fprintf(out, "usage: hakmem %s [--timeout SECONDS] PID%s\n\n", verb, sets ? " NAME=VALUE" : "");
    fprintf(out, sets ? "Changes an option of a process that runs on hakmem. 'hakmem run --help' lists the options.\n"
                      : "Has a process that runs on hakmem give back to the system what it holds and does not use.\n"
                        "Other threads than the one that does so empty their caches when they next come by.\n");
    fprintf(out,
            "The next thread of it that leaves the fast path of malloc or free does so, or its background thread.\n"
            "\n  --timeout SECONDS  how long to wait for that, 2 by default; exit status 3 if none came by: the\n"
            "                     request stays, and is carried out when one does\n");
}

static bool parse_timeout(const char *verb, const char *text, double *seconds) {
    char *end;
    *seconds = strtod(text, &end);
    if (end != text && *end == 0 && *seconds >= 0 && *seconds <= TIMEOUT_MAX)
        return true;
    say("%s: --timeout takes a number of seconds up to %.0f, not '%s'", verb, TIMEOUT_MAX, text);
    return false;
}

static int run(const char *verb, struct asking *asking, char **operands) {
    int status = find(verb, operands[0], asking);
    if (status == EXIT_PROVED)
        status = operands[1] != NULL ? set(asking, operands[1]) : trim(asking);
    target_close(&asking->target);
    return status;
}

static int verb_ask(int count, char **arguments, int operand_count) {
    static const struct option options[] = {
        {"timeout", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *verb = arguments[0];
    struct asking asking = {.timeout = TIMEOUT_SECONDS};
    int letter;
    opterr = 0;
    while ((letter = getopt_long(count, arguments, ":", options, NULL)) != -1) {
        if (letter == 'h') {
            print_help(verb, stdout);
            return 0;
        }
        if (letter != 't') {
            say("%s: %s %s", verb, letter == ':' ? "a value is missing after" : "unknown option",
                arguments[optind - 1]);
            return EXIT_USAGE;
        }
        if (!parse_timeout(verb, optarg, &asking.timeout))
            return EXIT_USAGE;
    }
    if (count - optind == operand_count)
        return run(verb, &asking, arguments + optind);
    print_help(verb, stderr);
    return EXIT_USAGE;
}

int verb_trim(int count, char **arguments) {
    return verb_ask(count, arguments, 1);
}

int verb_set(int count, char **arguments) {
    return verb_ask(count, arguments, 2);
}
