/* report_json.c
 * Purpose.     The report as JSON. See report.h; the form is part of the command's interface, described in hakmem(1).
 */
#include "report.h"

#include "json.h"

#include <stdlib.h>
#include <sys/wait.h>

static void print_strings(struct json *json, const char *key, const struct strings *list) {
    json_open(json, key, '[');
    for (size_t i = 0; i < list->count; i++)
        json_text(json, NULL, list->item[i]);
    json_close(json, '[');
}

static void print_counts(struct json *json, const char *key, const struct counts *counts) {
    json_open(json, key, '{');
    json_count(json, "allocations", counts->allocations);
    json_count(json, "frees", counts->frees);
    json_count(json, "free_of_null", counts->null_frees);
    json_count(json, "foreign_frees", counts->foreign_frees);
    json_count(json, "errors", counts->errors);
    json_open(json, "calls", '{');
    for (unsigned i = 0; i < HAK_ENTRY_COUNT; i++)
        json_count(json, entry_name(i), counts->served[i]);
    json_close(json, '{');
    json_close(json, '{');
}

static void print_binding(struct json *json, const struct proof *proof, const struct binding *binding) {
    bool somewhere = binding->state == BINDING_BOUND || binding->state == BINDING_STUB;
    json_open(json, NULL, '{');
    json_text(json, "symbol", symbol_name(binding->symbol));
    json_text(json, "state", binding_state_name(binding->state));
    json_text(json, "to", somewhere && binding->to != BINDING_NOWHERE ? proof->objects.item[binding->to].path : NULL);
    json_bool(json, "hakmem", somewhere && binding->to != BINDING_NOWHERE && proof->hakmem[binding->to]);
    json_close(json, '{');
}

static void print_object(struct json *json, const struct proof *proof, size_t index) {
    const struct object *object = &proof->objects.item[index];
    json_open(json, NULL, '{');
    json_text(json, "path", object->path);
    if (object->kind != NULL) {
        json_text(json, "kind", object->kind);
        json_text(json, "build_id", object->build_id);
    }
    json_bool(json, "hakmem", proof->hakmem[index]);
    json_open(json, "defines", '[');
    for (unsigned i = 0; i < SYMBOL_COUNT; i++)
        if (object->defines[i] != 0)
            json_text(json, NULL, symbol_name(i));
    json_close(json, '[');
    json_open(json, "bindings", '[');
    for (size_t i = 0; i < proof->bindings.count; i++)
        if (proof->bindings.item[i].from == index)
            print_binding(json, proof, &proof->bindings.item[i]);
    json_close(json, '[');
    json_close(json, '{');
}

static void print_process(struct json *json, const struct image *image, const struct verdict *verdict) {
    const struct proof *proof = image->proof;
    bool inspected = proof != NULL && proof->failure == NULL;
    char *end = describe_end(image), *server = describe_server(image);
    json_open(json, NULL, '{');
    json_number(json, "pid", image->pid);
    json_number(json, "parent", image->parent);
    json_text(json, "program", image->program);
    json_text(json, "command_line", image->command_line);
    json_bool(json, "forked", image->forked);
    json_text(json, "end", end);
    json_bool(json, "inspected", inspected);
    json_bool(json, "proved", verdict->culprits.count == 0);
    json_text(json, "served_by", server);
    print_strings(json, "culprits", &verdict->culprits);
    print_strings(json, "notes", &verdict->notes);
    if (inspected) {
        if (proof->counted)
            print_counts(json, "counts", &proof->counts);
        json_count(json, "libc_heap_bytes", proof->heap_bytes);
        json_count(json, "libc_thread_heap_bytes", proof->heap_of_threads);
        json_open(json, "objects", '[');
        for (size_t i = 0; i < proof->objects.count; i++)
            print_object(json, proof, i);
        json_close(json, '[');
    }
    json_close(json, '{');
    free(end);
    free(server);
}

static void print_server(struct json *json, const struct report *report) {
    const struct object *server = report->server;
    json_open(json, "allocator", '{');
    json_text(json, "name", report->wanted->name);
    json_text(json, "path", server != NULL ? server->path : NULL);
    json_text(json, "kind", server != NULL ? server->kind : NULL);
    json_text(json, "build_id", server != NULL ? server->build_id : NULL);
    json_close(json, '{');
}

static void print_command(struct json *json, const struct report *report) {
    json_open(json, "command", '[');
    for (char *const *word = report->command; *word != NULL; word++)
        json_text(json, NULL, *word);
    json_close(json, '[');
    if (WIFSIGNALED(report->status))
        json_number(json, "signal", WTERMSIG(report->status));
    else
        json_number(json, "exit_status", WEXITSTATUS(report->status));
}

void report_print_json(const struct report *report, FILE *out) {
    struct json json = {.out = out};
    json_begin(&json);
    json_bool(&json, "proved", report->proved);
    json_text(&json, "library", report->wanted->preload);
    print_server(&json, report);
    if (report->command != NULL)
        print_command(&json, report);
    if (report->usage != NULL)
        usage_print_json(report->usage, &json);
    print_counts(&json, "total", &report->total);
    json_open(&json, "processes", '[');
    for (size_t i = 0; i < report->count; i++)
        print_process(&json, report->image[i], &report->verdict[i]);
    json_close(&json, '[');
    json_close(&json, '{');
}
