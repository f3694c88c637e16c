/* superslab_test.c
 * Purpose.     Granules: runs never overlap, every superslab's books are right, and memory that is reported zero is
 *              zero.
 * Design.      Random take, give, extend and shrink against a model with one byte of knowledge per granule, found by
 *              address: who has it and whether it may hold data. Users write what they say they touched. The model
 *              expects exactly what the allocator must know, except where pages were purged in between: then the
 *              allocator may know more, and the contents decide whether it is right.
 */
#include "support/fake_os.h"
#include "support/unit.h"

#include "base/bits.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/page_map.h"
#include "segment/purge.h"
#include "segment/superslab.h"
#include "segment/view.h"

enum { SLOTS = 96, GRANULES_MAX = 5 * HAK_GRANULES, SUPERSLABS_MAX = 256 };

struct user {
    struct slab *run; /* NULL: none */
    unsigned granules;
    unsigned touched;
    bool stale; /* got granules that may hold data of others */
    enum pool pool;
    uint64_t seed;
    uint32_t entry;
};

struct known {
    struct superslab *superslab;
    uint64_t base;
    uint64_t used;
    uint64_t dirty; /* may hold data, whether used or free */
};

static struct {
    struct user user[SLOTS];
    struct known known[SUPERSLABS_MAX];
    unsigned known_count;
    unsigned granules; /* in use */
    uint64_t large_bytes;
    uint64_t purged;
    uint64_t random;
} model;

static struct known *know(struct superslab *superslab) {
    for (unsigned i = 0; i < model.known_count; i++) {
        if (model.known[i].superslab == superslab && model.known[i].base == superslab->base) {
            return &model.known[i];
        }
    }
    assert_true(model.known_count < SUPERSLABS_MAX);
    model.known[model.known_count] = (struct known){.superslab = superslab, .base = superslab->base};
    return &model.known[model.known_count++];
}

static struct known *know_run(const struct slab *run) {
    return know(hak_superslab_of((void *)run->base));
}

/* What was purged is no longer dirty; nothing else may be forgotten. */
static void learn_of_purges(void) {
    bool purged = hak_view.purged_bytes != model.purged;
    model.purged = hak_view.purged_bytes;
    for (unsigned i = 0; i < model.known_count; i++) {
        struct known *known = &model.known[i];
        if (purged) {
            known->dirty &= known->superslab->dirty | known->used;
        }
        assert_int_equal(known->superslab->dirty, known->dirty & ~known->used);
    }
}

/* Purging everything also releases arenas that nobody uses: their superslabs are known no more. */
static void forget_all(void) {
    assert_int_equal(model.granules, 0);
    (void)hak_purge_all();
    model.known_count = 0;
    model.purged = hak_view.purged_bytes;
}

static void check_books(void) {
    uint64_t superslabs[POOL_COUNT] = {0};
    uint64_t dirty = 0;
    for (unsigned i = 0; i < model.known_count; i++) {
        const struct superslab *superslab = model.known[i].superslab;
        bool in_use = model.known[i].used != 0;
        assert_int_equal(superslab->state, in_use ? UNIT_GRANULES : UNIT_FREE);
        assert_int_equal(superslab->free, ~model.known[i].used);
        assert_true(hak_unit_is_valid(superslab));
        if (in_use) {
            superslabs[superslab->pool]++;
            assert_int_equal(superslab->longest, bits_longest_run(superslab->free));
            assert_int_equal(superslab->longest == 0, superslab->bin.next == &superslab->bin);
        }
        dirty += (uint64_t)__builtin_popcountll(superslab->dirty);
    }
    assert_int_equal(hak_view.slab_superslabs, superslabs[POOL_TINY] + superslabs[POOL_MID]);
    assert_int_equal(hak_view.large_superslabs, superslabs[POOL_LARGE]);
    assert_int_equal(hak_view.active_bytes, model.granules * HAK_GRANULE_SIZE);
    assert_int_equal(hak_view.large_bytes, model.large_bytes);
    assert_int_equal(hak_view.retained_bytes, dirty * HAK_GRANULE_SIZE);
    assert_true(hak_view.active_bytes + hak_view.retained_bytes <= hak_view.committed_bytes);
}

static void write_user(struct user *user, unsigned from) {
    for (unsigned i = from; i < user->touched; i++) {
        unit_fill((char *)user->run->base + i * HAK_GRANULE_SIZE, HAK_GRANULE_SIZE, 9000, user->seed + i);
    }
}

static void check_user(const struct user *user) {
    for (unsigned i = 0; i < user->touched; i++) {
        char *granule = (char *)user->run->base + i * HAK_GRANULE_SIZE;
        assert_true(unit_holds(granule, HAK_GRANULE_SIZE, HAK_GRANULE_SIZE, 9000, user->seed + i));
    }
    assert_int_equal(user->run->granules, user->granules);
    assert_int_equal(user->run->kind, user->pool != POOL_LARGE ? RUN_SLAB : RUN_LARGE);
}

/* Every pointer into the run leads to it. */
static void check_lookup(const struct user *user, bool taken) {
    struct superslab *superslab = hak_superslab_of((void *)user->run->base);
    for (unsigned i = 0; i < user->granules; i++) {
        void *p = (char *)user->run->base + i * HAK_GRANULE_SIZE + (i * 977 & (HAK_GRANULE_SIZE - 1));
        uint32_t entry = taken && user->pool != POOL_LARGE ? user->entry : 0;
        struct slab *large = taken && user->pool == POOL_LARGE ? user->run : NULL;
        assert_int_equal(page_map_flat_get(p), entry);
        assert_ptr_equal(hak_superslab_find_large(superslab, p), large);
        if (taken) {
            assert_ptr_equal(hak_slab_in(hak_slabs_of(p), p),
                             user->pool != POOL_LARGE || i == 0 ? user->run : hak_slab_in(hak_slabs_of(p), p));
        }
    }
}

static void claim(struct user *user, unsigned from, unsigned count) {
    struct known *known = know_run(user->run);
    uint64_t range = bits_range(from, count);
    assert_int_equal(known->used & range, 0);
    known->used |= range;
    model.granules += count;
    model.large_bytes += user->pool == POOL_LARGE ? count * HAK_GRANULE_SIZE : 0;
}

/* [from, from + count) is free again; `dirty` of them may hold data. */
static void disclaim(struct user *user, struct known *known, unsigned from, unsigned count, uint64_t dirty) {
    known->used &= ~bits_range(from, count);
    known->dirty |= dirty;
    model.granules -= count;
    model.large_bytes -= user->pool == POOL_LARGE ? count * HAK_GRANULE_SIZE : 0;
}

static void take(struct user *user, enum pool pool, unsigned granules) {
    bool zero;
    uint32_t entry = pool != POOL_LARGE ? (uint32_t)(unit_random(&model.random) | 1) : 0;
    struct slab *run = hak_superslab_take(pool, granules, pool != POOL_LARGE ? RUN_SLAB : RUN_LARGE, entry, &zero);
    assert_non_null(run);
    *user = (struct user){.run = run, .granules = granules, .pool = pool, .entry = entry};
    user->seed = unit_random(&model.random);
    user->touched = unit_below(&model.random, granules + 1);
    assert_int_equal(run->first + granules <= HAK_GRANULES, true);
    assert_int_equal(run->base, hak_superslab_of((void *)run->base)->base + run->first * HAK_GRANULE_SIZE);
    assert_int_equal(hak_superslab_of((void *)run->base)->pool, pool);
    claim(user, run->first, granules);
    learn_of_purges();
    assert_int_equal(zero, (know_run(run)->dirty & bits_range(run->first, granules)) == 0);
    user->stale = !zero;
    if (zero) {
        assert_true(unit_is_zero((void *)run->base, granules * HAK_GRANULE_SIZE));
    }
    write_user(user, 0);
    check_lookup(user, true);
}

static void give(struct user *user) {
    struct known *known = know_run(user->run);
    unsigned first = user->run->first;
    uint64_t range = bits_range(first, user->granules);
    uint64_t dirty = user->stale ? range : bits_range(first, user->touched);
    check_user(user);
    hak_superslab_give(user->run, user->touched);
    disclaim(user, known, first, user->granules, dirty);
    check_lookup(user, false);
    learn_of_purges();
    user->run = NULL;
}

static void resize(struct user *user, unsigned granules) {
    struct superslab *superslab = hak_superslab_of((void *)user->run->base);
    struct known *known = know(superslab);
    unsigned first = user->run->first;
    unsigned had = user->granules;
    if (granules > had) {
        bool room = first + granules <= HAK_GRANULES && (bits_range(first + had, granules - had) & known->used) == 0;
        assert_int_equal(hak_superslab_extend(superslab, user->run, granules), room);
        if (room) {
            claim(user, first + had, granules - had);
            user->stale |= (known->dirty & bits_range(first + had, granules - had)) != 0;
            user->granules = granules;
        }
    } else {
        hak_superslab_shrink(superslab, user->run, granules);
        disclaim(user, known, first + granules, had - granules, bits_range(first + granules, had - granules));
        user->granules = granules;
        user->touched = user->touched < granules ? user->touched : granules;
    }
    learn_of_purges();
    check_user(user);
    check_lookup(user, true);
}

static void tiny_slabs_have_arenas_of_their_own(void **state) {
    (void)state;
    const struct arena *arena[POOL_COUNT];
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        take(&model.user[pool], (enum pool)pool, 1);
        arena[pool] = hak_superslab_of((void *)model.user[pool].run->base)->arena;
    }
    assert_ptr_not_equal(arena[POOL_TINY], arena[POOL_MID]);
    assert_ptr_equal(arena[POOL_MID], arena[POOL_LARGE]);
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        give(&model.user[pool]);
    }
}

static void one_step(void) {
    struct user *user = &model.user[unit_below(&model.random, SLOTS)];
    unsigned choice = unit_below(&model.random, 8);
    if (user->run == NULL) {
        enum pool pool = (enum pool)unit_below(&model.random, POOL_COUNT);
        unsigned granules = 1 + unit_below(&model.random, choice == 0 ? HAK_GRANULES : pool != POOL_LARGE ? 4 : 12);
        if (model.granules + granules <= GRANULES_MAX) {
            take(user, pool, granules);
        }
    } else if (user->pool == POOL_LARGE && choice < 4) {
        unsigned granules = 1 + unit_below(&model.random, user->granules + 4);
        if (granules != user->granules && granules <= HAK_GRANULES) {
            lock_acquire(hak_arena_lock());
            resize(user, granules);
            lock_release(hak_arena_lock());
            hak_purge_excess();
            learn_of_purges();
        }
    } else {
        give(user);
    }
}

static void give_all(void) {
    for (unsigned i = 0; i < SLOTS; i++) {
        if (model.user[i].run != NULL) {
            give(&model.user[i]);
        }
    }
    check_books();
    assert_int_equal(hak_view.active_bytes, 0);
    assert_int_equal(hak_view.slab_superslabs + hak_view.large_superslabs, 0);
}

static void random_operations_agree_with_the_model(void **state) {
    (void)state;
    for (unsigned step = 0; step < 6000; step++) {
        one_step();
        check_books();
    }
    give_all();
    assert_true(hak_view.retained_bytes > 0);
}

/* With a delay of 0 nothing is retained, and everything that is handed out is zero. */
static void without_delay_all_memory_is_zero(void **state) {
    (void)state;
    forget_all();
    hak_options.purge_delay = 0;
    for (unsigned step = 0; step < 600; step++) {
        one_step();
        check_books();
        assert_int_equal(hak_view.retained_bytes, 0);
    }
    give_all();
    hak_options.purge_delay = 1000;
}

static void dirty_granules_are_taken_first(void **state) {
    (void)state;
    struct user *user = model.user;
    forget_all();
    for (unsigned i = 0; i < 9; i++) {
        take(&user[i], POOL_LARGE, 3);
        user[i].touched = i == 5 ? 3 : 0;
        write_user(&user[i], 0);
    }
    uintptr_t dirty = user[5].run->base;
    give(&user[2]);
    give(&user[5]);
    give(&user[7]);
    take(&user[5], POOL_LARGE, 3);
    assert_int_equal(user[5].run->base, dirty);
    give_all();
}

static void a_refused_superslab_changes_nothing(void **state) {
    (void)state;
    bool zero;
    for (unsigned nth = 1; nth <= 4; nth++) {
        lock_acquire(hak_arena_lock());
        (void)hak_arena_release_unused();
        lock_release(hak_arena_lock());
        model.known_count = 0;
        fake_os_fail(FAKE_OS_ALL & ~FAKE_OS_BIT(RELEASE), 1, UINT64_MAX);
        assert_null(hak_superslab_take(POOL_LARGE, nth, RUN_LARGE, 0, &zero));
        fake_os_succeed();
        check_books();
        take(&model.user[0], POOL_LARGE, nth);
        check_books();
        give_all();
    }
}

static int start(void **state) {
    (void)state;
    fake_os_set_clock(1000);
    model.random = 7;
    hak_page_map_init();
    hak_arena_init();
    hak_superslab_init();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_agree_with_the_model), cmocka_unit_test(tiny_slabs_have_arenas_of_their_own),
        cmocka_unit_test(without_delay_all_memory_is_zero),       cmocka_unit_test(dirty_granules_are_taken_first),
        cmocka_unit_test(a_refused_superslab_changes_nothing),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
