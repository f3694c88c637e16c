/* run.c
 * Purpose.     The verb `run`: a program on hakmem.
 * Design.      Everything that would make the loader go on without hakmem is checked first, then the program takes this
 *              process over: its exit status, signals, terminal and process id are its own.
 */
#include "basics.h"
#include "preload.h"
#include "program.h"
#include "settings.h"
#include "verb.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option options[] = {
    {"lib", required_argument, NULL, 'l'},
    {"set", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void print_help(FILE *out) {
    fprintf(out,
            "usage: hakmem run [--lib PATH] [--set NAME=VALUE]... [--] COMMAND [ARGUMENT]...\n\n"
            "Runs COMMAND with hakmem as its allocator. The exit status is that of COMMAND, or 2 if hakmem cannot\n"
            "be preloaded into it; then it is not run.\n\n"
            "  --lib PATH        the library, instead of the one found beside this command or installed\n"
            "  --set NAME=VALUE  an option of the library:\n\n");
    settings_print(out);
}

static int run_program(char **arguments, const char *chosen) {
    struct program program;
    if (!program_find(arguments[0], &program))
        return EXIT_USAGE;
    if (program.obstacle != NULL) {
        say("cannot run %s on hakmem: %s", arguments[0], program.obstacle);
        program_free(&program);
        return EXIT_USAGE;
    }
    char *library = preload_find(chosen);
    if (library != NULL && preload_set(library)) {
        execv(program.path, arguments);
        say("cannot run %s: %s", program.path, strerror(errno));
    }
    free(library);
    program_free(&program);
    return EXIT_USAGE;
}

int verb_run(int count, char **arguments) {
    const char *chosen = NULL;
    int letter;
    opterr = 0;
    while ((letter = getopt_long(count, arguments, "+:", options, NULL)) != -1) {
        switch (letter) {
        case 'l':
            chosen = optarg;
            break;
        case 's':
            if (!settings_set(optarg))
                return EXIT_USAGE;
            break;
        case 'h':
            print_help(stdout);
            return 0;
        default:
            say("run: %s %s", letter == ':' ? "a value is missing after" : "unknown option", arguments[optind - 1]);
            return EXIT_USAGE;
        }
    }
    if (optind < count)
        return run_program(arguments + optind, chosen);
    say("run: no command to run");
    print_help(stderr);
    return EXIT_USAGE;
}
