/* doctor.c
 * Purpose.     The verb `doctor`: what hurts an allocator on this machine, in a process or in a command, and the fix.
 * Design.      One list of checks; one list of findings, printed once. A command is stopped before its first
 *              instruction and ended there: it is looked at like a process, and nothing of it runs.
 */
#include "basics.h"
#include "entry.h"
#include "exam.h"
#include "json.h"
#include "preload.h"
#include "program.h"
#include "verb.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_VARIABLE "HAKMEM_DOCTOR_ROOT"

static const struct {
    const char *name;
    void (*look)(struct exam *exam);
} checks[] = {
    {"huge pages", check_huge_pages},
    {"huge page stalls", check_huge_stalls},
    {"huge page collapse", check_huge_collapse},
    {"page size", check_page_size},
    {"overcommit", check_overcommit},
    {"mappings", check_mappings},
    {"swap", check_swap},
    {"cgroup memory", check_cgroup_memory},
    {"cgroup cpu", check_cgroup_cpu},
    {"limits", check_limits},
    {"hakmem limits", check_own_limits},
    {"seccomp", check_seccomp},
    {"tracing", check_tracing},
    {"libc", check_libc},
    {"preload", check_preload},
    {"program", check_program},
    {"allocators", check_allocators},
};

static const char *const level_names[] = {"ok", "not told", "note", "warning", "problem"};

static const struct option options[] = {
    {"json", no_argument, NULL, 'j'},
    {"lib", required_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void print_help(FILE *out) {
    fprintf(out, "usage: hakmem doctor [--json] [--lib PATH] [PID | -- COMMAND [ARGUMENT]...]\n\n"
                 "Looks for what hurts a memory allocator: on this machine, in the process PID, or in COMMAND, which\n"
                 "is loaded but not run. Each finding comes with its fix. Exit status 0 if nothing hurts, 1 if\n"
                 "something does (a warning or a problem), 2 if nothing could be looked at.\n\n"
                 "  --json      the findings as JSON\n"
                 "  --lib PATH  the library, instead of the one found beside this command or installed\n");
}

static size_t count_of(const struct exam *exam, enum level level) {
    size_t count = 0;
    for (size_t i = 0; i < exam->count; i++)
        count += exam->finding[i].level == level;
    return count;
}

static bool hurts(const struct exam *exam) {
    return count_of(exam, LEVEL_WARNING) + count_of(exam, LEVEL_PROBLEM) != 0;
}

static void print_text(const struct exam *exam) {
    for (size_t i = 0; i < exam->count; i++) {
        const struct finding *finding = &exam->finding[i];
        printf("%-8s  %-18s  %s\n", level_names[finding->level], finding->check, finding->text);
        if (finding->fix != NULL)
            printf("%-8s  %-18s  fix: %s\n", "", "", finding->fix);
    }
    if (hurts(exam))
        printf("\n%zu problems, %zu warnings\n", count_of(exam, LEVEL_PROBLEM), count_of(exam, LEVEL_WARNING));
    else
        printf("\nnothing that hurts\n");
}

static void print_json(const struct exam *exam) {
    struct json json = {.out = stdout};
    json_begin(&json);
    json_bool(&json, "hurts", hurts(exam));
    if (exam->running)
        json_number(&json, "pid", atoi(exam->process));
    else
        json_text(&json, "pid", NULL);
    json_open(&json, "findings", '[');
    for (size_t i = 0; i < exam->count; i++) {
        const struct finding *finding = &exam->finding[i];
        json_open(&json, NULL, '{');
        json_text(&json, "check", finding->check);
        json_text(&json, "level", level_names[finding->level]);
        json_text(&json, "text", finding->text);
        json_text(&json, "fix", finding->fix);
        json_close(&json, '{');
    }
    json_close(&json, '[');
    json_close(&json, '{');
}

static int report(struct exam *exam, bool as_json) {
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        exam->check = checks[i].name;
        checks[i].look(exam);
    }
    if (as_json)
        print_json(exam);
    else
        print_text(exam);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return hurts(exam) ? 1 : 0;
    say("cannot write the report: %s", strerror(errno));
    return EXIT_USAGE;
}

/* False, after a message, if there is nothing to look at. */
static bool look_at_memory(struct exam *exam, pid_t pid, pid_t tid) {
    struct proof *proof = inspect_process(tid, &exam->wanted);
    if (proof->failure == NULL) {
        exam->proof = proof;
        return true;
    }
    bool forbidden = proof->forbidden;
    if (forbidden)
        exam->unseen = proc_refusal(pid);
    else
        say("cannot look at process %d: %s", (int)pid, proof->failure);
    proof_free(proof);
    return forbidden;
}

/* Memory is read from the machine itself: under another root, the number is another machine's process. */
static bool take_process(struct exam *exam, const char *text) {
    if (*exam->root != 0) {
        char *path = need_format("/proc/%s/status", text), *status = exam_read(exam, path);
        bool there = status != NULL && text[strspn(text, "0123456789")] == 0;
        if (!there)
            say("there is no process %s in %s/proc", text, exam->root);
        exam->unseen = need_copy("memory is not read under " ROOT_VARIABLE);
        exam->process = need_copy(text);
        exam->running = true;
        free(status);
        free(path);
        return there;
    }
    pid_t pid = proc_find("doctor (a command goes behind --)", text);
    if (pid < 0)
        return false;
    exam->process = need_format("%d", (int)pid);
    exam->running = true;
    return look_at_memory(exam, pid, proc_living_thread(pid));
}

static bool load_command(struct exam *exam, const struct program *program, char **arguments) {
    if (exam->hakmem != NULL && !preload_set(exam->hakmem))
        return false;
    exam->wanted.preload = exam->hakmem;
    pid_t pid = entry_start(program->path, arguments);
    if (pid < 0) {
        exam->unseen = need_copy("its memory: it could not be loaded (see standard error)");
        return true;
    }
    bool looked = look_at_memory(exam, pid, pid);
    entry_end(pid);
    return looked;
}

static bool take_command(struct exam *exam, char **arguments) {
    struct program program;
    if (!program_find(arguments[0], &program))
        return false;
    exam->process = need_copy("self");
    bool taken = true;
    if (program.obstacle != NULL)
        exam->obstacle = need_copy(program.obstacle);
    else if (*exam->root != 0)
        exam->unseen = need_copy("memory is not read under " ROOT_VARIABLE);
    else
        taken = load_command(exam, &program, arguments);
    program_free(&program);
    return taken;
}

static void exam_free(struct exam *exam) {
    for (size_t i = 0; i < exam->count; i++)
        free(exam->finding[i].text);
    free(exam->finding);
    free(exam->process);
    free(exam->hakmem);
    free(exam->obstacle);
    free(exam->unseen);
    proof_free(exam->proof);
}

/* `words` is what follows the options; `is_command` if "--" stood before. */
static int examine(char **words, bool is_command, const char *chosen, bool as_json) {
    const char *root = getenv(ROOT_VARIABLE);
    struct exam exam = {.root = root != NULL ? root : "", .wanted = {.kind = WANT_HAKMEM, .name = "hakmem"}};
    exam.hakmem = preload_find(chosen);
    bool taken = chosen == NULL || exam.hakmem != NULL;
    if (taken && is_command)
        taken = take_command(&exam, words);
    else if (taken && words[0] != NULL)
        taken = take_process(&exam, words[0]);
    else
        exam.process = need_copy("self");
    int status = taken ? report(&exam, as_json) : EXIT_USAGE;
    exam_free(&exam);
    return status;
}

int verb_doctor(int count, char **arguments) {
    const char *chosen = NULL;
    bool as_json = false;
    int letter;
    opterr = 0;
    while ((letter = getopt_long(count, arguments, "+:", options, NULL)) != -1) {
        switch (letter) {
        case 'j':
            as_json = true;
            break;
        case 'l':
            chosen = optarg;
            break;
        case 'h':
            print_help(stdout);
            return 0;
        default:
            say("doctor: %s %s", letter == ':' ? "a value is missing after" : "unknown option", arguments[optind - 1]);
            return EXIT_USAGE;
        }
    }
    bool is_command = optind > 1 && strcmp(arguments[optind - 1], "--") == 0;
    if (is_command ? optind < count : count - optind <= 1)
        return examine(arguments + optind, is_command, chosen, as_json);
    say("doctor: %s", is_command ? "no command behind --" : "one process at most, or a command behind --");
    return EXIT_USAGE;
}
