/* top.c
 * Purpose.     The verb `top`: a process on hakmem, again and again on a screen, or once as text.
 * Not here.    What is shown (top.h), how it is drawn (terminal.h).
 */
#include "top.h"

#include "basics.h"
#include "interval.h"
#include "terminal.h"
#include "verb.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option options[] = {{"once", no_argument, NULL, 'o'},
                                        {"interval", required_argument, NULL, 'i'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};

/* What + and - stay between, in seconds. */
#define SHORTEST 0.125
#define LONGEST 64.0
#define PRINTED_COLUMNS 80u
#define FILES_MAX 1000u

static void print_help(FILE *out) {
    fprintf(
        out,
        "usage: hakmem top [--once] [--interval SECONDS] [PID]\n\n"
        "Shows a process on hakmem on a screen, again and again: memory, rates, size classes, threads. Without PID\n"
        "it lists the processes that run on hakmem, to choose one. The process goes on running and notices nothing.\n\n"
        "  --once              print what there is to show, and exit; so it is without a terminal that can draw\n"
        "  --interval SECONDS  how often to look, 1 by default; --once looks twice, this far apart\n\n");
    struct page page = {0};
    top_show_help(&page);
    page_print(&page, out);
    page_free(&page);
}

static struct room screen_room(void) {
    struct room room = {.block_elements = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    terminal_size(&room.columns, &room.lines);
    room.lines -= room.lines > 0; // the foot
    return room;
}

static bool print(struct page *page) {
    page_print(page, stdout);
    page_free(page);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    say("cannot write: %s", strerror(errno));
    return false;
}

static void draw(struct page *page, const char *foot) {
    terminal_draw(page, foot);
    page_free(page);
}

/* ---- one process ---- */

/* A process, and the last two looks at it. */
struct watch {
    struct place place;
    struct top top;
    struct look look[2];
    double looked_at; // when the last look was done: it takes its time where there is much to see
    char note[160];   // in place of the keys, until the next one
};

static const char *advance(struct watch *watch) {
    struct look *next = watch->top.now == &watch->look[0] ? &watch->look[1] : &watch->look[0];
    watch->top.before = NULL;
    look_free(next);
    const char *failure = look_take(next, &watch->place);
    if (failure != NULL)
        return failure;
    watch->top.before = watch->top.now;
    watch->top.now = next;
    history_add(&watch->top.history, next);
    watch->looked_at = interval_now();
    return NULL;
}

/* A file of a new name; NULL with errno set. */
static FILE *new_file(pid_t pid, char *name, size_t bytes) {
    int file = -1;
    for (unsigned i = 1; i <= FILES_MAX && file < 0; i++) {
        snprintf(name, bytes, "hakmem-top-%d-%u.txt", (int)pid, i);
        file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file < 0 && errno != EEXIST)
            break;
    }
    return file >= 0 ? fdopen(file, "w") : NULL;
}

static void write_file(struct watch *watch) {
    const struct look *now = watch->top.now;
    struct subject of = {.pid = watch->top.pid, .program = watch->top.program, .class_size = now->class_size};
    char name[64];
    FILE *out = new_file(watch->top.pid, name, sizeof name);
    bool written = out != NULL;
    if (written) {
        account_print_text(&now->account, of, out);
        fputc('\n', out);
        figures_print_json(&now->figures, of, out);
        written = !ferror(out);
        written = fclose(out) == 0 && written;
    }
    if (written)
        snprintf(watch->note, sizeof watch->note, "wrote %s", name);
    else
        snprintf(watch->note, sizeof watch->note, "cannot write %s: %s", name, strerror(errno));
}

/* What a key does; false for the end. */
static bool obey(struct watch *watch, int key, bool *help) {
    struct top *top = &watch->top;
    if (key == TERMINAL_NONE)
        return true;
    watch->note[0] = 0;
    if (*help && key != 'q' && key != TERMINAL_END) {
        *help = false;
        return true;
    }
    switch (key) {
    case 'q':
    case TERMINAL_END:
        return false;
    case 's':
    case TERMINAL_RIGHT:
        top->order = (top->order + 1) % ORDER_COUNT;
        break;
    case TERMINAL_LEFT:
        top->order = (top->order + ORDER_COUNT - 1) % ORDER_COUNT;
        break;
    case TERMINAL_UP:
        top->ascending = true;
        break;
    case TERMINAL_DOWN:
        top->ascending = false;
        break;
    case 'p':
        top->paused = !top->paused;
        break;
    case '+':
        top->interval *= top->interval * 2 <= LONGEST ? 2 : 1;
        break;
    case '-':
        top->interval /= top->interval / 2 >= SHORTEST ? 2 : 1;
        break;
    case 'w':
        write_file(watch);
        break;
    case '?':
        *help = true;
        break;
    default:
        break;
    }
    return true;
}

/* Until a key ends it, NULL, or a look fails. */
static const char *show_again_and_again(struct watch *watch) {
    bool help = false;
    for (;;) {
        struct page page = {0};
        if (help)
            top_show_help(&page);
        else
            top_show(&watch->top, screen_room(), &page);
        draw(&page, watch->note[0] != 0 ? watch->note : top_keys);
        double left = watch->looked_at + watch->top.interval - interval_now();
        if (!obey(watch, terminal_key(watch->top.paused ? INTERVAL_MAX : left), &help))
            return NULL;
        const char *failure = NULL;
        if (!watch->top.paused && interval_now() >= watch->looked_at + watch->top.interval)
            failure = advance(watch);
        if (failure != NULL)
            return failure;
    }
}

static int print_once(struct watch *watch) {
    struct page page = {0};
    interval_sleep(watch->top.interval);
    const char *failure = advance(watch);
    int status = failure == NULL ? EXIT_PROVED : survey_lost(&watch->place, failure);
    top_show(&watch->top, (struct room){.columns = PRINTED_COLUMNS}, &page);
    return print(&page) ? status : EXIT_USAGE;
}

static int draw_until_told(struct watch *watch) {
    const char *failure = show_again_and_again(watch);
    terminal_close();
    return failure == NULL ? EXIT_PROVED : survey_lost(&watch->place, failure);
}

/* `drawn`: the terminal is open. */
static int show_process(const struct place *place, double interval, bool drawn) {
    struct watch *watch = need(sizeof *watch);
    watch->place = *place;
    watch->top = (struct top){.pid = place->pid, .program = survey_program(place), .interval = interval};
    int status = EXIT_USAGE;
    const char *failure = advance(watch);
    if (failure == NULL) {
        status = drawn ? draw_until_told(watch) : print_once(watch);
    } else {
        terminal_close();
        say("cannot look at process %d: %s", (int)place->pid, failure);
    }
    look_free(&watch->look[0]);
    look_free(&watch->look[1]);
    free(watch->top.program);
    free(watch);
    return status;
}

/* ---- all processes ---- */

static int none_found(const struct candidates *candidates) {
    if (candidates->hidden != 0)
        say("no process runs on hakmem, but %zu may not be looked at%s", candidates->hidden, candidates_advice());
    else
        say("no process runs on hakmem");
    return EXIT_NOT_PROVED;
}

static int print_list(void) {
    struct candidates candidates;
    struct page page = {0};
    candidates_find(&candidates);
    int status = EXIT_PROVED;
    if (candidates.count == 0) {
        status = none_found(&candidates);
    } else {
        candidates_show(&candidates, candidates.count, (struct room){.columns = PRINTED_COLUMNS}, &page);
        status = print(&page) ? status : EXIT_USAGE;
    }
    candidates_free(&candidates);
    return status;
}

/* Lets one be chosen: `place->pid` is 0 if none was. The exit status, after a message unless it is EXIT_PROVED. */
static int choose(double interval, struct place *place) {
    static const char keys[] = "q quit  up, down choose  Enter show";
    struct candidates candidates = {0};
    pid_t chosen = 0;
    int status = EXIT_PROVED;
    *place = (struct place){0};
    for (int key = TERMINAL_NONE; key != 'q' && key != TERMINAL_END && place->pid == 0;) {
        if (key == TERMINAL_NONE) {
            candidates_free(&candidates);
            candidates_find(&candidates);
        }
        if (candidates.count == 0) {
            terminal_close();
            status = none_found(&candidates);
            break;
        }
        size_t at = 0;
        while (at + 1 < candidates.count && candidates.item[at].place.pid < chosen)
            at++;
        at = key == TERMINAL_UP && at > 0 ? at - 1 : key == TERMINAL_DOWN && at + 1 < candidates.count ? at + 1 : at;
        chosen = candidates.item[at].place.pid;
        if (key == TERMINAL_ENTER)
            *place = candidates.item[at].place;
        struct page page = {0};
        candidates_show(&candidates, at, screen_room(), &page);
        draw(&page, keys);
        key = place->pid == 0 ? terminal_key(interval) : key;
    }
    candidates_free(&candidates);
    return status;
}

static int show(const char *pid, double interval, bool once) {
    struct place place;
    int status = EXIT_PROVED;
    if (pid != NULL)
        status = survey_find("top", pid, &place);
    if (status != EXIT_PROVED)
        return status;
    bool drawn = !once && terminal_open();
    if (pid == NULL && !drawn)
        return print_list();
    if (pid == NULL) {
        status = choose(interval, &place);
        if (status != EXIT_PROVED || place.pid == 0)
            return status;
    }
    return show_process(&place, interval, drawn);
}

int verb_top(int count, char **arguments) {
    const char *interval = "1";
    bool once = false;
    int letter;
    double seconds;
    opterr = 0;
    while ((letter = getopt_long(count, arguments, ":", options, NULL)) != -1) {
        switch (letter) {
        case 'o':
            once = true;
            break;
        case 'i':
            interval = optarg;
            break;
        case 'h':
            print_help(stdout);
            return 0;
        default:
            say("top: %s %s", letter == ':' ? "a value is missing after" : "unknown option", arguments[optind - 1]);
            return EXIT_USAGE;
        }
    }
    if (!interval_parse("top", interval, &seconds))
        return EXIT_USAGE;
    if (count - optind <= 1)
        return show(arguments[optind], seconds, once);
    print_help(stderr);
    return EXIT_USAGE;
}
