/* survey.c
 * Purpose.     See survey.h.
 */
#include "survey.h"

#include "basics.h"
#include "segment/superslab.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_NAME(type, member) #member,
#define STRUCT_NAMES(type, fields) {fields(FIELD_NAME, type)},
static const char *const wanted[HAK_STRUCT_COUNT][SURVEY_FIELDS_MAX] = {HAK_STRUCTS(STRUCT_NAMES)};

/* More than any version will have. */
#define PUBLISHED_MAX 256u
#define POINTERS_MAX (1u << 20)

/* An object whose own tables cannot be read, since its file is not what it was, but which is hakmem. */
static const struct object *find_hidden(struct target *target, const struct object_list *objects) {
    for (size_t i = 0; i < objects->count; i++)
        if (core_file_problem(target->core, objects->item[i].base) != NULL && view_may_be_in(target, &objects->item[i]))
            return &objects->item[i];
    return NULL;
}

static void look_for_view(struct target *target, const struct object_list *objects, struct place *place) {
    for (size_t i = 0; i < objects->count && place->view == 0; i++) {
        const struct object *object = &objects->item[i];
        place->view = view_find(target, object);
        if (place->view == 0 || object->role == ROLE_PROGRAM)
            continue;
        place->start = object->base;
        place->end = object->end;
    }
}

bool survey_locate(pid_t pid, struct place *place) {
    struct target target;
    *place = (struct place){.pid = pid, .tid = proc_living_thread(pid)};
    if (!target_open(&target, place->tid))
        return false;
    struct object_list objects = objects_find(&target);
    look_for_view(&target, &objects, place);
    objects_free(&objects);
    target_close(&target);
    return true;
}

int survey_find(const char *verb, const char *text, struct place *place) {
    pid_t pid = proc_find(verb, text);
    if (pid < 0)
        return EXIT_USAGE;
    if (!survey_locate(pid, place)) {
        char *refusal = errno == EPERM || errno == EACCES ? proc_refusal(pid) : NULL;
        if (refusal != NULL)
            say("%s", refusal);
        else
            say("cannot look at process %d: %s", (int)pid,
                proc_status_number(place->tid, "Kthread:") == 1 ? "it is a thread of the kernel" : strerror(errno));
        free(refusal);
        return EXIT_USAGE;
    }
    if (place->view != 0)
        return EXIT_PROVED;
    say("process %d does not run on hakmem; 'hakmem verify --pid %d' says who serves it", (int)pid, (int)pid);
    return EXIT_NOT_PROVED;
}

/* Why hakmem may be in the process though it was not found; NULL if it is not. */
static const char *doubt(struct target *target, const struct object_list *objects) {
    const struct object *hidden = find_hidden(target, objects);
    if (hidden != NULL)
        return core_file_problem(target->core, hidden->base);
    return target->core->lack == core_left_out ? core_left_out : core_first_problem(target->core);
}

/* Fills `place->view`, or says why not. */
static int find_in_core(struct core *core, struct place *place) {
    struct target target;
    int status = EXIT_PROVED;
    target_open_core(&target, core);
    struct object_list objects = objects_find(&target);
    core->lack = NULL; // what only other objects need does not matter yet
    look_for_view(&target, &objects, place);
    const char *unsure = place->view == 0 ? doubt(&target, &objects) : NULL;
    if (unsure != NULL) {
        say("cannot look at core file %s: %s", core->path, unsure);
        status = EXIT_USAGE;
    } else if (place->view == 0) {
        say("the process of core file %s did not run on hakmem", core->path);
        status = EXIT_NOT_PROVED;
    }
    objects_free(&objects);
    target_close(&target);
    return status;
}

int survey_find_any(const char *verb, const char *text, struct place *place) {
    const char *failure;
    if (proc_is_number(text))
        return survey_find(verb, text, place);
    struct core *core = core_open(text, &failure);
    if (core == NULL) {
        say("cannot look at core file %s: %s", text, failure);
        return EXIT_USAGE;
    }
    *place = (struct place){.pid = core->pid, .core = core};
    int status = find_in_core(core, place);
    if (status != EXIT_PROVED)
        survey_close(place);
    return status;
}

void survey_close(struct place *place) {
    core_close(place->core);
    *place = (struct place){0};
}

char *survey_name(const struct place *place) {
    return place->core != NULL ? need_format("core file %s", place->core->path)
                               : need_format("process %d", (int)place->pid);
}

char *survey_program(const struct place *place) {
    char *program = place->core != NULL ? need_copy(place->core->program) : proc_command_line(place->tid);
    for (char *at = program; *at != 0; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    make_printable(program);
    return program;
}

int survey_lost(const struct place *place, const char *failure) {
    char state = proc_state(proc_living_thread(place->pid));
    if (state == 0 || state == 'Z' || state == 'X') {
        say("process %d has ended", (int)place->pid);
        return EXIT_PROVED;
    }
    say("cannot look at process %d any more: %s", (int)place->pid, failure);
    return EXIT_USAGE;
}

/* ---- structures ---- */

static const struct hak_field *find_field(const struct hak_field *field, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(field[i].name, name, sizeof field[i].name) == 0)
            return &field[i];
    return NULL;
}

static bool read_layout(struct survey *survey, unsigned which) {
    const struct hak_layout *layout = &survey->view.regions.layout[which];
    struct structure *structure = &survey->structure[which];
    struct hak_field published[PUBLISHED_MAX];
    if (layout->field_count > PUBLISHED_MAX ||
        !target_read_now(&survey->target, (uintptr_t)layout->field, published, layout->field_count * sizeof *published))
        return false;
    structure->bytes = layout->bytes;
    while (structure->field_count < SURVEY_FIELDS_MAX && wanted[which][structure->field_count] != NULL) {
        const struct hak_field *found =
            find_field(published, layout->field_count, wanted[which][structure->field_count]);
        if (found == NULL || found->bytes > layout->bytes || found->offset > layout->bytes - found->bytes)
            return false;
        structure->field[structure->field_count++] = *found;
    }
    return true;
}

/* `seen` is a number for each of the fields. */
static bool read_struct(struct survey *survey, enum hak_struct which, uintptr_t address, uint64_t *seen) {
    const struct structure *structure = &survey->structure[which];
    for (uint32_t i = 0; i < structure->field_count; i++) {
        uintptr_t at = address + structure->field[i].offset;
        uint32_t bytes = structure->field[i].bytes;
        seen[i] = bytes > sizeof *seen ? at : 0; // a part of the structure
        if (bytes <= sizeof *seen && !target_read(&survey->target, at, &seen[i], bytes))
            return false;
    }
    return structure->field_count != 0;
}

#define DEFINE_READER(type, fields)                                                                                    \
    bool survey_##type(struct survey *survey, uintptr_t address, struct seen_##type *seen) {                           \
        return read_struct(survey, HAK_STRUCT_##type, address, (uint64_t *)seen);                                      \
    }
HAK_STRUCTS(DEFINE_READER)

/* ---- units ---- */

static void add_leaf(struct survey *survey, uintptr_t base, const uintptr_t *leaf, size_t *room) {
    for (uint32_t i = 0; i < survey->view.regions.tree_leaves; i++) {
        survey->unit = need_room(survey->unit, survey->unit_count, room, sizeof *survey->unit);
        struct seen_superslab *unit = &survey->unit[survey->unit_count];
        /* All units of a direct mapping lead to the header of the first. */
        if (leaf[i] != 0 && survey_superslab(survey, leaf[i], unit) &&
            unit->base == base + (uintptr_t)i * survey->view.regions.unit_bytes)
            survey->unit_count++;
    }
}

static bool read_units(struct survey *survey) {
    const struct hak_regions *regions = &survey->view.regions;
    if (regions->tree_roots > POINTERS_MAX || regions->tree_leaves > POINTERS_MAX)
        return false;
    uint64_t leaves = 0, leaves_max = survey->target.bytes / sizeof(uintptr_t);
    size_t room = 0;
    uintptr_t *root = need(regions->tree_roots * sizeof *root), *leaf = need(regions->tree_leaves * sizeof *leaf);
    bool done = target_read_now(&survey->target, (uintptr_t)regions->tree, root, regions->tree_roots * sizeof *root);
    for (uint32_t i = 0; i < regions->tree_roots && done; i++) {
        if (root[i] == 0)
            continue;
        leaves += regions->tree_leaves; // not more than memory has room for
        done = leaves <= leaves_max &&
               target_read_now(&survey->target, root[i], leaf, regions->tree_leaves * sizeof *leaf);
        if (done)
            add_leaf(survey, (uintptr_t)i * regions->tree_leaves * regions->unit_bytes, leaf, &room);
    }
    free(root);
    free(leaf);
    return done;
}

const char *survey_take(struct survey *survey, const struct place *place) {
    *survey = (struct survey){.place = *place};
    if (place->core != NULL) {
        place->core->lack = NULL;
        target_open_core(&survey->target, place->core);
    } else if (!target_open(&survey->target, place->tid)) {
        return strerror(errno);
    }
    const char *failure = view_read(&survey->target, place->view, &survey->view);
    if (failure != NULL)
        return failure;
    if (survey->view.regions.heaps == NULL)
        return "hakmem has not served anything in it yet";
    if (survey->view.regions.unit_bytes != HAK_SUPERSLAB_SIZE || survey->view.regions.granule_bytes != HAK_GRANULE_SIZE)
        return "its hakmem has other superslabs than this command knows";
    for (unsigned i = 0; i < HAK_STRUCT_COUNT; i++)
        if (survey->view.regions.layout[i].field != NULL && !read_layout(survey, i))
            return "its hakmem has other structures than this command knows";
    return read_units(survey) ? NULL : "its records cannot be read";
}

void survey_free(struct survey *survey) {
    target_close(&survey->target);
    free(survey->unit);
    *survey = (struct survey){0};
}

const char *survey_verdict(const struct survey *survey, const char *failure) {
    return survey->place.core != NULL && survey->place.core->lack != NULL ? survey->place.core->lack : failure;
}

bool survey_is_direct(const struct seen_superslab *unit) {
    return unit->state == UNIT_DIRECT || unit->state == UNIT_KEPT;
}

const struct seen_superslab *survey_unit_at(const struct survey *survey, uintptr_t address) {
    size_t low = 0, high = survey->unit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (survey->unit[middle].base < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < survey->unit_count && survey->unit[low].base == address ? &survey->unit[low] : NULL;
}

/* ---- runs ---- */

unsigned survey_class(const struct seen_slab *run) {
    unsigned size_class = (unsigned)(run->entry & HAK_SLOT_MASK) / (unsigned)sizeof(struct hak_slot);
    return run->kind == RUN_SLAB && size_class < HAK_CLASS_COUNT ? size_class : 0;
}

/* One that a thread is just about to make or give up may look like anything. */
static bool is_run(const struct survey *survey, const struct seen_superslab *unit, const struct seen_slab *run,
                   unsigned first) {
    if (run->granules == 0 || run->first != first || run->granules > HAK_GRANULES - first ||
        run->base != unit->base + first * HAK_GRANULE_SIZE)
        return false;
    if (run->kind == RUN_SPARE)
        return true;
    if (run->kind == RUN_LARGE)
        return run->large_bytes <= run->granules * HAK_GRANULE_SIZE;
    unsigned size_class = survey_class(run);
    return size_class != 0 && run->capacity != 0 && run->free_count <= run->capacity &&
           run->capacity * survey->view.class_size[size_class] <= run->granules * HAK_GRANULE_SIZE;
}

void survey_runs(struct survey *survey, const struct seen_superslab *unit,
                 void (*each)(void *context, const struct seen_superslab *unit, const struct seen_slab *run),
                 void *context) {
    struct seen_slab run = {0};
    unsigned step;
    if (unit->state != UNIT_GRANULES || unit->slabs == 0)
        return;
    for (unsigned i = 0; i < HAK_GRANULES; i += step) {
        step = 1;
        if ((unit->free >> i & 1) != 0 ||
            !survey_slab(survey, unit->slabs + (uintptr_t)i * survey->structure[HAK_STRUCT_slab].bytes, &run) ||
            !is_run(survey, unit, &run, i))
            continue;
        each(context, unit, &run);
        step = (unsigned)run.granules;
    }
}

int64_t survey_option(struct survey *survey, const char *name, int64_t fallback) {
    int64_t index = view_option(&survey->target, &survey->view, name), value;
    uintptr_t at = (uintptr_t)(survey->view.regions.options + index);
    return index >= 0 && target_read_now(&survey->target, at, &value, sizeof value) ? value : fallback;
}
