/* supervisor.h
 * Purpose.     Runs a program whose memory system calls are judged one by one: let through, or refused with an errno.
 * Design.      A seccomp filter hands mmap, munmap, mremap, madvise and mprotect, and one call that no program makes,
 *              the mark, to the supervising process, from the program's exec on. Unlike a tracer it needs no
 *              privilege, and unlike a replaced function it sees the loader's calls and those of a shipped library.
 */
#ifndef TEST_SUPPORT_SUPERVISOR_H
#define TEST_SUPPORT_SUPERVISOR_H

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "expect.h"

#define SUPERVISOR_UNSUPPORTED 0x7fff /* no wait status: this kernel cannot hand system calls over */
#define SUPERVISOR_MARK SYS_sched_get_priority_min
#define SUPERVISOR_MARK_ARGUMENT 0x4841

/* 0 to let the call run, or the errno with which it fails. */
typedef int supervisor_judge(void *context, const struct seccomp_notif *call);

/* What a supervised program calls to say where it is. */
static inline void supervisor_mark(void) {
    syscall(SUPERVISOR_MARK, SUPERVISOR_MARK_ARGUMENT);
}

struct supervisor_range {
    uintptr_t start;
    uintptr_t end;
};

/* Where the first object whose name contains `part` lies in a supervised process; empty if there is none. */
static inline struct supervisor_range supervisor_find_object(uint32_t pid, const char *part) {
    struct supervisor_range range = {0, 0};
    char path[64];
    char line[512];
    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    FILE *maps = fopen(path, "re");
    EXPECT(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        uintptr_t start;
        uintptr_t end;
        if (strstr(line, part) != NULL && sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2) {
            range.start = range.start == 0 ? start : range.start;
            range.end = end;
        }
    }
    fclose(maps);
    return range;
}

/* Installs the filter; the descriptor on which calls are handed over, or -1. */
static inline int supervisor_filter(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SUPERVISOR_MARK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* Room for one descriptor beside a message. */
union supervisor_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* Sends `fd`, or word that there is none. */
static inline void supervisor_send(int socket, int fd) {
    char byte = fd >= 0;
    struct iovec part = {&byte, 1};
    union supervisor_control control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    EXPECT(sendmsg(socket, &message, 0) == 1);
}

static inline int supervisor_receive(int socket) {
    char byte = 0;
    struct iovec part = {&byte, 1};
    union supervisor_control control = {.bytes = {0}};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    int fd = -1;
    EXPECT(recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1);
    if (byte != 0) {
        EXPECT(CMSG_FIRSTHDR(&message) != NULL);
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    }
    return fd;
}

/* Judges calls until the last process under the filter is gone. */
static inline void supervisor_serve(int listener, supervisor_judge *judge, void *context) {
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    while (poll(&ready, 1, -1) >= 0 || errno == EINTR) {
        if ((ready.revents & POLLIN) == 0) {
            return;
        }
        struct seccomp_notif call = {.id = 0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
            continue; /* the caller died meanwhile */
        }
        bool foreign_mark = call.data.nr == SUPERVISOR_MARK && call.data.args[0] != SUPERVISOR_MARK_ARGUMENT;
        int error = foreign_mark ? 0 : judge(context, &call);
        struct seccomp_notif_resp response = {.id = call.id, .error = -error};
        response.flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
}

/* Runs `command` (a path and arguments) with every watched call judged. Its wait status, or SUPERVISOR_UNSUPPORTED. A
 * program that hangs is killed by alarm after 60 seconds. */
static inline int supervisor_run(char *const *command, supervisor_judge *judge, void *context) {
    int sockets[2];
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        alarm(60);
        int listener = supervisor_filter();
        supervisor_send(sockets[1], listener);
        if (listener >= 0) {
            close(listener);
            execv(command[0], command);
        }
        _exit(126);
    }
    close(sockets[1]);
    int listener = supervisor_receive(sockets[0]);
    close(sockets[0]);
    if (listener >= 0) {
        supervisor_serve(listener, judge, context);
        close(listener);
    }
    int status = expect_wait(child);
    return listener >= 0 ? status : SUPERVISOR_UNSUPPORTED;
}

#endif
