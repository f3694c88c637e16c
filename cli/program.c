/* program.c
 * Purpose.     See program.h.
 */
#include "program.h"

#include "arch.h"
#include "basics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As far as the kernel follows scripts whose interpreter is a script. */
#define INTERPRETERS_MAX 5
#define HEAD_BYTES 4096

struct head {
    char bytes[HEAD_BYTES + 1]; // zero-terminated
    size_t length;
};

static bool read_head(const char *path, struct head *head) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(file, head->bytes, HEAD_BYTES);
    int error = errno;
    close(file);
    errno = error;
    head->length = got > 0 ? (size_t)got : 0;
    head->bytes[head->length] = 0;
    return got >= 0;
}

static bool is_elf(const struct head *head) {
    return head->length >= sizeof(Elf64_Ehdr) && memcmp(head->bytes, ELFMAG, SELFMAG) == 0;
}

static Elf64_Ehdr elf_header(const struct head *head) {
    Elf64_Ehdr header;
    memcpy(&header, head->bytes, sizeof header);
    return header;
}

static bool for_this_machine(const struct head *head) {
    Elf64_Ehdr header = elf_header(head);
    return header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == ARCH_MACHINE;
}

/* True if the file has a program header of this type. Headers beyond the file's first bytes are read from the file. */
static bool has_header(const char *path, const struct head *head, uint32_t type) {
    Elf64_Ehdr header = elf_header(head);
    bool found = false;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    for (unsigned i = 0; file >= 0 && i < header.e_phnum && !found; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)(header.e_phoff + (uint64_t)i * sizeof segment);
        found = pread(file, &segment, sizeof segment, at) == (ssize_t)sizeof segment && segment.p_type == type;
    }
    if (file >= 0)
        close(file);
    return found;
}

/* The loader works in its secure mode, and ignores LD_PRELOAD, when exec changes what the process may do. */
static const char *privilege_of(const char *path) {
    struct stat status;
    struct statvfs system;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || stat(path, &status) != 0)
        return NULL;
    if (statvfs(path, &system) == 0 && (system.f_flag & ST_NOSUID) != 0)
        return NULL;
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid())
        return "setuid";
    if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 && status.st_gid != getgid())
        return "setgid";
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "given file capabilities";
    return NULL;
}

static char *elf_obstacle(const char *path, const struct head *head) {
    if (!for_this_machine(head))
        return need_format("%s is built for another architecture than %s", path, ARCH_NAME);
    bool loader = strncmp(base_name(path), "ld-linux", 8) == 0;
    if (!loader && !has_header(path, head, PT_INTERP))
        return need_format("%s is a static binary: there is no loader that could preload anything", path);
    const char *privilege = privilege_of(path);
    if (privilege != NULL)
        return need_format("%s is %s: the loader ignores LD_PRELOAD there", path, privilege);
    return NULL;
}

/* The interpreter that the first line of a script names, NULL if it names none. */
static char *interpreter_of(const struct head *head) {
    if (head->length < 3 || memcmp(head->bytes, "#!", 2) != 0)
        return NULL;
    const char *start = head->bytes + 2;
    start += strspn(start, " \t");
    size_t length = strcspn(start, " \t\r\n");
    return length != 0 ? need_format("%.*s", (int)length, start) : NULL;
}

/* Says why the file cannot be executed; NULL if it can. */
static const char *why_not_runnable(const char *path, struct head *head) {
    struct stat status;
    head->length = 0;
    if (stat(path, &status) != 0)
        return strerror(errno);
    if (S_ISDIR(status.st_mode))
        return "it is a directory";
    if (access(path, X_OK) != 0)
        return errno == EACCES ? "it is not executable" : strerror(errno);
    if (!read_head(path, head))
        return errno == EACCES ? "it cannot be read" : strerror(errno);
    return NULL;
}

/* Follows a script to the ELF file that the kernel will load, and judges that one. */
static bool look_at(struct program *program) {
    struct head head;
    char *path = need_copy(program->path);
    const char *problem = why_not_runnable(path, &head);
    for (int i = 0; problem == NULL && !is_elf(&head); i++) {
        char *next = interpreter_of(&head);
        if (next == NULL) {
            problem = "it is neither an ELF program nor a script that starts with #!";
            break;
        }
        free(path);
        path = next;
        problem = i == INTERPRETERS_MAX ? "too many interpreters of interpreters" : why_not_runnable(path, &head);
    }
    if (problem == NULL)
        program->obstacle = elf_obstacle(path, &head);
    else if (strcmp(path, program->path) == 0)
        say("cannot run %s: %s", path, problem);
    else
        say("cannot run %s: its interpreter %s: %s", program->path, path, problem);
    free(path);
    return problem == NULL;
}

/* The first executable file of this name in PATH; else the first file at all, so that the message can be about it. */
static char *search_path(const char *name) {
    const char *folders = getenv("PATH");
    char *second_best = NULL;
    if (folders == NULL)
        folders = "/bin:/usr/bin";
    for (const char *at = folders;; at++) {
        size_t length = strcspn(at, ":");
        char *path = need_format("%.*s%s%s", (int)length, at, length != 0 ? "/" : "./", name);
        struct stat status;
        bool file = stat(path, &status) == 0 && S_ISREG(status.st_mode);
        if (file && access(path, X_OK) == 0) {
            free(second_best);
            return path;
        }
        if (file && second_best == NULL)
            second_best = path;
        else
            free(path);
        at += length;
        if (*at == 0)
            return second_best;
    }
}

bool program_find(const char *name, struct program *program) {
    *program = (struct program){0};
    program->path = strchr(name, '/') != NULL ? need_copy(name) : *name != 0 ? search_path(name) : NULL;
    if (program->path == NULL) {
        say("cannot run %s: not found", *name != 0 ? name : "''");
        return false;
    }
    if (look_at(program))
        return true;
    program_free(program);
    return false;
}

void program_free(struct program *program) {
    free(program->path);
    free(program->obstacle);
    *program = (struct program){0};
}
