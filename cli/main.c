/* main.c
 * Purpose.     The command `hakmem`: finds the verb.
 */
#include "basics.h"
#include "hakmem.h"
#include "verb.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *text;
} verbs[] = {
    {"run", verb_run, "run a program on hakmem"},
    {"verify", verb_verify, "prove which allocator serves a program"},
    {"doctor", verb_doctor, "find what hurts an allocator on this machine or in a process"},
    {"explain", verb_explain, "say where the memory of a program is that runs, or left a core file"},
    {"stat", verb_stat, "print the numbers of a running program, once or every second, or of a core file"},
    {"top", verb_top, "watch a running program on a screen, or list those that run on hakmem"},
    {"trim", verb_trim, "have a running program give back what it holds and does not use"},
    {"set", verb_set, "change an option of a running program"},
    {"bench", verb_bench, "measure allocators side by side, each run proved"},
};

#define VERB_COUNT (sizeof verbs / sizeof *verbs)

static void print_help(FILE *out) {
    fprintf(out, "usage: hakmem VERB [OPTION]... [--] [COMMAND [ARGUMENT]...]\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].text);
    fprintf(out, "\n'hakmem VERB --help' tells more; so does the manual page hakmem(1).\n");
}

int main(int count, char **arguments) {
    const char *name = count > 1 ? arguments[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        printf("hakmem %d.%d.%d\n", HAK_VERSION_MAJOR, HAK_VERSION_MINOR, HAK_VERSION_PATCH);
        return 0;
    }
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(name, verbs[i].name) == 0)
            return verbs[i].run(count - 1, arguments + 1);
    if (*name != 0)
        say("there is no verb %s", name);
    print_help(stderr);
    return EXIT_USAGE;
}
