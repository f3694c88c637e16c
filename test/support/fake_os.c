/* fake_os.c
 * Purpose.     See fake_os.h.
 * Design.      The whole of os.h is defined here, so that the linker never needs the original beside it. A plan may
 *              also come from the environment (FAKE_OS_NTH, FAKE_OS_TIMES), to reach calls made before main.
 */
#define hak_os_reserve real_reserve
#define hak_os_reserve_aligned real_reserve_aligned
#define hak_os_make_readable real_make_readable
#define hak_os_commit real_commit
#define hak_os_purge real_purge
#define hak_os_release real_release
#define hak_os_resize real_resize
#define hak_os_move real_move
#define hak_os_advise_huge real_advise_huge
#define hak_os_now_ms real_now_ms
#include "os/os_linux.c"
#undef hak_os_reserve
#undef hak_os_reserve_aligned
#undef hak_os_make_readable
#undef hak_os_commit
#undef hak_os_purge
#undef hak_os_release
#undef hak_os_resize
#undef hak_os_move
#undef hak_os_advise_huge
#undef hak_os_now_ms
#undef HAK_OS_OS_H
#include "os/os.h"

#include "fake_os.h"

#include <stdlib.h>

#include "base/atomic.h"

/* All atomic: relaxed. */
static struct {
    unsigned set;
    uint64_t nth; /* calls of the set until the first failure */
    uint64_t times;
    uint64_t seen;
    uint64_t failures;
    uint64_t calls[FAKE_OS_COUNT];
    uint64_t clock_set;
    uint64_t clock_ms;
} plan;

void fake_os_fail(unsigned set, uint64_t nth, uint64_t times) {
    store_relaxed(&plan.nth, nth);
    store_relaxed(&plan.times, times);
    store_relaxed(&plan.seen, 0);
    store_relaxed(&plan.failures, 0);
    store_relaxed(&plan.set, set);
}

void fake_os_succeed(void) {
    store_relaxed(&plan.set, 0);
}

uint64_t fake_os_failures(void) {
    return load_relaxed(&plan.failures);
}

uint64_t fake_os_calls(enum fake_os_call call) {
    return load_relaxed(&plan.calls[call]);
}

void fake_os_set_clock(uint64_t ms) {
    store_relaxed(&plan.clock_ms, ms);
    store_relaxed(&plan.clock_set, 1);
}

static void plan_from_environment(void) {
    static bool read;
    if (read) {
        return;
    }
    read = true;
    const char *nth = getenv("FAKE_OS_NTH");
    const char *times = getenv("FAKE_OS_TIMES");
    if (nth != NULL && times != NULL) {
        fake_os_fail(FAKE_OS_ALL, strtoull(nth, NULL, 10), strtoull(times, NULL, 10));
    }
}

static bool fails(enum fake_os_call call) {
    plan_from_environment();
    fetch_add_relaxed(&plan.calls[call], 1);
    if ((load_relaxed(&plan.set) & (1u << call)) == 0) {
        return false;
    }
    uint64_t ordinal = fetch_add_relaxed(&plan.seen, 1) + 1;
    uint64_t first = load_relaxed(&plan.nth);
    if (ordinal < first || ordinal - first >= load_relaxed(&plan.times)) {
        return false;
    }
    fetch_add_relaxed(&plan.failures, 1);
    return true;
}

void *hak_os_reserve(size_t bytes) {
    return fails(FAKE_OS_RESERVE) ? NULL : real_reserve(bytes);
}

void *hak_os_reserve_aligned(size_t bytes, size_t alignment) {
    return fails(FAKE_OS_RESERVE_ALIGNED) ? NULL : real_reserve_aligned(bytes, alignment);
}

int hak_os_make_readable(void *address, size_t bytes) {
    return fails(FAKE_OS_MAKE_READABLE) ? ENOMEM : real_make_readable(address, bytes);
}

int hak_os_commit(void *address, size_t bytes) {
    return fails(FAKE_OS_COMMIT) ? ENOMEM : real_commit(address, bytes);
}

int hak_os_purge(void *address, size_t bytes) {
    return fails(FAKE_OS_PURGE) ? ENOMEM : real_purge(address, bytes);
}

int hak_os_advise_huge(void *address, size_t bytes, bool huge) {
    return fails(FAKE_OS_ADVISE_HUGE) ? ENOMEM : real_advise_huge(address, bytes, huge);
}

int hak_os_release(void *address, size_t bytes) {
    return fails(FAKE_OS_RELEASE) ? ENOMEM : real_release(address, bytes);
}

int hak_os_resize(void *address, size_t old_bytes, size_t new_bytes) {
    return fails(FAKE_OS_RESIZE) ? ENOMEM : real_resize(address, old_bytes, new_bytes);
}

int hak_os_move(void *from, size_t old_bytes, void *to, size_t new_bytes) {
    return fails(FAKE_OS_MOVE) ? ENOMEM : real_move(from, old_bytes, to, new_bytes);
}

uint64_t hak_os_now_ms(void) {
    return load_relaxed(&plan.clock_set) ? load_relaxed(&plan.clock_ms) : real_now_ms();
}
