/* account.c
 * Purpose.     See account.h.
 * Design.      Blocks that the books of a slab have handed out are live unless their address is found in a thread's
 *              cache or on its way to a heap; those are collected first, and sorted.
 */
#include "account.h"

#include "basics.h"
#include "pages.h"
#include "base/figures.h"
#include "segment/superslab.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNKS_MAX (1u << 20)
#define PENDING_MAX (1u << 24)
/* More than any thread's list holds. */
#define LIST_MAX (HAK_CACHE_BLOCKS + HAK_EXCESS_MAX)
#define SLAB_WORDS (HAK_GRANULE_SIZE / HAK_ALIGNMENT / 64)

/* A block that is neither live nor free in its slab. */
struct parked {
    uintptr_t address;
    enum account_part part;
};

struct work {
    struct survey *survey;
    struct account *account;
    struct pages pages;
    struct parked *parked;
    size_t parked_count, parked_room;
    uint64_t oldest_ms;            // since when something has been dirty
    uintptr_t window;              // the 4 MiB that were looked at last
    uint64_t resident[LOOK_WORDS]; // a bit for each page of it
};

/* ---- parked blocks ---- */

/* Chains that lead in circles hold more blocks than memory does. */
static bool has_room(const struct work *work) {
    return work->parked_count < work->survey->target.bytes / HAK_ALIGNMENT;
}

static void park(struct work *work, uintptr_t address, enum account_part part) {
    work->parked = need_room(work->parked, work->parked_count, &work->parked_room, sizeof *work->parked);
    work->parked[work->parked_count++] = (struct parked){address, part};
}

/* True if there may be a slab. A program that dies may have written over the links of free blocks. */
static bool may_hold_blocks(const struct work *work, uintptr_t address) {
    const struct seen_superslab *unit = survey_unit_at(work->survey, address & -HAK_SUPERSLAB_SIZE);
    return unit != NULL && unit->state == UNIT_GRANULES;
}

/* Blocks linked through their first word, at most `most`. */
static void park_chain(struct work *work, uintptr_t address, uint64_t most, enum account_part part) {
    for (uint64_t i = 0; i < most && may_hold_blocks(work, address) && has_room(work); i++) {
        park(work, address, part);
        if (!target_read(&work->survey->target, address, &address, sizeof address))
            break;
    }
}

/* The first `count` blocks of an array of addresses, at most `most`. */
static void park_array(struct work *work, uintptr_t array, uint64_t count, uint64_t most, enum account_part part) {
    for (uint64_t i = 0; i < count && i < most && has_room(work); i++) {
        uintptr_t block;
        if (target_read(&work->survey->target, array + i * sizeof block, &block, sizeof block))
            park(work, block, part);
    }
}

static void park_outbox(struct work *work, uintptr_t record) {
    struct seen_thread thread;
    struct seen_outbox outbox;
    if (survey_thread(work->survey, record, &thread) && survey_outbox(work->survey, thread.outbox, &outbox))
        park_array(work, outbox.block, outbox.count, HAK_OUTBOX_BLOCKS, PART_OUTBOXES);
}

static void park_transfers(struct work *work) {
    uintptr_t address = (uintptr_t)work->survey->view.regions.transfers;
    uint64_t count = work->survey->view.regions.transfer_count;
    for (uint64_t i = 0; i < count && i < HAK_CLASS_COUNT; i++) {
        struct seen_transfer transfer;
        if (survey_transfer(work->survey, address + i * work->survey->structure[HAK_STRUCT_transfer].bytes, &transfer))
            park_array(work, transfer.block, transfer.count, HAK_TRANSFER_BLOCKS, PART_TRANSFERS);
    }
}

static void park_thread(void *context, uintptr_t record, const struct hak_thread_view *thread) {
    struct work *work = context;
    work->account->threads += thread->thread_id != 0;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        int64_t count = figures_length(&thread->slot[c], &thread->flow[c]);
        if (count > 0 && count <= thread->slot[c].room)
            park_array(work, (uintptr_t)thread->flow[c].base, (uint64_t)count, LIST_MAX, PART_CACHES);
    }
    park_outbox(work, record);
}

static void park_heaps(struct work *work) {
    const struct hak_regions *regions = &work->survey->view.regions;
    for (uint64_t id = 0; id < regions->heap_count && id <= HAK_HEAPS_MAX; id++) {
        uintptr_t address = 0;
        struct seen_heap heap;
        if (target_read(&work->survey->target, (uintptr_t)regions->heaps + id * sizeof address, &address,
                        sizeof address) &&
            address != 0 && survey_heap(work->survey, address, &heap))
            park_chain(work, heap.pending, PENDING_MAX, PART_OUTBOXES);
    }
}

static int by_address(const void *a, const void *b) {
    uintptr_t one = ((const struct parked *)a)->address, other = ((const struct parked *)b)->address;
    return one < other ? -1 : one > other;
}

static const char *park_all(struct work *work) {
    const char *failure = view_threads(&work->survey->target, &work->survey->view, park_thread, work);
    if (failure != NULL)
        return failure;
    park_heaps(work);
    park_transfers(work);
    if (work->parked_count != 0)
        qsort(work->parked, work->parked_count, sizeof *work->parked, by_address);
    return NULL;
}

/* The first parked block from `address` on. */
static size_t parked_from(const struct work *work, uintptr_t address) {
    size_t low = 0, high = work->parked_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (work->parked[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- units ---- */

static void look(struct work *work, uintptr_t window, size_t bytes) {
    work->window = window;
    if (!work->pages.all)
        pages_look(&work->pages, window, bytes, work->resident);
}

/* Resident bytes of [start, end), which lies in the window. */
static uint64_t resident_in(const struct work *work, uintptr_t start, uintptr_t end) {
    size_t page = work->pages.page_bytes;
    uint64_t sum = 0;
    if (work->pages.all)
        return end > start ? end - start : 0;
    for (uintptr_t at = start, next; at < end; at = next) {
        size_t i = (at - work->window) / page;
        next = work->window + (i + 1) * page;
        if ((work->resident[i / 64] >> i % 64 & 1) != 0)
            sum += (next < end ? next : end) - at;
    }
    return sum;
}

static void add(struct work *work, enum account_part part, uintptr_t start, uintptr_t end) {
    work->account->part[part] += resident_in(work, start, end);
}

static void add_live(struct work *work, unsigned size_class, uintptr_t start, uintptr_t end) {
    uint64_t bytes = resident_in(work, start, end);
    work->account->part[PART_LIVE] += bytes;
    work->account->live[size_class].resident_bytes += bytes;
}

static void count_live(struct work *work, unsigned size_class) {
    const uint32_t *size = work->survey->view.class_size;
    work->account->live[size_class].blocks++;
    work->account->rounding_bytes +=
        size_class != 0 ? size[size_class] - size[size_class - 1] - 1 : work->pages.page_bytes - 1;
}

/* A free block of a slab. What nobody had yet is resident only with a huge page, but for the rest of the last page that
 * somebody had, unless all of it was used before in another slab. */
static void add_free(struct work *work, const struct seen_slab *run, uint64_t size, uintptr_t block) {
    uintptr_t page = work->pages.page_bytes;
    uintptr_t used_end = (run->base + run->reached * size + page - 1) / page * page, end = block + size;
    if (run->stale || used_end > end || work->pages.all)
        used_end = end;
    if (used_end < block)
        used_end = block;
    add(work, PART_FREE_SLOTS, block, used_end);
    add(work, PART_SLACK, used_end, end);
}

static void add_slab(struct work *work, const struct seen_slab *run) {
    uint64_t free_blocks[SLAB_WORDS] = {0};
    unsigned size_class = survey_class(run);
    uint64_t size = work->survey->view.class_size[size_class];
    if (run->capacity > SLAB_WORDS * 64 || !target_read(&work->survey->target, run->free_blocks, free_blocks,
                                                        (run->capacity + 63) / 64 * sizeof(uint64_t)))
        return;
    size_t parked = parked_from(work, run->base);
    for (uint64_t i = 0; i < run->capacity; i++) {
        uintptr_t block = run->base + i * size;
        while (parked < work->parked_count && work->parked[parked].address < block)
            parked++;
        if ((free_blocks[i / 64] >> i % 64 & 1) != 0) {
            add_free(work, run, size, block);
        } else if (parked < work->parked_count && work->parked[parked].address == block) {
            add(work, work->parked[parked].part, block, block + size);
        } else {
            add_live(work, size_class, block, block + size);
            count_live(work, size_class);
        }
    }
    add(work, PART_TAILS, run->base + run->capacity * size, run->base + run->granules * HAK_GRANULE_SIZE);
}

static void add_run(void *context, const struct seen_superslab *unit, const struct seen_slab *run) {
    struct work *work = context;
    (void)unit;
    if (run->kind == RUN_SLAB) {
        add_slab(work, run);
        return;
    }
    if (run->kind == RUN_SPARE) {
        add(work, PART_SPARES, run->base, run->base + run->granules * HAK_GRANULE_SIZE);
        return;
    }
    count_live(work, 0);
    add_live(work, 0, run->base, run->base + run->large_bytes);
    add(work, PART_TAILS, run->base + run->large_bytes, run->base + run->granules * HAK_GRANULE_SIZE);
}

/* Bytes of the Huge block that this unit is part of which lie from the unit's start on. */
static uint64_t huge_reach(struct work *work, const struct seen_superslab *unit) {
    const struct seen_superslab *first = survey_unit_at(work->survey, unit->huge_base);
    uint64_t before = unit->base - unit->huge_base;
    return first != NULL && first->state == UNIT_HUGE && first->huge_bytes > before ? first->huge_bytes - before : 0;
}

static void note_retained(struct work *work, const struct seen_superslab *unit) {
    if (!work->account->retains || unit->dirty_since < work->oldest_ms)
        work->oldest_ms = unit->dirty_since;
    work->account->retains = true;
}

static void add_granules(struct work *work, const struct seen_superslab *unit) {
    uint64_t reach = unit->state == UNIT_HUGE || unit->state == UNIT_HUGE_REST ? huge_reach(work, unit) : 0;
    for (unsigned i = 0; i < HAK_GRANULES; i++) {
        uintptr_t start = unit->base + i * HAK_GRANULE_SIZE, end = start + HAK_GRANULE_SIZE;
        uintptr_t reached = unit->base + reach < start ? start : unit->base + reach > end ? end : unit->base + reach;
        if ((unit->free >> i & 1) != 0) {
            bool dirty = (unit->dirty >> i & 1) != 0;
            if (dirty || !work->pages.all)
                add(work, dirty ? PART_RETAINED : PART_SLACK, start, end);
        } else if (reach != 0) {
            add_live(work, 0, start, reached);
            add(work, PART_TAILS, reached, end);
        }
    }
    if (unit->state == UNIT_HUGE)
        count_live(work, 0);
    if (unit->dirty != 0)
        note_retained(work, unit);
}

static void add_direct(struct work *work, const struct seen_superslab *unit) {
    bool live_block = unit->state == UNIT_DIRECT;
    uintptr_t end = unit->base + unit->mapped_bytes, live_end = unit->base + (live_block ? unit->huge_bytes : 0);
    if (live_block)
        count_live(work, 0);
    else
        note_retained(work, unit);
    for (uintptr_t at = unit->base, next; at < end; at = next) {
        next = work->pages.all || end - at < HAK_SUPERSLAB_SIZE ? end : at + HAK_SUPERSLAB_SIZE;
        uintptr_t live = live_end < at ? at : live_end > next ? next : live_end;
        look(work, at, next - at);
        add_live(work, 0, at, live);
        add(work, live_block ? PART_TAILS : PART_RETAINED, live, next);
    }
}

static void add_units(struct work *work) {
    for (size_t i = 0; i < work->survey->unit_count; i++) {
        const struct seen_superslab *unit = &work->survey->unit[i];
        if (survey_is_direct(unit)) {
            add_direct(work, unit);
            continue;
        }
        look(work, unit->base, HAK_SUPERSLAB_SIZE);
        add_granules(work, unit);
        survey_runs(work->survey, unit, add_run, work);
    }
}

/* ---- other mappings ---- */

static bool is_page_map(const struct work *work, const struct mapping *map) {
    const struct hak_view *view = &work->survey->view;
    return view->page_map_flat != 0 &&
           map->start - (uintptr_t)view->regions.page_map < (uintptr_t)view->regions.page_map_bytes;
}

/* What of the mapping is in no unit belongs to `part`. */
static void claim(struct work *work, struct area *area, enum account_part part) {
    if (area == NULL || area->resident_bytes <= area->known_bytes)
        return;
    work->account->part[part] += area->resident_bytes - area->known_bytes;
    area->known_bytes = area->resident_bytes;
}

static void claim_metadata(struct work *work) {
    uintptr_t address = (uintptr_t)work->survey->view.regions.chunks;
    struct seen_chunk chunk;
    for (unsigned i = 0; i < CHUNKS_MAX && address != 0; i++) {
        claim(work, pages_area(&work->pages, address), PART_METADATA);
        address = survey_chunk(work->survey, address, &chunk) ? chunk.previous : 0;
    }
}

static bool is_anonymous(const struct mapping *map) {
    return map->path[0] == 0 || strncmp(map->path, "[anon", 5) == 0;
}

/* The top of a thread's stack holds glibc's record of the thread: its first and third word are its own address
 * (tcbhead_t). */
#define STACK_TOP_BYTES ((size_t)64 << 10)
static bool is_thread_stack(struct work *work, const struct mapping *map) {
    static uint64_t words[STACK_TOP_BYTES / sizeof(uint64_t)];
    size_t bytes = map->end - map->start < STACK_TOP_BYTES ? map->end - map->start : STACK_TOP_BYTES;
    uintptr_t start = map->end - bytes;
    if (!map->read || !map->write || !target_read_now(&work->survey->target, start, words, bytes))
        return false;
    for (size_t i = 0; i + 2 < bytes / sizeof *words; i += 2)
        if (words[i] == start + i * sizeof *words && words[i + 2] == words[i])
            return true;
    return false;
}

static enum account_part part_of(struct work *work, size_t i) {
    static const char *const shared[] = {"/dev/shm/", "/SYSV", "/memfd:", "/dev/zero", "/[aio]", "/anon_hugepage"};
    const struct place *place = &work->survey->place;
    const struct mapping *map = &work->pages.area[i].map;
    if (map->start >= place->start && map->start < place->end)
        return PART_LIBRARY;
    if (is_page_map(work, map))
        return PART_PAGE_MAP;
    for (size_t k = 0; k < sizeof shared / sizeof *shared; k++)
        if (strncmp(map->path, shared[k], strlen(shared[k])) == 0)
            return PART_SHARED;
    if (strncmp(map->path, "[stack", 6) == 0)
        return PART_STACKS;
    if (strcmp(map->path, "[heap]") == 0)
        return PART_LIBC_HEAP;
    if (!is_anonymous(map))
        return PART_FILES;
    /* The data of an object that start as zeros stand behind those that the file has. */
    const struct mapping *before = i > 0 ? &work->pages.area[i - 1].map : NULL;
    if (before != NULL && before->end == map->start && before->path[0] == '/' && before->write)
        return PART_FILES;
    return is_thread_stack(work, map) ? PART_STACKS : PART_ANONYMOUS;
}

static void claim_rest(struct work *work) {
    for (size_t i = 0; i < work->pages.area_count; i++) {
        struct area *area = &work->pages.area[i];
        if (area->resident_bytes > area->known_bytes)
            claim(work, area, part_of(work, i));
    }
}

/* The clock that hakmem reads, of the same resolution. */
static int64_t due_in_ms(struct work *work) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    return (int64_t)work->oldest_ms + survey_option(work->survey, "purge_delay", 0) - now_ms;
}

/* What the records tell alone: of a core. */
static void account_recorded(struct work *work) {
    work->account->recorded = true;
    work->pages = pages_all();
    add_units(work);
    work->account->part[PART_METADATA] = work->survey->view.metadata_bytes;
}

const char *account_make(struct survey *survey, struct account *account) {
    struct work work = {.survey = survey, .account = account};
    *account = (struct account){0};
    const char *failure = park_all(&work);
    if (survey->target.core != NULL) {
        account_recorded(&work);
        free(work.parked);
        return failure;
    }
    /* What the kernel says of the whole and of its parts, as close together as can be. The parts take a while: of a
     * process that grows meanwhile, they add up to what the whole is halfway. */
    long before = proc_status_number(survey->place.tid, "VmRSS:");
    if (!pages_open(&work.pages, survey->place.tid) && failure == NULL)
        failure = strerror(errno);
    long kib = (before + proc_status_number(survey->place.tid, "VmRSS:")) / 2;
    if (failure == NULL) {
        account->kernel_bytes = kib > 0 ? (uint64_t)kib * 1024 : 0;
        account->swapped_bytes = work.pages.swapped_bytes;
        add_units(&work);
        claim_metadata(&work);
        claim_rest(&work);
        account->purge_ms = account->retains ? due_in_ms(&work) : 0;
    }
    free(work.parked);
    pages_free(&work.pages);
    return failure;
}

const char *account_resident(struct survey *survey, uint64_t *bytes) {
    struct account account = {0};
    struct work work = {.survey = survey, .account = &account};
    const char *failure = pages_open(&work.pages, survey->place.tid) ? NULL : strerror(errno);
    *bytes = 0;
    for (size_t i = 0; i < survey->unit_count && failure == NULL; i++) {
        const struct seen_superslab *unit = &survey->unit[i];
        uintptr_t end = unit->base + (survey_is_direct(unit) ? unit->mapped_bytes : HAK_SUPERSLAB_SIZE);
        for (uintptr_t at = unit->base; at < end; at += HAK_SUPERSLAB_SIZE) {
            uintptr_t next = end - at < HAK_SUPERSLAB_SIZE ? end : at + HAK_SUPERSLAB_SIZE;
            look(&work, at, next - at);
            *bytes += resident_in(&work, at, next);
        }
    }
    claim_metadata(&work);
    for (size_t i = 0; i < work.pages.area_count; i++)
        if (is_page_map(&work, &work.pages.area[i].map))
            claim(&work, &work.pages.area[i], PART_PAGE_MAP);
    *bytes += account.part[PART_METADATA] + account.part[PART_PAGE_MAP];
    pages_free(&work.pages);
    return failure;
}

uint64_t account_sum(const struct account *account) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < PART_COUNT; i++)
        sum += account->part[i];
    return sum;
}
