/* heap/spare.c
 * Purpose.     See spare.h.
 */
#include "heap/spare.h"

#include "base/bits.h"
#include "segment/page_map.h"
#include "segment/purge.h"

static void note_given(struct spares *spares, unsigned granules) {
    uint16_t *given = &spares->given[granules];
    *given = (uint16_t)least(*given + 1u, UINT16_MAX);
}

struct slab *hak_spare_take(struct spares *spares, unsigned granules) {
    if (granules > HAK_SPARE_RUN_MAX)
        return NULL;
    for (unsigned i = spares->count; i-- > 0;) {
        struct slab *run = spares->run[i];
        if (run->granules != granules)
            continue;
        for (unsigned next = i + 1; next < spares->count; next++)
            spares->run[next - 1] = spares->run[next];
        spares->count--;
        spares->granules -= granules;
        COUNT(SPARE);
        return run;
    }
    if (spares->given[granules] != 0) {
        spares->given[granules]--;
        spares->room = (uint32_t)least(spares->room + granules, HAK_SPARE_GRANULES);
    }
    return NULL;
}

/* The `count` oldest. A fork's child may find one twice, or one that was being given: its kind tells. */
static void give_oldest(struct spares *spares, unsigned count) {
    lock_acquire(hak_arena_lock());
    for (unsigned i = 0; i < count; i++) {
        struct slab *run = spares->run[i];
        if (load_relaxed(&run->kind) == RUN_SPARE)
            hak_superslab_give_locked(hak_superslab_of((void *)run->base), run, run->granules);
    }
    lock_release(hak_arena_lock());
    hak_purge_excess();
}

bool hak_spare_put(struct spares *spares, struct slab *run) {
    unsigned granules = run->granules;
    if (granules > HAK_SPARE_RUN_MAX)
        return false;
    if (granules > spares->room) {
        note_given(spares, granules);
        return false;
    }
    if (spares->granules + granules > spares->room) {
        /* Half of them at once, so that the next ones find room. */
        unsigned gone = 0;
        do {
            note_given(spares, spares->run[gone]->granules);
            spares->granules -= spares->run[gone++]->granules;
        } while (spares->granules + granules > spares->room / 2 && gone < spares->count);
        give_oldest(spares, gone);
        spares->count -= gone;
        for (unsigned i = 0; i < spares->count; i++)
            spares->run[i] = spares->run[i + gone];
    }
    spares->run[spares->count] = run;
    fork_fence();
    spares->count++;
    spares->granules += granules;
    return true;
}

void hak_spare_flush(struct spares *spares) {
    if (spares->count != 0)
        give_oldest(spares, spares->count);
    spares->count = 0;
    spares->granules = 0;
    spares->room = 0;
}
