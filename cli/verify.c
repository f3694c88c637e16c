/* verify.c
 * Purpose.     The verb `verify`: proves which allocator serves a program, or a running process.
 * Design.      The program is run even if hakmem cannot be preloaded into it, since the answer is then a proof too, of
 *              the opposite; only what cannot be run at all is refused. The report goes to standard output; in JSON the
 *              command's own output is kept out of it.
 */
#include "basics.h"
#include "preload.h"
#include "program.h"
#include "report.h"
#include "settings.h"
#include "trace.h"
#include "verb.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option options[] = {
    {"json", no_argument, NULL, 'j'},          {"no-preload", no_argument, NULL, 'n'},
    {"lib", required_argument, NULL, 'l'},     {"allocator", required_argument, NULL, 'a'},
    {"set", required_argument, NULL, 's'},     {"output", required_argument, NULL, 'o'},
    {"pid", required_argument, NULL, 'p'},     {"usage", no_argument, NULL, 'u'},
    {"leave-threads", no_argument, NULL, 't'}, {"sample-ms", required_argument, NULL, 'm'},
    {"help", no_argument, NULL, 'h'},          {0},
};

#define SAMPLE_MS 10u
#define SAMPLE_MS_MAX 60000u

struct request {
    bool json, no_preload, usage, leave_threads;
    const char *chosen;    // library
    const char *allocator; // "libc" or a path; NULL for hakmem
    const char *sample_ms;
    uint64_t interval_ns;
    const char *pid;
    const char *output;
    FILE *out;
};

static void print_help(FILE *out) {
    fprintf(out,
            "usage: hakmem verify [OPTION]... [--] COMMAND [ARGUMENT]...\n"
            "       hakmem verify [--json] [--output FILE] --pid PID\n\n"
            "Runs COMMAND on hakmem and proves, for every process that it starts, whether hakmem and nothing else\n"
            "serves it. Exit status 0 if so, 1 with the culprit named if not, 2 if nothing could be looked at.\n\n"
            "  --allocator PATH  run COMMAND on this library, and prove that it serves; 'libc': on nothing but libc\n"
            "  --usage           report time, memory and page faults of all processes too\n"
            "  --sample-ms N     how often --usage looks at the memory, 10 by default; 0: never\n"
            "  --leave-threads   let threads start and end untraced; only first threads may start processes\n"
            "  --json            the report as JSON; COMMAND's output goes to standard error\n"
            "  --output FILE     the report goes to FILE\n"
            "  --no-preload      run COMMAND as it is\n"
            "  --pid PID         look at a process that runs already\n"
            "  --lib PATH        the library, instead of the one found beside this command or installed\n"
            "  --set NAME=VALUE  an option of the library:\n\n");
    settings_print(out);
}

static int print_report(const struct request *request, struct report *report) {
    if (request->json)
        report_print_json(report, request->out);
    else
        report_print_text(report, request->out);
    bool written = fflush(request->out) == 0 && !ferror(request->out);
    int status = report->proved ? EXIT_PROVED : EXIT_NOT_PROVED;
    report_free(report);
    if (!written)
        say("cannot write the report: %s", strerror(errno));
    return written ? status : EXIT_USAGE;
}

static int verify_process(const struct request *request) {
    pid_t pid = proc_find("verify: --pid", request->pid);
    if (pid < 0)
        return EXIT_USAGE;
    struct image *image = need(sizeof *image);
    static const struct wanted wanted = {.kind = WANT_HAKMEM, .name = "hakmem"};
    struct report report = {.wanted = &wanted};
    image->pid = pid;
    image->parent = (pid_t)proc_status_number(pid, "PPid:");
    pid_t tid = proc_living_thread(pid);
    image_identify(image, tid);
    image->proof = inspect_process(tid, &wanted);
    int status = EXIT_USAGE;
    char *refusal = image->proof->forbidden ? proc_refusal(pid) : NULL;
    if (refusal != NULL)
        say("%s", refusal);
    else if (image->proof->failure != NULL)
        say("cannot look at process %d: %s", (int)pid, image->proof->failure);
    else {
        report_make(&report, &image, 1);
        status = print_report(request, &report);
    }
    free(refusal);
    image_free(image);
    return status;
}

/* Runs the program, whatever was preloaded, and reports. */
static int prove(const struct request *request, const struct program *program, char **arguments,
                 const struct wanted *wanted) {
    struct usage usage = {.interval_ns = request->interval_ns};
    struct trace trace = {.wanted = wanted, .usage = request->usage ? &usage : NULL};
    trace.leave_threads = request->leave_threads;
    int status = EXIT_USAGE;
    if (trace_run(&trace, program->path, arguments, request->json && request->output == NULL)) {
        struct report report = {.command = arguments, .status = trace.status, .wanted = wanted, .usage = trace.usage};
        report_make(&report, trace.image, trace.image_count);
        status = print_report(request, &report);
    }
    trace_free(&trace);
    usage_free(&usage);
    return status;
}

/* libc serves if nothing stands in for it, so a name in LD_PRELOAD is a mistake, whatever it is. */
static bool nothing_preloaded(void) {
    const char *list = getenv("LD_PRELOAD");
    if (list == NULL || *list == 0)
        return true;
    say("verify: --allocator libc, but the environment preloads %s: unset LD_PRELOAD", list);
    return false;
}

static int verify_command(const struct request *request, char **arguments) {
    struct wanted wanted = {.kind = WANT_HAKMEM, .name = "hakmem"};
    struct program program;
    char *library = NULL;
    bool bare = request->no_preload;
    int status = EXIT_USAGE;
    if (!program_find(arguments[0], &program))
        return EXIT_USAGE;
    if (request->allocator != NULL && strcmp(request->allocator, "libc") == 0) {
        wanted = (struct wanted){.kind = WANT_LIBC, .name = "libc"};
        bare = nothing_preloaded();
    } else if (request->allocator != NULL) {
        library = preload_find_allocator(request->allocator);
        if (library != NULL)
            wanted = (struct wanted){.kind = WANT_LIBRARY, .name = base_name(library)};
    } else if (!bare) {
        library = preload_find(request->chosen);
    }
    wanted.preload = library;
    if (bare || (library != NULL && preload_set(library)))
        status = prove(request, &program, arguments, &wanted);
    free(library);
    program_free(&program);
    return status;
}

/* The report's file is opened first: a command should not run for an hour before its name turns out to be wrong. */
static int verify(struct request *request, char **arguments) {
    request->out = request->output != NULL ? fopen(request->output, "we") : stdout;
    if (request->out == NULL) {
        say("cannot write %s: %s", request->output, strerror(errno));
        return EXIT_USAGE;
    }
    int status = request->pid != NULL ? verify_process(request) : verify_command(request, arguments);
    if (request->output != NULL)
        fclose(request->out);
    return status;
}

static bool is_consistent(const struct request *request, bool has_command) {
    const char *problem = NULL;
    bool chosen = request->no_preload || request->chosen != NULL;
    if (request->pid != NULL &&
        (has_command || chosen || request->allocator != NULL || request->usage || request->leave_threads))
        problem = "--pid takes no command, --no-preload, --lib, --allocator, --usage or --leave-threads";
    else if (request->allocator != NULL && chosen)
        problem = "--allocator excludes --no-preload and --lib";
    else if (request->no_preload && request->chosen != NULL)
        problem = "--no-preload and --lib exclude each other";
    else if (request->pid == NULL && !has_command)
        problem = "no command to run";
    if (problem != NULL)
        say("verify: %s", problem);
    return problem == NULL;
}

static bool read_interval(struct request *request) {
    char *end = NULL;
    errno = 0;
    unsigned long ms = request->sample_ms != NULL ? strtoul(request->sample_ms, &end, 10) : SAMPLE_MS;
    if (request->sample_ms != NULL &&
        (errno != 0 || *request->sample_ms < '0' || *request->sample_ms > '9' || *end != 0 || ms > SAMPLE_MS_MAX)) {
        say("verify: --sample-ms takes a number of milliseconds up to %u, not '%s'", SAMPLE_MS_MAX, request->sample_ms);
        return false;
    }
    if (request->sample_ms != NULL && !request->usage) {
        say("verify: --sample-ms says how often --usage samples, which is missing");
        return false;
    }
    request->interval_ns = ms * 1000000u;
    return true;
}

int verb_verify(int count, char **arguments) {
    struct request request = {0};
    int letter;
    opterr = 0;
    while ((letter = getopt_long(count, arguments, "+:", options, NULL)) != -1) {
        switch (letter) {
        case 'j':
            request.json = true;
            break;
        case 'n':
            request.no_preload = true;
            break;
        case 'l':
            request.chosen = optarg;
            break;
        case 'a':
            request.allocator = optarg;
            break;
        case 'u':
            request.usage = true;
            break;
        case 't':
            request.leave_threads = true;
            break;
        case 'm':
            request.sample_ms = optarg;
            break;
        case 'o':
            request.output = optarg;
            break;
        case 'p':
            request.pid = optarg;
            break;
        case 's':
            if (!settings_set(optarg))
                return EXIT_USAGE;
            break;
        case 'h':
            print_help(stdout);
            return 0;
        default:
            say("verify: %s %s", letter == ':' ? "a value is missing after" : "unknown option", arguments[optind - 1]);
            return EXIT_USAGE;
        }
    }
    if (!read_interval(&request))
        return EXIT_USAGE;
    if (is_consistent(&request, optind < count))
        return verify(&request, arguments + optind);
    print_help(stderr);
    return EXIT_USAGE;
}
