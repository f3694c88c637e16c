/* death.h
 * Purpose.     What the programs of test/death share: how they name the pointer that they misuse, and what must hold if
 *              the library was told to report the misuse and go on.
 * Design.      A program prints "name value" lines on stdout before the misuse; the driver puts the values into the
 *              line that it expects. Misuse that was only reported must have changed nothing: death_survived looks at
 *              the counters in hak_view and puts the allocator to work.
 */
#ifndef TEST_SUPPORT_DEATH_H
#define TEST_SUPPORT_DEATH_H

#include <inttypes.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "expect.h"
#include "hakmem_stats.h"
#include "opaque.h"
#include "pattern.h"
#include "provider.h"
#include "tiers.h"

/* Tells the driver what @name@ stands for. */
static inline void death_say(const char *name, const void *value) {
    dprintf(STDOUT_FILENO, "%s 0x%" PRIxPTR "\n", name, (uintptr_t)value);
}

static inline void death_say_size(const char *name, size_t value) {
    dprintf(STDOUT_FILENO, "%s %zu\n", name, value);
}

/* Announces the pointer that is going to be misused, and hides from the compiler where it points. */
static inline void *death_pointer(const void *ptr) {
    provider_require();
    death_say("ptr", ptr);
    return opaque((void *)(uintptr_t)ptr);
}

/* A block of `size` bytes with contents, with a block of the same size on either side that stays. */
static inline void *death_block(size_t size) {
    void *before = opaque(malloc(size));
    void *block = opaque(malloc(size));
    void *after = opaque(malloc(size));
    EXPECT(before != NULL && block != NULL && after != NULL);
    pattern_fill_sparse(block, size, 1);
    death_say("start", block);
    death_say_size("usable", malloc_usable_size(block));
    return block;
}

static inline void death_put_to_work(void) {
    enum { BLOCKS = 40 };
    for (size_t tier = 0; tier < TIER_COUNT && TIER_SIZES[tier] <= 10485760; tier++) {
        size_t size = TIER_SIZES[tier];
        uint32_t count = size > 1000000 ? 3 : BLOCKS;
        void *blocks[BLOCKS];
        for (uint32_t i = 0; i < count; i++) {
            blocks[i] = malloc(size);
            EXPECT(blocks[i] != NULL);
            pattern_fill_sparse(blocks[i], size, i);
        }
        for (uint32_t i = 0; i < count; i++) {
            EXPECT(pattern_holds_sparse(blocks[i], size, size, i));
            free(blocks[i]);
        }
    }
}

/* Last statement of main: exit status 0 if exactly `errors` misuses were counted, `foreign` of them pointers that are
 * not hakmem's, and the allocator works. */
static inline int death_survived(uint64_t errors, uint64_t foreign) {
    const struct hak_view *view = (const struct hak_view *)dlsym(RTLD_DEFAULT, "hak_view");
    EXPECT(view != NULL && view->magic == HAK_VIEW_MAGIC);
    EXPECT(view->errors == errors);
    EXPECT(view->foreign_frees == foreign);
    death_put_to_work();
    return 0;
}

#endif
