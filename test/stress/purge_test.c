/* purge_test.c
 * Purpose.     Memory that a program has freed goes back to the system: at once by hak_trim, also when its owner is an
 *              idle thread; and by itself after the purge delay, while the program goes on allocating a little.
 * Design.      Asks the kernel which of the freed pages are still resident, so that nothing else in the process counts.
 *              The same question before the release must be answered with "all of them", or it proves nothing. The
 *              purge by itself is awaited, not timed: the test ends when the pages are gone.
 *                  HAK_OPS (MiB)
 * Concurrency. The owner sleeps while main frees its blocks.
 * heaps: 1 4
 */
#include "shadow.h"

#include "hakmem.h"
#include "support/process.h"

#include <pthread.h>
#include <sys/mman.h>

enum { PAGE = 4096, WAIT_SECONDS = 60, GONE_PERMILLE = 100 };

static const size_t hoard_sizes[] = {200, 1024, 1500, 4096, 20000, 65536, 700000, (size_t)5 << 20};

enum { HOARD_SIZES = sizeof hoard_sizes / sizeof *hoard_sizes };

/* Blocks of all tiers, every one written to. */
struct hoard {
    struct block *blocks;
    size_t count;
    size_t bytes;
    pthread_barrier_t filled;
    pthread_barrier_t done;
};

/* Every size gets the same share of the bytes, a little of each in turn. */
static void fill_hoard(struct hoard *hoard) {
    size_t share[HOARD_SIZES] = {0};
    size_t capacity = hoard->bytes / hoard_sizes[0];
    hoard->blocks = shadow_map(capacity * sizeof *hoard->blocks);
    hoard->count = 0;
    for (size_t bytes = 0; bytes < hoard->bytes; hoard->count++) {
        size_t least = 0;
        for (size_t i = 1; i < HOARD_SIZES; i++) {
            least = share[i] < share[least] ? i : least;
        }
        hoard->blocks[hoard->count] = shadow_malloc(&shadow_hakmem, hoard_sizes[least], hoard->count);
        share[least] += hoard_sizes[least];
        bytes += hoard_sizes[least];
    }
}

static void free_hoard(struct hoard *hoard) {
    for (size_t i = 0; i < hoard->count; i++) {
        struct block block = hoard->blocks[i];
        shadow_free(&shadow_hakmem, &block, i);
    }
}

/* How many of the pages from the block's first to its last are resident, and how many there are. */
static size_t resident_pages(const struct block *block, size_t *all) {
    static unsigned char answers[2048];
    uintptr_t first = (uintptr_t)block->ptr & ~(uintptr_t)(PAGE - 1);
    size_t pages = ((uintptr_t)block->ptr + block->usable - first + PAGE - 1) / PAGE;
    size_t resident = 0;
    *all = pages < sizeof answers ? pages : sizeof answers;
    if (mincore((void *)first, *all * PAGE, answers) == 0) {
        for (size_t i = 0; i < *all; i++) {
            resident += answers[i] & 1;
        }
    }
    return resident;
}

/* Of the bytes of the hoard, how many in a thousand are resident. Blocks count by their size, not by their number. */
static unsigned resident_permille(const struct hoard *hoard) {
    size_t bytes = 0;
    double resident = 0;
    for (size_t i = 0; i < hoard->count; i++) {
        const struct block *block = &hoard->blocks[i];
        size_t all;
        size_t pages = resident_pages(block, &all);
        bytes += block->usable;
        resident += (double)block->usable * (double)pages / (double)all;
    }
    return (unsigned)(resident * 1000 / (double)bytes);
}

static void require_resident(const struct hoard *hoard) {
    unsigned permille = resident_permille(hoard);
    if (permille < 990) {
        shadow_fail(FAULT_TEST, "only %u of 1000 bytes in use are resident: cannot judge", permille);
    }
}

static void require_gone(const struct hoard *hoard, const char *what) {
    unsigned permille = resident_permille(hoard);
    shadow_say("%s: %zu blocks, %u of 1000 freed bytes are resident", what, hoard->count, permille);
    if (permille > GONE_PERMILLE) {
        shadow_fail(FAULT_MEMORY, "%s: %u of 1000 freed bytes are resident", what, permille);
    }
}

static void *own_and_sleep(void *argument) {
    struct hoard *hoard = argument;
    fill_hoard(hoard);
    pthread_barrier_wait(&hoard->filled);
    pthread_barrier_wait(&hoard->done);
    return NULL;
}

static void test_idle_owner(size_t bytes) {
    struct hoard hoard = {.bytes = bytes};
    pthread_t owner;
    pthread_barrier_init(&hoard.filled, NULL, 2);
    pthread_barrier_init(&hoard.done, NULL, 2);
    if (pthread_create(&owner, NULL, own_and_sleep, &hoard) != 0) {
        shadow_fail(FAULT_TEST, "no thread");
    }
    pthread_barrier_wait(&hoard.filled);
    require_resident(&hoard);
    free_hoard(&hoard);
    (void)hak_trim();
    require_gone(&hoard, "trim, the owner sleeps");
    pthread_barrier_wait(&hoard.done);
    pthread_join(owner, NULL);
}

static void test_own_blocks(size_t bytes) {
    struct hoard hoard = {.bytes = bytes};
    fill_hoard(&hoard);
    require_resident(&hoard);
    free_hoard(&hoard);
    (void)hak_trim();
    require_gone(&hoard, "trim, own blocks");
}

/* What a program does that has its peak behind it: a little of everything, again and again. */
static void light_traffic(void) {
    struct block blocks[64];
    for (size_t size = 16; size <= 16384; size *= 4) {
        for (unsigned i = 0; i < 64; i++) {
            blocks[i] = shadow_malloc(&shadow_hakmem, size, i);
        }
        for (unsigned i = 0; i < 64; i++) {
            shadow_free(&shadow_hakmem, &blocks[i], i);
        }
    }
}

static void test_by_itself(size_t bytes) {
    struct hoard hoard = {.bytes = bytes};
    fill_hoard(&hoard);
    require_resident(&hoard);
    free_hoard(&hoard);
    long deadline = process_now_ms() + WAIT_SECONDS * 1000L;
    while (resident_permille(&hoard) > GONE_PERMILLE && process_now_ms() < deadline) {
        light_traffic();
        process_sleep_ms(50);
    }
    require_gone(&hoard, "by itself");
}

int main(void) {
    size_t bytes = shadow_env("HAK_OPS", SHADOW_SLOW_BUILD ? 64 : 128) * MIB;
    test_own_blocks(bytes);
    test_idle_owner(bytes);
    test_by_itself(bytes);
    return 0;
}
