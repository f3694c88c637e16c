/* judge.c
 * Purpose.     See judge.h.
 */
#include "judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_operator(unsigned symbol) {
    return strncmp(symbol_name(symbol), "_Z", 2) == 0;
}

/* True for symbols that hand out or take back blocks: a program may well have a malloc_stats of its own. */
static bool moves_blocks(unsigned symbol) {
    return symbol <= (unsigned)symbol_index("pvalloc");
}

static bool is_runtime(const struct object *object) {
    return object->role == ROLE_LIBC || object->role == ROLE_CXX || object->role == ROLE_LOADER;
}

/* True if the symbol is a reallocarray on top of realloc, as libbsd's is: the object defines nothing else that moves
 * blocks, and its realloc is another's, the binding to which is judged like everybody's. */
static bool calls_realloc(const struct proof *proof, size_t object, unsigned symbol) {
    if (strcmp(symbol_name(symbol), "reallocarray") != 0)
        return false;
    for (unsigned i = 0; i < SYMBOL_COUNT; i++)
        if (i != symbol && moves_blocks(i) && proof->objects.item[object].defines[i] != 0)
            return false;
    for (size_t i = 0; i < proof->bindings.count; i++) {
        const struct binding *binding = &proof->bindings.item[i];
        if (binding->from == object && strcmp(symbol_name(binding->symbol), "realloc") == 0 &&
            binding->state != BINDING_ABSENT)
            return true;
    }
    return false;
}

/* Symbols that may stay with the C or C++ runtime if the server does not define them: there they hand out nothing, or
 * do so through malloc. */
static bool may_stay_with_runtime(const struct proof *proof, unsigned symbol, const struct object *runtime) {
    static const char *const harmless[] = {"reallocarray", "malloc_trim",     "mallopt",
                                           "mallinfo",     "mallinfo2",       "malloc_stats",
                                           "malloc_info",  "__libc_mallinfo", "__libc_mallopt"};
    for (size_t i = 0; i < proof->objects.count; i++)
        if (proof->server[i] && proof->objects.item[i].defines[symbol] != 0)
            return false;
    if (is_operator(symbol))
        return runtime->role == ROLE_CXX;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(symbol_name(symbol), harmless[i]) == 0)
            return runtime->role == ROLE_LIBC;
    return false;
}

static bool may_stay(const struct proof *proof, unsigned symbol, size_t object) {
    return calls_realloc(proof, object, symbol) || may_stay_with_runtime(proof, symbol, &proof->objects.item[object]);
}

/* Lists as sentences have them: "malloc, free". */
static void list_name(char **list, const char *name) {
    char *longer = *list == NULL ? need_copy(name) : need_format("%s, %s", *list, name);
    free(*list);
    *list = longer;
}

/* Adds the sentence unless it is there already. Takes it over. */
static void add_sentence(struct strings *list, char *sentence) {
    if (strings_hold(list, sentence))
        free(sentence);
    else
        strings_add(list, sentence);
}

/* The symbols that `from` has bound to `to`, as a list; NULL if there are none. */
static char *symbols_between(const struct proof *proof, size_t from, size_t to, bool operators) {
    bool bound[SYMBOL_COUNT] = {false};
    char *names = NULL;
    for (size_t i = 0; i < proof->bindings.count; i++) {
        const struct binding *binding = &proof->bindings.item[i];
        if (binding->from == from && binding->to == to && binding->state == BINDING_BOUND)
            bound[binding->symbol] = to == BINDING_NOWHERE || !may_stay(proof, binding->symbol, to);
    }
    for (unsigned i = 0; i < SYMBOL_COUNT; i++)
        if (bound[i] && is_operator(i) == operators)
            list_name(&names, symbol_label(i));
    return names;
}

/* The sentence on symbols of one object that are bound to another one, which is not the server. */
static void judge_pair(const struct proof *proof, size_t from, size_t to, bool operators, struct verdict *verdict) {
    const struct object *object = &proof->objects.item[from];
    char *symbols = symbols_between(proof, from, to, operators);
    if (symbols == NULL)
        return;
    const struct object *other = to != BINDING_NOWHERE ? &proof->objects.item[to] : NULL;
    const char *hint = object->role == ROLE_PROGRAM ? "" : " (opened with RTLD_DEEPBIND, or in a namespace of its own)";
    if (other == NULL)
        add_sentence(&verdict->culprits,
                     need_format("%s has %s at an address that belongs to no object", object->path, symbols));
    else if (is_runtime(other))
        add_sentence(&verdict->culprits,
                     need_format("%s has %s bound to %s%s", object->path, symbols, base_name(other->path), hint));
    else if (operators && other->cxx_runtime)
        add_sentence(&verdict->notes, need_format("%s has %s bound to the C++ runtime inside %s, which calls malloc",
                                                  object->path, symbols, base_name(other->path)));
    else
        add_sentence(&verdict->culprits,
                     need_format("%s serves %s of %s", other->path, symbols, base_name(object->path)));
    free(symbols);
}

static void judge_bindings(const struct proof *proof, struct verdict *verdict) {
    for (size_t from = 0; from < proof->objects.count; from++) {
        if (proof->server[from])
            continue;
        for (size_t to = 0; to < proof->objects.count; to++) {
            if (proof->server[to])
                continue;
            judge_pair(proof, from, to, false, verdict);
            judge_pair(proof, from, to, true, verdict);
        }
        judge_pair(proof, from, BINDING_NOWHERE, false, verdict);
        judge_pair(proof, from, BINDING_NOWHERE, true, verdict);
    }
}

static bool is_bound_to(const struct proof *proof, size_t object) {
    for (size_t i = 0; i < proof->bindings.count; i++)
        if (proof->bindings.item[i].to == object && proof->bindings.item[i].state == BINDING_BOUND)
            return true;
    return false;
}

/* An object with an allocator of its own. The linker binds a program's own calls without leaving a slot, so for the
 * program itself the definition is the evidence. */
static void judge_definitions(const struct proof *proof, size_t index, struct verdict *verdict) {
    const struct object *object = &proof->objects.item[index];
    char *functions = NULL, *operators = NULL;
    bool closed = object->symbolic;
    for (unsigned i = 0; i < SYMBOL_COUNT; i++) {
        if (object->defines[i] == 0 || calls_realloc(proof, index, i))
            continue;
        closed |= object->protected_one[i];
        if (is_operator(i))
            list_name(&operators, symbol_label(i));
        else if (moves_blocks(i))
            list_name(&functions, symbol_label(i));
    }
    if (functions != NULL && object->role == ROLE_PROGRAM)
        add_sentence(&verdict->culprits, need_format("%s has its own %s", object->path, functions));
    else if (functions != NULL && closed)
        add_sentence(&verdict->culprits,
                     need_format("%s has its own %s, which its own calls are bound to", object->path, functions));
    else if (functions != NULL && !is_bound_to(proof, index))
        add_sentence(&verdict->notes,
                     need_format("%s has its own %s, which nothing is bound to", object->path, functions));
    if (operators != NULL && object->role == ROLE_PROGRAM && object->cxx_runtime)
        add_sentence(&verdict->notes,
                     need_format("%s has the C++ runtime inside: its operator new calls malloc", object->path));
    else if (operators != NULL && object->role == ROLE_PROGRAM)
        add_sentence(&verdict->culprits, need_format("%s has its own %s", object->path, operators));
    free(functions);
    free(operators);
}

/* A static program with hakmem inside. Its [heap] tells nothing: libc takes some to start such programs. */
static bool is_static(const struct proof *proof) {
    for (size_t i = 0; i < proof->objects.count; i++)
        if (proof->objects.item[i].role == ROLE_PROGRAM && !proof->objects.item[i].interpreted)
            return true;
    return false;
}

static void judge_heap(const struct proof *proof, struct verdict *verdict) {
    if (proof->heap_bytes != 0)
        add_sentence(&verdict->culprits, need_format("libc's heap was used: %llu KiB in [heap]",
                                                     (unsigned long long)proof->heap_bytes / 1024));
    if (proof->heap_of_threads != 0)
        add_sentence(&verdict->culprits, need_format("libc's heaps for threads were used: %llu KiB",
                                                     (unsigned long long)proof->heap_of_threads / 1024));
}

/* True if malloc or another function that moves blocks is bound to the object: operators may be the C++ runtime's. */
static bool hands_out_blocks(const struct proof *proof, size_t object) {
    for (size_t i = 0; i < proof->bindings.count; i++) {
        const struct binding *binding = &proof->bindings.item[i];
        if (binding->to == object && binding->state == BINDING_BOUND && moves_blocks(binding->symbol) &&
            !calls_realloc(proof, object, binding->symbol))
            return true;
    }
    return false;
}

char *describe_server(const struct image *image) {
    const struct proof *proof = image->proof;
    if (proof == NULL || proof->failure != NULL)
        return need_copy("?");
    char *names = NULL;
    for (size_t i = 0; i < proof->objects.count; i++)
        if (proof->hakmem[i])
            return need_copy("hakmem");
    for (size_t i = 0; i < proof->objects.count; i++)
        if (hands_out_blocks(proof, i))
            list_name(&names, base_name(proof->objects.item[i].path));
    return names != NULL ? names : need_copy("-");
}

static char *describe_absence(const struct image *image, const char *name) {
    char *server = describe_server(image);
    char *sentence = strcmp(server, "-") == 0
                         ? need_format("%s is not loaded: %s", name, image->proof->absence)
                         : need_format("%s is not loaded: %s; %s serves it", name, image->proof->absence, server);
    free(server);
    return sentence;
}

static char *describe_unseen(const struct image *image) {
    if (image->proof != NULL)
        return need_format("not inspected: %s", image->proof->failure);
    if (image->end == END_SIGNAL)
        return need_format("not inspected: it was killed (signal %d) before it could be", image->end_value);
    return need_copy("not inspected: its memory was gone before it could be");
}

static bool serves(const struct proof *proof) {
    for (size_t i = 0; i < proof->objects.count; i++)
        if (proof->server[i] && is_bound_to(proof, i))
            return true;
    return false;
}

bool judge(const struct image *image, const struct wanted *wanted, struct verdict *verdict) {
    const struct proof *proof = image->proof;
    *verdict = (struct verdict){0};
    if (proof == NULL || proof->failure != NULL) {
        strings_add(&verdict->culprits, describe_unseen(image));
        return false;
    }
    if (!proof->loaded) {
        strings_add(&verdict->culprits, describe_absence(image, wanted->name));
        return false;
    }
    if (!is_static(proof) && !serves(proof))
        strings_add(&verdict->culprits, need_format("%s is loaded, but nothing is bound to it", wanted->name));
    if (image->beheaded)
        strings_add(&verdict->culprits, need_copy("its first thread ended before the others: what they did then cannot "
                                                  "be seen (run it without --leave-threads)"));
    judge_bindings(proof, verdict);
    for (size_t i = 0; i < proof->objects.count; i++)
        if (!proof->server[i] && !is_runtime(&proof->objects.item[i]))
            judge_definitions(proof, i, verdict);
    if (is_static(proof))
        strings_add(&verdict->culprits, need_format("a static binary: %s is linked into it, but what its calls are "
                                                    "bound to cannot be seen",
                                                    wanted->name));
    else if (wanted->kind != WANT_LIBC)
        judge_heap(proof, verdict);
    if (proof->uncounted != NULL)
        strings_add(&verdict->culprits, need_format("hakmem's counts are not known: %s", proof->uncounted));
    if (proof->counts.foreign_frees != 0)
        strings_add(&verdict->culprits, need_format("%llu pointers were freed that hakmem had not handed out",
                                                    (unsigned long long)proof->counts.foreign_frees));
    return verdict->culprits.count == 0;
}

void verdict_free(struct verdict *verdict) {
    strings_free(&verdict->culprits);
    strings_free(&verdict->notes);
}

char *describe_end(const struct image *image) {
    switch (image->end) {
    case END_EXIT:
        return need_format("exit %d", image->end_value);
    case END_SIGNAL:
        return need_format("signal %d", image->end_value);
    case END_EXEC:
        return need_copy("exec");
    case END_NONE:
        break;
    }
    return need_copy("running");
}
