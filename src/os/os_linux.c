/* os/os_linux.c
 * Purpose.     The contract of os.h on Linux.
 * Design.      Memory is reserved without access and without a commit charge, and made usable in steps: the same way
 *              serves vm.overcommit_memory 0, 1 and 2. Every mapping is private, anonymous and MAP_NORESERVE.
 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "os/syscall.h"

static int error_of(long result) {
    return result < 0 && result > -4096 ? (int)-result : 0;
}

size_t hak_os_page_size(void) {
    static size_t page_bytes;
    size_t bytes = load_relaxed(&page_bytes);
    if (unlikely(bytes == 0)) {
        bytes = getauxval(AT_PAGESZ);
        store_relaxed(&page_bytes, bytes);
    }
    return bytes;
}

void *hak_os_reserve(size_t bytes) {
    long result = raw_syscall(SYS_mmap, 0, (long)bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return error_of(result) != 0 ? NULL : (void *)result;
}

void *hak_os_reserve_aligned(size_t bytes, size_t alignment) {
    if (bytes > SIZE_MAX - alignment)
        return NULL;
    char *raw = hak_os_reserve(bytes + alignment);
    if (raw == NULL)
        return NULL;
    char *start = (char *)round_up((uintptr_t)raw, alignment);
    size_t before = (size_t)(start - raw);
    size_t after = alignment - before;
    /* A trim that fails leaves inaccessible space behind, which costs nothing but addresses. */
    if (before != 0)
        (void)raw_syscall(SYS_munmap, (long)raw, (long)before, 0, 0, 0, 0);
    if (after != 0)
        (void)raw_syscall(SYS_munmap, (long)(start + bytes), (long)after, 0, 0, 0, 0);
    return start;
}

int hak_os_make_readable(void *address, size_t bytes) {
    return error_of(raw_syscall(SYS_mprotect, (long)address, (long)bytes, PROT_READ, 0, 0, 0));
}

int hak_os_commit(void *address, size_t bytes) {
    return error_of(raw_syscall(SYS_mprotect, (long)address, (long)bytes, PROT_READ | PROT_WRITE, 0, 0, 0));
}

int hak_os_purge(void *address, size_t bytes) {
    return error_of(raw_syscall(SYS_madvise, (long)address, (long)bytes, MADV_DONTNEED, 0, 0, 0));
}

int hak_os_release(void *address, size_t bytes) {
    return error_of(raw_syscall(SYS_munmap, (long)address, (long)bytes, 0, 0, 0, 0));
}

int hak_os_resize(void *address, size_t old_bytes, size_t new_bytes) {
    return error_of(raw_syscall(SYS_mremap, (long)address, (long)old_bytes, (long)new_bytes, 0, 0, 0));
}

bool hak_os_renew(void *address, size_t bytes) {
    static const int advice[] = {MADV_DOFORK, MADV_KEEPONFORK, MADV_DODUMP};
    if (hak_os_commit(address, bytes) != 0)
        return false;
    for (unsigned i = 0; i < sizeof advice / sizeof *advice; i++)
        (void)raw_syscall(SYS_madvise, (long)address, (long)bytes, advice[i], 0, 0, 0);
    /* There is no room for half of the address space, but a mapping is looked at before that is told. */
    const size_t more = (size_t)1 << (HAK_ADDRESS_BITS - 1);
    int failure = hak_os_resize(address, bytes, more);
    return failure != EFAULT && (failure != 0 || hak_os_resize(address, more, bytes) == 0);
}

int hak_os_move(void *from, size_t old_bytes, void *to, size_t new_bytes) {
    return error_of(raw_syscall(SYS_mremap, (long)from, (long)old_bytes, (long)new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
                                (long)to, 0));
}

int hak_os_advise_no_dump(void *address, size_t bytes) {
    return error_of(raw_syscall(SYS_madvise, (long)address, (long)bytes, MADV_DONTDUMP, 0, 0, 0));
}

int hak_os_advise_huge(void *address, size_t bytes, bool huge) {
    return error_of(
        raw_syscall(SYS_madvise, (long)address, (long)bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE, 0, 0, 0));
}

size_t hak_os_read_file(const char *path, char *text, size_t capacity) {
    long length = 0;
    long fd = raw_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (error_of(fd) == 0) {
        length = raw_syscall(SYS_read, fd, (long)text, (long)capacity - 1, 0, 0, 0);
        (void)raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    }
    length = error_of(length) == 0 ? length : 0;
    text[length] = 0;
    return (size_t)length;
}

uint64_t hak_os_now_ms(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

unsigned hak_os_cpu_count(void) {
    uint64_t mask[16] = {0};
    long bytes = raw_syscall(SYS_sched_getaffinity, 0, sizeof mask, (long)mask, 0, 0, 0);
    unsigned count = 0;
    for (unsigned i = 0; bytes > 0 && i < sizeof mask / sizeof mask[0]; i++)
        count += (unsigned)__builtin_popcountll(mask[i]);
    return count == 0 ? 1 : count;
}

/* glibc's own knowledge, which it keeps for its atomics. */
extern char __libc_single_threaded __attribute__((weak));

bool hak_os_is_single_threaded(void) {
    return &__libc_single_threaded != NULL && __libc_single_threaded;
}

uint32_t hak_os_thread_id(void) {
    return (uint32_t)raw_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

uint32_t hak_os_process_id(void) {
    return (uint32_t)raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

void hak_os_yield(void) {
    (void)raw_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

int hak_os_open_to_write(const char *path, int *fd) {
    long flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    long result = raw_syscall(SYS_openat, AT_FDCWD, (long)path, flags, 0666, 0, 0);
    *fd = (int)result;
    return error_of(result);
}

int hak_os_write(int fd, const char *text, size_t bytes) {
    while (bytes > 0) {
        long result = raw_syscall(SYS_write, fd, (long)text, (long)bytes, 0, 0, 0);
        int error = error_of(result);
        if (error != 0 && error != EINTR)
            return error;
        if (error == 0) {
            text += result;
            bytes -= (size_t)result;
        }
    }
    return 0;
}

void hak_os_close(int fd) {
    (void)raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

size_t hak_os_address_space_limit(void) {
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    long result = raw_syscall(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)&limit, 0, 0);
    return error_of(result) != 0 || limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_cur;
}

void hak_os_futex_wait(uint32_t *word, uint32_t expected, uint32_t timeout_ms) {
    struct timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
    (void)raw_syscall(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, (long)expected, timeout_ms == 0 ? 0 : (long)&limit, 0,
                      0);
}

void hak_os_futex_wake(uint32_t *word, int count) {
    (void)raw_syscall(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, count, 0, 0, 0);
}
