/* step_test.c
 * Purpose.     A signal handler that frees, at each instruction of the work that empties a thread's lists: no block is
 *              lost or given twice, and counts are exact.
 * Design.      The processor traps after each instruction, and each EVERY-th trap frees a block; in one child the first
 *              of EVERY, in the next one the second.
 * Cannot show. Sanitizers' code, which would be stepped through as well.
 */
#include "support/child.h"
#include "support/lists.h"

#include "heap/thread_list.h"

#if defined(__x86_64__) && !UNIT_SHADOW_MEMORY

enum { SIZE = 64, EVERY = 16, STEPS_LEAST = 500 };

static unsigned steps, phase, freed;

static void on_trap(int number) {
    (void)number;
    if (++steps % EVERY == phase && freed != BLOCKS)
        hak_free(blocks[freed++]);
}

/* With the processor's trap flag. Below what the compiler keeps under the stack's end. */
static inline void begin_steps(void) {
    __asm__ volatile("sub $128, %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::
                         : "cc", "memory");
}
static inline void end_steps(void) {
    __asm__ volatile("sub $128, %%rsp\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::
                         : "cc", "memory");
}

static void free_while_lists_are_emptied(void *which) {
    struct thread *thread = lists_begin_patient();
    unsigned c = size_class_of(SIZE);
    struct counts before = counts_now(&hak_view);
    phase = (unsigned)(uintptr_t)which;
    lists_make(SIZE, BLOCKS);
    while (length_of(thread, c) < EVERY)
        hak_free(blocks[freed++]);
    unsigned at_first = freed;
    EXPECT(thread->view.slot[c].frees_left > 0 && signal(SIGTRAP, on_trap) != SIG_ERR);
    thread->busy = true;
    begin_steps();
    hak_thread_empty(thread, true);
    end_steps();
    thread->busy = false;
    EXPECT(steps >= STEPS_LEAST && freed - at_first >= steps / EVERY && freed < BLOCKS);
    lists_expect_counted(&before, c, BLOCKS, freed);
    for (; freed != BLOCKS; freed++)
        hak_free(blocks[freed]);
    lists_expect_counted(&before, c, BLOCKS, BLOCKS);
    lists_expect_nothing_left();
}

static void a_handler_may_free_anywhere(void **state) {
    (void)state;
    for (uintptr_t which = 0; which < EVERY; which++)
        assert_true(child_succeeds(free_while_lists_are_emptied, (void *)which));
}

#else

static void a_handler_may_free_anywhere(void **state) {
    (void)state;
    skip();
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_may_free_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
