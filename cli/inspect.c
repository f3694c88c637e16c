/* inspect.c
 * Purpose.     See inspect.h.
 */
#include "inspect.h"

#include "identity.h"
#include "libc_heap.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static const struct object *program_of(const struct object_list *objects) {
    for (size_t i = 0; i < objects->count; i++)
        if (objects->item[i].role == ROLE_PROGRAM)
            return &objects->item[i];
    for (size_t i = 0; i < objects->count; i++)
        if (objects->item[i].narrow)
            return &objects->item[i];
    return NULL;
}

/* True if the environment that the process was started with names the library in LD_PRELOAD. */
static bool environment_preloads(pid_t tid, const char *library) {
    size_t length = 0;
    bool found = false;
    char *text = proc_text(tid, "environ", &length);
    for (char *at = text; text != NULL && at < text + length && !found; at += strlen(at) + 1)
        found = strncmp(at, "LD_PRELOAD=", 11) == 0 && strstr(at + 11, library) != NULL;
    free(text);
    return found;
}

/* What keeps the loader from preloading anything into the process; NULL if nothing does. */
static const char *seal_of(const struct target *target, const struct object_list *objects) {
    const struct object *program = program_of(objects);
    if (program != NULL && program->narrow)
        return "32-bit program";
    if (program != NULL && !program->interpreted)
        return "static binary";
    if (target_auxiliary(target, AT_SECURE) != 0)
        return "setuid, setgid or with file capabilities, where the loader ignores LD_PRELOAD";
    return NULL;
}

static char *why_absent(const struct target *target, const struct wanted *wanted, const char *seal) {
    const char *library = wanted->preload;
    if (seal != NULL)
        return need_copy(seal);
    if (wanted->kind == WANT_LIBC)
        return need_copy("no object of this name is in its memory");
    if (library == NULL)
        return need_copy("nothing preloaded it");
    if (!environment_preloads(target->tid, library))
        return need_format("LD_PRELOAD was taken out of its environment, or never named %s", library);
    return need_format("the loader could not load %s (it says why on stderr)", library);
}

static void find_hakmem(struct target *target, struct proof *proof) {
    proof->hakmem = need(proof->objects.count * sizeof *proof->hakmem);
    for (size_t i = 0; i < proof->objects.count; i++) {
        uintptr_t view = view_find(target, &proof->objects.item[i]);
        if (view == 0)
            continue;
        struct counts counts;
        const char *failure = view_counts(target, view, &counts);
        proof->hakmem[i] = true;
        counts_add(&proof->counts, &counts);
        proof->counted = proof->uncounted == NULL && failure == NULL;
        if (failure != NULL && proof->uncounted == NULL)
            proof->uncounted = need_copy(failure);
    }
}

static void find_server(const struct target *target, struct proof *proof, const struct wanted *wanted) {
    proof->server = need(proof->objects.count * sizeof *proof->server);
    for (size_t i = 0; i < proof->objects.count; i++) {
        const struct object *object = &proof->objects.item[i];
        proof->server[i] = wanted->kind == WANT_HAKMEM ? proof->hakmem[i]
                           : wanted->kind == WANT_LIBC ? object->role == ROLE_LIBC
                                                       : strcmp(object->path, wanted->preload) == 0;
        proof->loaded |= proof->server[i];
    }
    if (proof->loaded)
        return;
    const char *seal = seal_of(target, &proof->objects);
    proof->sealed = seal != NULL;
    proof->absence = why_absent(target, wanted, seal);
}

static void identify_allocators(struct target *target, const struct object_list *objects) {
    for (size_t i = 0; i < objects->count; i++) {
        struct object *object = &objects->item[i];
        if (object->narrow || object->defines[symbol_index("malloc")] == 0)
            continue;
        object->kind = identity_kind(target, object);
        object->build_id = identity_build_id(target, object);
    }
}

static char *why_unreadable(pid_t tid, int error) {
    if (error == EPERM || error == EACCES)
        return need_copy("the kernel does not let us read its memory");
    if (proc_status_number(tid, "Kthread:") == 1)
        return need_copy("it is a thread of the kernel");
    return need_copy(error == ESRCH || error == ENOENT ? "it was gone" : strerror(error));
}

struct proof *inspect_process(pid_t tid, const struct wanted *wanted) {
    struct proof *proof = need(sizeof *proof);
    struct target target;
    if (!target_open(&target, tid)) {
        proof->forbidden = errno == EPERM || errno == EACCES;
        proof->failure = why_unreadable(tid, errno);
        return proof;
    }
    const char *unreadable = NULL;
    proof->objects = objects_find(&target);
    identify_allocators(&target, &proof->objects);
    find_hakmem(&target, proof);
    find_server(&target, proof, wanted);
    if (proof->objects.count == 0)
        proof->failure = need_copy("no program was found in its memory");
    else if (!bindings_find(&target, &proof->objects, &proof->bindings, &unreadable))
        proof->failure = need_format("the tables of %s could not be read", unreadable);
    proof->heap_bytes = libc_heap_bytes(&target, &proof->objects);
    proof->heap_of_threads = libc_thread_heap_bytes(&target);
    target_close(&target);
    return proof;
}

void proof_free(struct proof *proof) {
    if (proof == NULL)
        return;
    objects_free(&proof->objects);
    bindings_free(&proof->bindings);
    free(proof->hakmem);
    free(proof->server);
    free(proof->absence);
    free(proof->uncounted);
    free(proof->failure);
    free(proof);
}

struct counts inspect_counts(pid_t tid) {
    struct target target;
    struct counts sum = {0};
    if (!target_open(&target, tid))
        return sum;
    struct object_list objects = objects_find(&target);
    for (size_t i = 0; i < objects.count; i++) {
        struct counts counts;
        uintptr_t view = view_find(&target, &objects.item[i]);
        if (view != 0 && view_counts(&target, view, &counts) == NULL)
            counts_add(&sum, &counts);
    }
    objects_free(&objects);
    target_close(&target);
    return sum;
}
