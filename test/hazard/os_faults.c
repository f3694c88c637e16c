/* os_faults.c
 * Purpose.     The kernel refuses one memory system call, the n-th, for every n that there is; then every call from
 *              the n-th on. The program must see NULL with ENOMEM or success, keep what it had, and go on.
 * Design.      A supervised copy of this program works all tiers; its calls of mmap, munmap, mremap, madvise and
 *              mprotect are counted from its exec on, so that failures hit the allocator's start and its work. The
 *              loader's own calls, which it does not survive, are let through; but if the loader is refused memory by
 *              malloc, it may end the copy with exit code 127. Nothing may end it by a signal.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "../support/provider.h"
#include "../support/supervisor.h"
#include "../support/workout.h"

#define MIB_BYTES ((size_t)1 << 20)

/* ---- the copy ---- */

/* Contents are looked at in the first MiB only: the rest of a big block stays untouched, and the test quick. */
static size_t marked(size_t size) {
    return size < MIB_BYTES ? size : MIB_BYTES;
}

/* Grows and shrinks through the tiers: in place, by copy, and by moving pages. What was there before must still be
 * there, whether a resize is served or refused. */
static bool resize_through_tiers(void) {
    static const size_t SIZES[] = {
        1000,           40000,          300000, 3000000, 20 * MIB_BYTES, 100 * MIB_BYTES, 200 * MIB_BYTES,
        80 * MIB_BYTES, 10 * MIB_BYTES, 100000, 100};
    bool good = true;
    size_t filled = 500;
    void *block = malloc(filled);
    if (block == NULL) {
        return errno == ENOMEM;
    }
    pattern_fill(block, filled, 1);
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        errno = 0;
        void *moved = realloc(block, SIZES[i]);
        size_t kept = moved != NULL && SIZES[i] < filled ? SIZES[i] : filled;
        good &= moved != NULL || errno == ENOMEM;
        block = moved != NULL ? moved : opaque(block);
        good &= pattern_holds(block, kept, 1);
        filled = moved != NULL ? marked(SIZES[i]) : filled;
        pattern_fill(block, filled, 1);
    }
    free(block);
    return good;
}

static void *work_in_thread(void *good) {
    *(bool *)good = workout_or_refusal(50);
    return NULL;
}

static bool thread_works(void) {
    pthread_t thread;
    bool good = true;
    if (pthread_create(&thread, NULL, work_in_thread, &good) == 0) {
        pthread_join(thread, NULL);
    }
    return good;
}

/* Contents of `block` survive whatever is refused. */
static int work(void) {
    supervisor_mark();
    void *kept = malloc(3000);
    if (kept != NULL) {
        pattern_fill(kept, 3000, 4);
    }
    EXPECT(workout_or_refusal(1));
    EXPECT(resize_through_tiers());
    EXPECT(thread_works());
    malloc_trim(0);
    EXPECT(workout_or_refusal(2));
    errno = 4711;
    free(opaque(malloc(100 * MIB_BYTES)));
    EXPECT(errno == 4711 || errno == ENOMEM);
    EXPECT(kept == NULL || pattern_holds(kept, 3000, 4));
    free(kept);
    return 0;
}

/* After a single refusal there is memory again: one attempt in three must succeed. */
static int work_and_recover(void) {
    int status = work();
    for (uint32_t attempt = 0; attempt < 3; attempt++) {
        if (workout(attempt)) {
            return status;
        }
    }
    expect_failed(__FILE__, __LINE__, "works again after one refusal");
}

/* ---- the supervisor ---- */

struct sweep {
    int number;    /* of the system call that fails */
    int fail_at;   /* which one, counted from 1 */
    bool for_good; /* and all later ones */
    int seen;      /* calls so far, without the loader's */
    int before_main;
    bool in_main;
    struct supervisor_range loader;
};

static int judge(void *context, const struct seccomp_notif *call) {
    struct sweep *sweep = (struct sweep *)context;
    if (call->data.nr == SUPERVISOR_MARK) {
        sweep->in_main = true;
        return 0;
    }
    if (sweep->loader.end == 0) {
        sweep->loader = supervisor_find_object(call->pid, "/ld-linux");
        EXPECT(sweep->loader.end != 0);
    }
    bool by_loader =
        call->data.instruction_pointer >= sweep->loader.start && call->data.instruction_pointer < sweep->loader.end;
    if (call->data.nr != sweep->number || by_loader) {
        return 0;
    }
    sweep->seen++;
    sweep->before_main += !sweep->in_main;
    return sweep->seen == sweep->fail_at || (sweep->for_good && sweep->seen > sweep->fail_at) ? ENOMEM : 0;
}

static bool ended_well(int status, const struct sweep *sweep) {
    if (!WIFEXITED(status)) {
        return false;
    }
    bool at_start = sweep->seen >= sweep->fail_at && sweep->fail_at <= sweep->before_main;
    return WEXITSTATUS(status) == 0 || (at_start && WEXITSTATUS(status) == 127);
}

/* Fails each call of `number` in turn. Returns how many there were, or -1 if the kernel cannot do this. */
static int sweep_calls(char *program, int number, const char *name, bool for_good) {
    char *command[] = {program, for_good ? (char[]){"work"} : (char[]){"recover"}, NULL};
    for (int n = 1;; n++) {
        struct sweep sweep = {.number = number, .fail_at = n, .for_good = for_good};
        int status = supervisor_run(command, judge, &sweep);
        if (status == SUPERVISOR_UNSUPPORTED) {
            return -1;
        }
        if (!ended_well(status, &sweep)) {
            dprintf(STDERR_FILENO, "%s, call %d%s: %s %d\n", name, n, for_good ? " and all later" : "",
                    WIFSIGNALED(status) ? "signal" : "exit code",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            expect_failed(__FILE__, __LINE__, "the program ends well");
        }
        if (sweep.seen < n) {
            return sweep.seen;
        }
    }
}

int main(int argc, char **argv) {
    if (argc == 2) { /* loaded as this process was, whose provider is proved below; there may be no memory to ask */
        return strcmp(argv[1], "recover") == 0 ? work_and_recover() : work();
    }
    provider_require();
    static const struct {
        int number;
        const char *name;
    } CALLS[] = {
        {SYS_mmap, "mmap"},       {SYS_munmap, "munmap"},     {SYS_mremap, "mremap"},
        {SYS_madvise, "madvise"}, {SYS_mprotect, "mprotect"},
    };
    int total = 0;
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        for (int for_good = 0; for_good < 2; for_good++) {
            int calls = sweep_calls(argv[0], CALLS[i].number, CALLS[i].name, for_good != 0);
            if (calls < 0) {
                dprintf(STDERR_FILENO, "this kernel does not hand system calls to a supervisor\n");
                return TEST_SKIPPED;
            }
            printf("%s%s: %d calls, each failed once\n", CALLS[i].name, for_good ? " for good" : "", calls);
            total += calls;
        }
    }
    EXPECT(total > 0);
    return 0;
}
