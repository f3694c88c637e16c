/* overcommit.c
 * Purpose.     vm.overcommit_memory=2: the kernel charges every writable private mapping when it is made, used or
 *              not, and ignores MAP_NORESERVE. An allocator that reserves address space writable does not start
 *              there.
 * Design.      A supervised copy works all tiers with 200 MB live and 4 threads. The supervisor adds up what that
 *              mode would charge (mappings made writable, or grown) and refuses with ENOMEM what goes above 1 GiB;
 *              nothing that is unmapped is subtracted. With TEST_SYSCTL=1, as root, the same copy runs under
 *              the real setting, which is the whole machine's, and is put back afterwards.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "../support/process.h"
#include "../support/provider.h"
#include "../support/supervisor.h"
#include "../support/workout.h"

enum { THREADS = 4, LIVE = 20000, LIVE_SIZE = 10000 };

static const char MODE_PATH[] = "/proc/sys/vm/overcommit_memory";

static void *work_in_thread(void *unused) {
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT(workout(i));
    }
    return unused;
}

static int work(void) {
    static void *live[LIVE];
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < LIVE; i++) {
        live[i] = malloc(LIVE_SIZE);
        EXPECT(live[i] != NULL);
        pattern_fill(live[i], 100, i);
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, work_in_thread, NULL) == 0);
    }
    EXPECT(workout(9));
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    for (uint32_t i = 0; i < LIVE; i++) {
        EXPECT(pattern_holds(live[i], 100, i));
        free(live[i]);
    }
    return 0;
}

struct account {
    size_t charged;
    size_t largest;
    int refused;
};

/* What the call would be charged in that mode. */
static size_t charge_of(const struct seccomp_data *call) {
    bool writable = (call->args[2] & PROT_WRITE) != 0;
    switch (call->nr) {
    case SYS_mmap:
        return writable && (call->args[3] & MAP_PRIVATE) != 0 ? call->args[1] : 0;
    case SYS_mprotect:
        return writable ? call->args[1] : 0;
    case SYS_mremap:
        return call->args[2] > call->args[1] ? call->args[2] - call->args[1] : 0;
    default:
        return 0;
    }
}

static int judge(void *context, const struct seccomp_notif *call) {
    struct account *account = (struct account *)context;
    size_t charge = charge_of(&call->data);
    if (charge > GIB - account->charged) {
        dprintf(STDERR_FILENO, "refused: %zu MiB on top of %zu MiB\n", charge / MIB, account->charged / MIB);
        account->refused++;
        return ENOMEM;
    }
    account->charged += charge;
    account->largest = charge > account->largest ? charge : account->largest;
    return 0;
}

static void write_mode(char mode) {
    int fd = open(MODE_PATH, O_WRONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && write(fd, &mode, 1) == 1);
    close(fd);
}

static void run_under_real_setting(char *const *command) {
    char before = (char)('0' + process_proc_number(MODE_PATH, ""));
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        alarm(30);
        write_mode('2');
        execv(command[0], command);
        _exit(127);
    }
    int status = expect_wait(child);
    write_mode(before);
    EXPECT(status == 0);
    printf("works with %s = 2\n", MODE_PATH);
}

int main(int argc, char **argv) {
    provider_require();
    if (argc == 2) {
        return work();
    }
    struct account account = {0};
    char *command[] = {argv[0], (char[]){"work"}, NULL};
    int status = supervisor_run(command, judge, &account);
    if (status == SUPERVISOR_UNSUPPORTED) {
        dprintf(STDERR_FILENO, "this kernel does not hand system calls to a supervisor\n");
        return TEST_SKIPPED;
    }
    printf("charged %zu MiB, at most %zu MiB at once\n", account.charged / MIB, account.largest / MIB);
    EXPECT(status == 0);
    EXPECT(account.charged > 200 * MIB); /* the work was seen */
    const char *real = getenv("TEST_SYSCTL");
    if (real != NULL && strcmp(real, "1") == 0) {
        run_under_real_setting(command);
    }
    return 0;
}
