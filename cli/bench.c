/* bench.c
 * Purpose.     The verb `bench`: hands over to the Python program that measures.
 * Design.      The program starts every run as `hakmem verify`, so it is told which command and library this is, rather
 *              than finding another one in PATH. An installed command has the program beside it, in ../share; one in a
 *              build folder uses the source tree it was built from.
 */
#include "basics.h"
#include "preload.h"
#include "verb.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "run.py"

/* The build says where the source tree has it. */
#ifndef HAK_BENCH_DIR
#define HAK_BENCH_DIR "/usr/share/hakmem/bench"
#endif

/* The folder of this command; NULL after a message. */
static char *own_folder(char **command) {
    *command = realpath("/proc/self/exe", NULL);
    if (*command == NULL) {
        say("cannot tell where this command is: %s", strerror(errno));
        return NULL;
    }
    return need_format("%.*s", (int)(base_name(*command) - 1 - *command), *command);
}

/* The first of both that can be read, as a path without ".."; NULL if neither can. Takes them over. */
static char *first_readable(char *one, char *other) {
    char *found = realpath(one, NULL);
    if (found == NULL)
        found = realpath(other, NULL);
    free(one);
    free(other);
    return found;
}

static bool set_variable(const char *name, const char *value) {
    if (setenv(name, value, 1) == 0)
        return true;
    say("cannot change the environment: %s", strerror(errno));
    return false;
}

static bool tell_paths(const char *folder, const char *command) {
    char *library = preload_find(NULL);
    char *micro =
        first_readable(need_format("%s/bench/micro", folder), need_format("%s/../libexec/hakmem/micro", folder));
    bool told = library != NULL && set_variable("HAKMEM_BENCH_COMMAND", command) &&
                set_variable("HAKMEM_BENCH_LIBRARY", library);
    if (micro != NULL)
        told = told && set_variable("HAKMEM_BENCH_MICRO", micro);
    free(library);
    free(micro);
    return told;
}

int verb_bench(int count, char **arguments) {
    char *command = NULL, *folder = own_folder(&command);
    if (folder == NULL)
        return EXIT_USAGE;
    char *program =
        first_readable(need_format("%s/../share/hakmem/bench/" PROGRAM, folder), need_copy(HAK_BENCH_DIR "/" PROGRAM));
    if (program == NULL) {
        say("bench: no " PROGRAM " in %s/../share/hakmem/bench or " HAK_BENCH_DIR ": run 'make install'", folder);
    } else if (tell_paths(folder, command)) {
        char **words = need((size_t)(count + 2) * sizeof *words);
        char python[] = "python3";
        words[0] = python;
        words[1] = program;
        memcpy(words + 2, arguments + 1, (size_t)count * sizeof *words); // with the NULL at the end
        execvp(words[0], words);
        say("bench: cannot run python3: %s", strerror(errno));
        free(words);
    }
    free(program);
    free(folder);
    free(command);
    return EXIT_USAGE;
}
