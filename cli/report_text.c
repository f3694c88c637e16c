/* report_text.c
 * Purpose.     The report as tables. See report.h.
 * Design.      From the many facts to the one that counts: processes, calls, bindings, then the verdict with every
 *              culprit. Bindings of the same object in several processes are one line, since they rarely differ; if
 *              they do, it is one line for each object that they are bound to.
 */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* A build may start thousands of processes: so many rows are for reading, culprits excepted. */
#define ROWS_MAX 40

/* Width of the table of bindings. */
#define COLUMNS 100

static void print_process(const struct image *image, FILE *out) {
    const struct proof *proof = image->proof;
    char *end = describe_end(image), *server = describe_server(image);
    char *heap = proof == NULL || proof->failure != NULL ? need_copy("?")
                 : proof->heap_bytes + proof->heap_of_threads == 0
                     ? need_copy("unused")
                     : need_format("%" PRIu64 "K", (proof->heap_bytes + proof->heap_of_threads) / 1024);
    fprintf(out, "  %7d %-10s", (int)image->pid, end);
    if (proof != NULL && proof->counted)
        fprintf(out, " %12" PRIu64 " %12" PRIu64 " %8" PRIu64 " %7" PRIu64, proof->counts.allocations,
                proof->counts.frees, proof->counts.foreign_frees, proof->counts.errors);
    else
        fprintf(out, " %12s %12s %8s %7s", "-", "-", "-", "-");
    fprintf(out, " %9s  %s%s  %s\n", heap, image->program, image->forked ? " (fork)" : "", server);
    free(end);
    free(server);
    free(heap);
}

static void print_processes(const struct report *report, FILE *out) {
    size_t printed = 0, left_out = 0;
    fprintf(out, "  process end          allocations        frees  foreign  errors libc heap  program, served by\n");
    for (size_t i = 0; i < report->count; i++) {
        if (printed < ROWS_MAX || report->verdict[i].culprits.count != 0) {
            print_process(report->image[i], out);
            printed++;
        } else {
            left_out++;
        }
    }
    if (left_out != 0)
        fprintf(out, "          and %zu more, all served by %s\n", left_out, report->wanted->name);
}

static void print_calls(const struct report *report, FILE *out) {
    if (!report->counted)
        return;
    fprintf(out, "\n  calls that hakmem served\n");
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++)
        if (report->total.served[i] != 0)
            fprintf(out, "  %16" PRIu64 "  %s\n", report->total.served[i], entry_name(i));
    fprintf(out, "  %16" PRIu64 "  frees of foreign pointers\n", report->total.foreign_frees);
    fprintf(out, "  %16" PRIu64 "  errors, foreign frees included\n", report->total.errors);
}

/* One line of the table of bindings. */
struct line {
    char *object, *target;
    bool symbol[SYMBOL_COUNT];
};

struct lines {
    struct line *item;
    size_t count, room;
};

static struct line *line_for(struct lines *lines, const char *object, const char *target) {
    for (size_t i = 0; i < lines->count; i++)
        if (strcmp(lines->item[i].object, object) == 0 && strcmp(lines->item[i].target, target) == 0)
            return &lines->item[i];
    lines->item = need_room(lines->item, lines->count, &lines->room, sizeof *lines->item);
    struct line *line = &lines->item[lines->count++];
    *line = (struct line){.object = need_copy(object), .target = need_copy(target)};
    return line;
}

static void add_bindings(struct lines *lines, const struct proof *proof, bool called) {
    for (size_t i = 0; i < proof->bindings.count; i++) {
        const struct binding *binding = &proof->bindings.item[i];
        const char *target = binding_state_name(binding->state);
        if ((binding->state == BINDING_LAZY) == called)
            continue;
        if (binding->state == BINDING_BOUND)
            target = binding->to == BINDING_NOWHERE ? "no object" : proof->objects.item[binding->to].path;
        line_for(lines, proof->objects.item[binding->from].path, target)->symbol[binding->symbol] = true;
    }
}

/* What one process has called, another of the same objects may never have called: the first says more. */
static bool is_called(const struct lines *lines, const char *object, unsigned symbol) {
    for (size_t i = 0; i < lines->count; i++)
        if (lines->item[i].symbol[symbol] && strcmp(lines->item[i].object, object) == 0)
            return true;
    return false;
}

static void add_never_called(struct lines *lines, const struct lines *called) {
    for (size_t i = 0; i < called->count; i++) {
        const struct line *line = &called->item[i];
        for (unsigned k = 0; k < SYMBOL_COUNT; k++)
            if (line->symbol[k] && !is_called(lines, line->object, k))
                line_for(lines, line->object, line->target)->symbol[k] = true;
    }
}

static void free_lines(struct lines *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->item[i].object);
        free(lines->item[i].target);
    }
    free(lines->item);
}

static void print_symbols(const struct line *line, FILE *out) {
    int column = fprintf(out, "      %s:", base_name(line->target));
    const char *comma = "";
    for (unsigned i = 0; i < SYMBOL_COUNT; i++) {
        if (!line->symbol[i])
            continue;
        const char *label = symbol_label(i);
        fputs(comma, out);
        if (column + (int)strlen(label) + 2 > COLUMNS)
            column = fprintf(out, "\n       ") - 1;
        column += fprintf(out, " %s", label) + 1;
        comma = ",";
    }
    fputc('\n', out);
}

static int by_object(const void *one, const void *other) {
    const struct line *left = one, *right = other;
    int order = strcmp(left->object, right->object);
    return order != 0 ? order : strcmp(left->target, right->target);
}

static void print_bindings(const struct report *report, FILE *out) {
    struct lines lines = {0}, lazy = {0};
    for (size_t i = 0; i < report->count; i++) {
        if (report->image[i]->proof == NULL)
            continue;
        add_bindings(&lines, report->image[i]->proof, true);
        add_bindings(&lazy, report->image[i]->proof, false);
    }
    add_never_called(&lines, &lazy);
    if (lines.count != 0) {
        qsort(lines.item, lines.count, sizeof *lines.item, by_object);
        fprintf(out, "\n  what allocation symbols are bound to, by object\n");
    }
    for (size_t i = 0; i < lines.count; i++) {
        if (i == 0 || strcmp(lines.item[i].object, lines.item[i - 1].object) != 0)
            fprintf(out, "  %s\n", lines.item[i].object);
        print_symbols(&lines.item[i], out);
    }
    free_lines(&lines);
    free_lines(&lazy);
}

/* The same sentence about several processes is one line. */
static void print_sentences(const struct report *report, const char *kind, bool culprits, FILE *out) {
    struct strings told = {0};
    for (size_t i = 0; i < report->count; i++) {
        const struct strings *list = culprits ? &report->verdict[i].culprits : &report->verdict[i].notes;
        for (size_t k = 0; k < list->count; k++) {
            char *about = need_format("%s: %s", report->image[i]->program, list->item[k]);
            if (strings_hold(&told, about)) {
                free(about);
                continue;
            }
            fprintf(out, "  %s: process %d, %s\n", kind, (int)report->image[i]->pid, about);
            strings_add(&told, about);
        }
    }
    strings_free(&told);
}

static void print_head(const struct report *report, FILE *out) {
    fprintf(out, "hakmem verify\n  library  %s\n",
            report->wanted->preload != NULL ? report->wanted->preload : "none preloaded");
    if (report->server != NULL && report->server->kind != NULL)
        fprintf(out, "  served by %s (%s, build id %s)\n", report->server->path, report->server->kind,
                report->server->build_id != NULL ? report->server->build_id : "unknown");
    if (report->command == NULL)
        return;
    fprintf(out, "  command ");
    for (char *const *word = report->command; *word != NULL; word++)
        fprintf(out, " %s", *word);
    if (WIFSIGNALED(report->status))
        fprintf(out, "\n  ended    by signal %d (%s)\n", WTERMSIG(report->status), strsignal(WTERMSIG(report->status)));
    else
        fprintf(out, "\n  ended    with exit status %d\n", WEXITSTATUS(report->status));
    if (report->usage != NULL)
        usage_print_text(report->usage, out);
}

void report_print_text(const struct report *report, FILE *out) {
    print_head(report, out);
    fputc('\n', out);
    print_processes(report, out);
    print_calls(report, out);
    print_bindings(report, out);
    fputc('\n', out);
    print_sentences(report, "note", false, out);
    print_sentences(report, "culprit", true, out);
    if (report->proved)
        fprintf(out, "PROVED: %s served every allocation of %zu process%s\n", report->wanted->name, report->count,
                report->count == 1 ? "" : "es");
    else
        fprintf(out, "NOT PROVED: %s did not serve everything\n", report->wanted->name);
}
