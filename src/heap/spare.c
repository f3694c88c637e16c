/* heap/spare.c
 * Purpose.     See spare.h.
 */
#include "heap/spare.h"

#include <stddef.h>
#include <string.h>

#include "base/bits.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/limit.h"
#include "segment/page_map.h"
#include "segment/purge.h"

#define SHELF_RUNS 6

/* More are not worth noting of what was given away. */
#define GIVEN_MAX 64

/* Runs of one length on their way from threads that free them to threads that take them; one cache line. */
struct shelf {
    _Alignas(HAK_CACHE_LINE) struct slab *run[SHELF_RUNS]; /* atomic; NULL: none */
    uint16_t given;  /* atomic: runs that nobody wanted, and that were not missed yet; these are hints */
    uint16_t wanted; /* atomic: how many more will do */
    uint16_t taken;  /* atomic: some were, since the last look */
};

/* By length. Away from what every process touches, which would take a page more. */
__attribute__((section(".bss.hakmem"))) static struct shelf shelves[HAK_SPARE_RUN_MAX + 1];

static uint32_t shelves_used; /* atomic: something may be on one */
static uint64_t cooled_ms;    /* atomic: when they were looked at last */

/* Where nothing is retained, nothing is kept. */
static bool may_keep(void) {
    return load_relaxed(&hak_options.purge_delay) != 0 && load_relaxed(&hak_limits.noted) == 0;
}

/* As many as make up the longest run, but not more than fit. */
static uint64_t shelf_room(unsigned granules) {
    return least(HAK_SPARE_RUN_MAX / granules, SHELF_RUNS);
}

/* One run more that would have been taken, if it were here. */
static void want_more(struct shelf *shelf, unsigned granules) {
    store_relaxed(&shelf->wanted, (uint16_t)least(load_relaxed(&shelf->wanted) + 1u, shelf_room(granules)));
}

static bool shelf_put(struct slab *run) {
    struct shelf *shelf = &shelves[run->granules];
    uint16_t wanted = load_relaxed(&shelf->wanted);
    for (unsigned i = 0; i < SHELF_RUNS && wanted != 0; i++) {
        struct slab *none = NULL;
        if (load_relaxed(&shelf->run[i]) != NULL)
            continue;
        COUNT(ATOMIC_OTHER);
        if (cas_seq_cst(&shelf->run[i], &none, run)) {
            store_relaxed(&shelf->wanted, (uint16_t)(wanted - 1));
            if (load_seq_cst(&shelves_used) == 0) {
                store_relaxed(&cooled_ms, hak_os_now_ms());
                store_relaxed(&shelves_used, 1u);
            }
            return true;
        }
    }
    if (load_relaxed(&shelf->given) < GIVEN_MAX)
        store_relaxed(&shelf->given, (uint16_t)(load_relaxed(&shelf->given) + 1));
    return false;
}

/* Who finds one will find a use for the next. */
static struct slab *shelf_take(unsigned granules) {
    struct shelf *shelf = &shelves[granules];
    for (unsigned i = 0; i < SHELF_RUNS; i++) {
        if (load_relaxed(&shelf->run[i]) == NULL)
            continue;
        COUNT(ATOMIC_OTHER);
        struct slab *run = exchange_acquire(&shelf->run[i], NULL);
        if (run != NULL) {
            store_relaxed(&shelf->taken, 1u);
            want_more(shelf, granules);
            return run;
        }
    }
    return NULL;
}

/* A run of this length is missed. So it is wanted, if others have given the like of it away. */
static void shelf_miss(unsigned granules) {
    struct shelf *shelf = &shelves[granules];
    uint16_t given = load_relaxed(&shelf->given);
    if (given == 0)
        return;
    store_relaxed(&shelf->given, (uint16_t)(given - 1));
    want_more(shelf, granules);
}

static void give(struct slab **run, unsigned count) {
    lock_acquire(hak_arena_lock());
    for (unsigned i = 0; i < count; i++)
        hak_superslab_give_locked(hak_superslab_of((void *)run[i]->base), run[i], run[i]->granules);
    lock_release(hak_arena_lock());
    hak_purge_excess();
    hak_purge_tick();
}

static void shelf_empty(struct shelf *shelf) {
    struct slab *run[SHELF_RUNS];
    unsigned count = 0;
    store_relaxed(&shelf->given, 0u);
    store_relaxed(&shelf->wanted, 0u);
    for (unsigned i = 0; i < SHELF_RUNS; i++) {
        if ((run[count] = exchange_seq_cst(&shelf->run[i], NULL)) != NULL)
            count++;
    }
    if (count != 0)
        give(run, count);
}

void hak_spare_collect(void) {
    (void)exchange_seq_cst(&shelves_used, 0u);
    for (unsigned granules = 1; granules <= HAK_SPARE_RUN_MAX; granules++)
        shelf_empty(&shelves[granules]);
}

SLOW static void cool_shelves(void) {
    uint64_t cooled = load_relaxed(&cooled_ms), now = hak_os_now_ms();
    if (now < cooled + (uint64_t)load_relaxed(&hak_options.purge_delay) / 4 || !cas_acquire(&cooled_ms, &cooled, now))
        return;
    (void)exchange_seq_cst(&shelves_used, 0u);
    for (unsigned granules = 1; granules <= HAK_SPARE_RUN_MAX; granules++) {
        struct shelf *shelf = &shelves[granules];
        if (load_relaxed(&shelf->taken) == 0)
            shelf_empty(shelf);
        else
            store_relaxed(&shelves_used, 1u);
        store_relaxed(&shelf->taken, 0u);
    }
}

void hak_spare_tick(void) {
    if (load_relaxed(&shelves_used) == 0)
        return;
    if (may_keep())
        cool_shelves();
    else
        hak_spare_collect();
}

/* ---- a thread's own ---- */

/* False if there are none, or if this is a signal handler's call that has interrupted another one. */
static bool begin_own(struct spares *spares) {
    if (spares == NULL || spares->busy)
        return false;
    spares->busy = true;
    fork_fence();
    return true;
}

static void end_own(struct spares *spares) {
    fork_fence();
    spares->busy = false;
}

static void note_given(struct spares *spares, unsigned granules) {
    uint16_t *given = &spares->given[granules];
    *given = (uint16_t)least(*given + 1u, GIVEN_MAX);
}

/* True if it is one that the thread had itself, and gave away; it will keep the next one like it, if it may. */
static bool note_missed(struct spares *spares, unsigned granules) {
    if (spares->given[granules] == 0)
        return false;
    spares->given[granules]--;
    spares->room = (uint32_t)least(spares->room + granules, HAK_SPARE_GRANULES);
    return true;
}

/* Takes `count` out of the middle. None is here while the others move: a fork must not find one twice. */
static void remove_runs(struct spares *spares, unsigned at, unsigned count) {
    unsigned left = spares->count - count;
    spares->count = 0;
    fork_fence();
    for (unsigned i = at; i < left; i++)
        spares->run[i] = spares->run[i + count];
    fork_fence();
    spares->count = left;
}

static struct slab *take_own(struct spares *spares, unsigned granules) {
    for (unsigned i = spares->count; i-- > 0;) {
        struct slab *run = spares->run[i];
        if (run->granules != granules)
            continue;
        remove_runs(spares, i, 1);
        spares->granules -= granules;
        spares->used = spares->taken = true;
        return run;
    }
    return NULL;
}

struct slab *hak_spare_take(struct spares *spares, unsigned granules) {
    if (granules > HAK_SPARE_RUN_MAX)
        return NULL;
    struct slab *run = NULL;
    bool noted = false;
    if (begin_own(spares)) {
        run = take_own(spares, granules);
        noted = run == NULL && note_missed(spares, granules);
        end_own(spares);
    }
    if (run == NULL)
        run = shelf_take(granules);
    if (run != NULL)
        COUNT(SPARE);
    else if (!noted)
        shelf_miss(granules);
    return run;
}

/* Of the oldest, those that others want go to them, and the rest to the arena. */
static void give_oldest(struct spares *spares, unsigned count) {
    struct slab *run[HAK_SPARE_GRANULES];
    unsigned unwanted = 0;
    memcpy(run, spares->run, count * sizeof *run);
    remove_runs(spares, 0, count);
    for (unsigned i = 0; i < count; i++) {
        spares->granules -= run[i]->granules;
        note_given(spares, run[i]->granules);
        if (!shelf_put(run[i]))
            run[unwanted++] = run[i];
    }
    if (unwanted != 0)
        give(run, unwanted);
}

/* How many of the oldest leave no more than `most` granules. */
static unsigned count_above(const struct spares *spares, uint32_t most) {
    unsigned count = 0;
    for (uint32_t left = spares->granules; left > most && count < spares->count; count++)
        left -= spares->run[count]->granules;
    return count;
}

/* Half of what is there goes at once, so that the next ones find room. */
static void make_room_for(struct spares *spares, unsigned granules) {
    if (spares->granules + granules > spares->room)
        give_oldest(spares, count_above(spares, spares->room / 2));
    if (spares->granules + granules > spares->room)
        give_oldest(spares, spares->count);
}

/* False if there is no room. */
static bool keep_own(struct spares *spares, struct slab *run) {
    unsigned granules = run->granules;
    if (granules > spares->room) {
        note_given(spares, granules);
        return false;
    }
    make_room_for(spares, granules);
    spares->run[spares->count] = run;
    fork_fence();
    spares->count++;
    spares->granules += granules;
    spares->used = true;
    return true;
}

bool hak_spare_put(struct spares *spares, struct slab *run) {
    bool kept = false;
    if (run->granules > HAK_SPARE_RUN_MAX)
        return false;
    if (unlikely(!may_keep())) {
        if (spares != NULL)
            hak_spare_flush(spares);
        return false;
    }
    if (begin_own(spares)) {
        kept = keep_own(spares, run);
        end_own(spares);
    }
    return kept || shelf_put(run);
}

SLOW static void give_all(struct spares *spares, bool forget) {
    struct slab *run[HAK_SPARE_GRANULES];
    if (!begin_own(spares))
        return;
    unsigned count = spares->count;
    memcpy(run, spares->run, count * sizeof *run);
    remove_runs(spares, 0, count);
    /* Not what is left: whoever had them may have been stopped anywhere. */
    spares->granules = 0;
    if (forget)
        memset(spares, 0, offsetof(struct spares, run));
    else
        end_own(spares);
    if (count != 0)
        give(run, count);
}

void hak_spare_flush(struct spares *spares) {
    give_all(spares, true);
}

SLOW void hak_spare_make_way(struct spares *spares, unsigned granules) {
    if (spares == NULL || spares->count == 0)
        return;
    bool taken = spares->taken;
    spares->taken = false;
    if (!taken && (granules == HAK_GRANULES || !hak_superslab_has_room(POOL_LARGE, granules)))
        give_all(spares, false);
}

void hak_spare_adopt(struct spares *spares) {
    spares->busy = false;
    hak_spare_flush(spares);
}

void hak_spare_cool(struct spares *spares) {
    if (spares->count != 0 && (!spares->used || !may_keep()))
        hak_spare_flush(spares);
    spares->used = false;
}
