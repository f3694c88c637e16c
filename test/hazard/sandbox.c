/* sandbox.c
 * Purpose.     A program that locks itself into a seccomp sandbox after it has used the allocator once: later calls
 *              need no system calls beyond those that any sandbox leaves, in old threads and in one that has not
 *              allocated.
 * Design.      Anything else kills the process. What is left: memory, futex, clock, sleeping, writing, the thread's
 *              own id, signals' return, and ending.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "../support/expect.h"
#include "../support/process.h"
#include "../support/provider.h"
#include "../support/workout.h"

static const int ALLOWED[] = {
    SYS_mmap,   SYS_munmap,        SYS_mremap,          SYS_madvise,        SYS_mprotect,
    SYS_brk,    SYS_futex,         SYS_write,           SYS_exit,           SYS_exit_group,
    SYS_gettid, SYS_rt_sigreturn,  SYS_sched_yield,     SYS_nanosleep,      SYS_read,
    SYS_close,  SYS_clock_gettime, SYS_set_robust_list, SYS_rt_sigprocmask, SYS_clock_nanosleep,
};

#define ALLOWED_COUNT (sizeof ALLOWED / sizeof ALLOWED[0])

static pthread_barrier_t locked;

static void lock_in(void) {
    struct sock_filter code[ALLOWED_COUNT + 3];
    size_t at = 0;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ALLOWED_COUNT; i++) {
        unsigned char to_allow = (unsigned char)(ALLOWED_COUNT - i);
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)ALLOWED[i], to_allow, 0);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = (unsigned short)at, .filter = code};
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0);
}

static void work_for_a_while(uint32_t seed) {
    for (uint32_t i = 0; i < 30; i++) {
        EXPECT(workout(seed + i));
        for (int j = 0; j < 100; j++) {
            EXPECT(workout_small(seed + i));
        }
    }
    free(opaque(malloc(100 * MIB)));
    process_sleep_ms(1200); /* past the purge delay, so that giving back is tried too */
    EXPECT(workout(seed));
    malloc_trim(0);
    EXPECT(workout(seed));
}

static void *live(void *new_to_allocator) {
    if (new_to_allocator == NULL) {
        EXPECT(workout(1));
    }
    pthread_barrier_wait(&locked); /* all threads are up */
    pthread_barrier_wait(&locked);
    work_for_a_while(2);
    return NULL;
}

static int main_in_sandbox(void) {
    static char yes;
    pthread_t old_thread;
    pthread_t new_thread;
    EXPECT(pthread_barrier_init(&locked, NULL, 3) == 0);
    EXPECT(workout(1));
    EXPECT(pthread_create(&old_thread, NULL, live, NULL) == 0);
    EXPECT(pthread_create(&new_thread, NULL, live, &yes) == 0);
    pthread_barrier_wait(&locked);
    lock_in();
    pthread_barrier_wait(&locked);
    work_for_a_while(3);
    EXPECT(pthread_join(old_thread, NULL) == 0);
    EXPECT(pthread_join(new_thread, NULL) == 0);
    return 0;
}

int main(void) {
    provider_require();
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        _exit(main_in_sandbox());
    }
    EXPECT_CHILD_OK(child);
    /* the sandbox is real: it kills what it should */
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        lock_in();
        (void)getppid();
        _exit(0);
    }
    int status = expect_wait(child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    return 0;
}
