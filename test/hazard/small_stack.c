/* small_stack.c
 * Purpose.     Threads with the smallest stack that there is (16 KiB), and signal handlers on a small stack of their
 *              own, can make every call; and no call uses more than 1 KiB of stack.
 * Design.      What a call uses is measured: the stack below the caller is painted, the call made, and the deepest
 *              byte found that lost its paint. Each call is made before, so that the dynamic loader's own use of the
 *              stack, when it binds a symbol, is not counted.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

enum { CALL_LIMIT = 1024, PAINTED = 16384, PAINT = 0x5d };

static void *all_calls(void *unused) {
    EXPECT(workout(1));
    EXPECT(workout_small(2));
    void *block = NULL;
    EXPECT(posix_memalign(&block, 4096, 100) == 0);
    free(block);
    free(opaque(valloc(100)));
    free(opaque(pvalloc(100)));
    free(opaque(reallocarray(NULL, 100, 100)));
    EXPECT(mallinfo2().arena < SIZE_MAX / 2);
    malloc_trim(0);
    return unused;
}

static void in_small_threads(void) {
    pthread_attr_t attributes;
    EXPECT(pthread_attr_init(&attributes) == 0);
    EXPECT(pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, &attributes, all_calls, NULL) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
    }
    EXPECT(pthread_attr_destroy(&attributes) == 0);
}

static volatile sig_atomic_t handled;

static void handle(int number) {
    (void)number;
    all_calls(NULL);
    handled = handled + 1;
}

static void in_signal_handlers(void) {
    size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 8192;
    stack_t stack = {.ss_sp = malloc(size), .ss_size = size};
    EXPECT(stack.ss_sp != NULL && sigaltstack(&stack, NULL) == 0);
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
    for (int i = 0; i < 10; i++) {
        EXPECT(raise(SIGUSR1) == 0); /* between calls of the allocator, not inside one */
    }
    EXPECT(handled == 10);
    stack_t none = {.ss_flags = SS_DISABLE};
    EXPECT(sigaltstack(&none, NULL) == 0);
    free(stack.ss_sp);
}

/* What is measured: each takes one size and leaves nothing behind. */
static void call_nothing(size_t size) {
    opaque_size(size);
}

static void call_malloc(size_t size) {
    free(opaque(malloc(size)));
}

static void call_calloc(size_t size) {
    free(opaque(calloc(1, size)));
}

static void call_memalign(size_t size) {
    free(opaque(memalign(4096, size)));
}

static void call_realloc(size_t size) {
    free(opaque(realloc(opaque(malloc(size)), size * 3)));
}

static void call_many(size_t size) {
    static void *blocks[3000];
    int count = size > 100000 ? 5 : 3000;
    for (int i = 0; i < count; i++) {
        blocks[i] = opaque(malloc(size));
    }
    for (int i = 0; i < count; i++) {
        free(blocks[i]);
    }
}

static void call_trim(size_t size) {
    call_many(size);
    malloc_trim(0);
}

/* Paints what lies below the caller's frame; spares its own locals. */
__attribute__((noinline)) static void paint(volatile unsigned char *bottom) {
    volatile unsigned char *end = (volatile unsigned char *)__builtin_frame_address(0) - 64;
    for (volatile unsigned char *at = bottom; at < end; at++) {
        *at = PAINT;
    }
}

/* The bytes below this frame that `call` wrote to. */
__attribute__((noinline)) static size_t stack_used_by(void (*call)(size_t), size_t size) {
    volatile unsigned char *frame = __builtin_frame_address(0);
    volatile unsigned char *at = frame - PAINTED;
    paint(at);
    call(size);
    while (at < frame && *at == PAINT) {
        at++;
    }
    return (size_t)(frame - at);
}

static void *measure(void *unused) {
    void (*const calls[])(size_t) = {call_malloc, call_calloc, call_memalign, call_realloc, call_many, call_trim};
    static const char *const NAMES[] = {"malloc", "calloc", "memalign", "realloc", "many", "malloc_trim"};
    size_t idle = stack_used_by(call_nothing, 1);
    size_t worst = 0;
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
        for (size_t tier = 0; tier < TIER_COUNT; tier++) {
            size_t used = stack_used_by(calls[c], TIER_SIZES[tier]);
            if (used > idle + CALL_LIMIT) {
                dprintf(STDERR_FILENO, "%s of %zu bytes: %zu bytes of stack\n", NAMES[c], TIER_SIZES[tier],
                        used - idle);
            }
            worst = used > worst ? used : worst;
        }
    }
    EXPECT_AT_MOST(worst, idle + CALL_LIMIT);
    return unused;
}

int main(void) {
    provider_require();
    in_small_threads();
    in_signal_handlers();
    measure(NULL); /* on the main stack */
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, measure, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    return 0;
}
