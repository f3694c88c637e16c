/* model_test.c
 * Purpose.     Millions of random operations on hakmem against the model: contents, overlap, alignment, usable size.
 * Design.      HAK_SEED starts the generators, HAK_OPS is the number of operations in all, HAK_THREADS the number of
 *              threads at a time: a run that failed is repeated with the numbers that it printed.
 * Not here.    The operations (model.c), the checks (shadow.c), the proof that they can fail (model_self_test.c).
 * heaps: 1 4
 */
#include "model.h"

int main(void) {
    uint64_t seed = shadow_env("HAK_SEED", 1);
    uint64_t ops = shadow_env("HAK_OPS", SHADOW_SLOW_BUILD ? 300000 : 5000000);
    uint64_t thread_count = shadow_env("HAK_THREADS", 4);
    if (thread_count > MODEL_MAX_THREADS) {
        shadow_fail(FAULT_TEST, "HAK_THREADS: at most %d", MODEL_MAX_THREADS);
    }
    shadow_say("HAK_SEED=%llu HAK_OPS=%llu HAK_THREADS=%llu", (unsigned long long)seed, (unsigned long long)ops,
               (unsigned long long)thread_count);
    uint64_t handed = model_run(&shadow_hakmem, seed, ops, (unsigned)thread_count);
    shadow_say("every block was as it must be; %llu of them were freed by another thread", (unsigned long long)handed);
    return 0;
}
