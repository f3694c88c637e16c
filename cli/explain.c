/* explain.c
 * Purpose.     The verb `explain`: where the resident memory of a process is.
 */
#include "account.h"
#include "basics.h"
#include "verb.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(FILE *out) {
    fprintf(out, "usage: hakmem explain [--json] PID | CORE\n\n"
                 "Says where the resident memory (RSS) of a process on hakmem is, the largest part first, and which\n"
                 "option or call changes each part. The process goes on running and notices nothing. Of one that has\n"
                 "ended, its core file tells what hakmem's memory was used for, but not what of it was resident.\n\n"
                 "  --json  as JSON\n");
}

/* Where the process maps and unmaps memory while it is being looked at, the parts may not fit the whole: then another
 * look is taken. */
#define LOOKS_MAX 10u
#define GOOD_PARTS 200u

static bool adds_up(const struct account *account) {
    if (account->recorded)
        return true;
    uint64_t sum = account_sum(account), kernel = account->kernel_bytes;
    return (sum > kernel ? sum - kernel : kernel - sum) <= kernel / GOOD_PARTS;
}

static const char *look(const struct place *place, struct survey *survey, struct account *account) {
    for (unsigned i = 1;; i++) {
        const char *failure = survey_take(survey, place);
        if (failure == NULL)
            failure = account_make(survey, account);
        failure = survey_verdict(survey, failure);
        if (failure != NULL || adds_up(account) || i == LOOKS_MAX)
            return failure;
        survey_free(survey);
    }
}

static int explain(const char *text, bool json) {
    struct place place;
    struct survey survey;
    struct account account = {0};
    int status = survey_find_any("explain", text, &place);
    if (status != EXIT_PROVED)
        return status;
    const char *failure = look(&place, &survey, &account);
    char *name = survey_name(&place), *program = survey_program(&place);
    struct subject of = {place.pid, place.core != NULL, program, survey.view.class_size};
    if (failure != NULL)
        say("cannot explain %s: %s", name, failure);
    else if (json)
        account_print_json(&account, of, stdout);
    else
        account_print_text(&account, of, stdout);
    free(name);
    free(program);
    survey_free(&survey);
    survey_close(&place);
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (!written)
        say("cannot write: %s", strerror(errno));
    return failure == NULL && written ? EXIT_PROVED : EXIT_USAGE;
}

int verb_explain(int count, char **arguments) {
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    int letter;
    opterr = 0;
    while ((letter = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (letter == 'h') {
            print_help(stdout);
            return 0;
        }
        if (letter != 'j') {
            say("explain: unknown option %s", arguments[optind - 1]);
            return EXIT_USAGE;
        }
        json = true;
    }
    if (count - optind == 1)
        return explain(arguments[optind], json);
    print_help(stderr);
    return EXIT_USAGE;
}
