/* window.c
 * Purpose.     See window.h.
 */
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than any object has. */
#define OBJECT_HEADERS_MAX 128u
/* Longer than any owner's name that is asked for, and than any hash that linkers make. */
#define OWNER_MAX 8u
#define BUILD_ID_MAX 64u

static const char *const irregular = "it is no regular file";

/* A path may name anything, and a device may do something as soon as it is opened: only what is a regular file just
 * before is, and that it still is one is seen afterwards. Without waiting, and never as a terminal's owner. */
const char *window_open(const char *path, struct window *window) {
    struct stat status;
    *window = (struct window){.file = -1};
    if (stat(path, &status) != 0)
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return irregular;
    window->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (window->file < 0)
        return strerror(errno);
    if (fstat(window->file, &status) == 0 && S_ISREG(status.st_mode)) {
        window->bytes = (uint64_t)status.st_size;
        return NULL;
    }
    close(window->file);
    window->file = -1;
    return irregular;
}

bool window_holds(const struct window *window, uint64_t offset, uint64_t bytes) {
    return offset <= window->bytes && bytes <= window->bytes - offset;
}

bool window_read(const struct window *window, uint64_t offset, void *into, size_t size) {
    char *at = into;
    if (!window_holds(window, offset, size))
        return false;
    for (uint64_t from = window->start + offset; size > 0;) {
        ssize_t got = pread(window->file, at, size, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        from += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

static uint64_t padded(uint32_t size) {
    return ((uint64_t)size + 3) & ~(uint64_t)3;
}

bool window_note(const struct window *window, uint64_t offset, uint64_t bytes, const char *owner, uint32_t type,
                 struct window *content) {
    size_t length = strlen(owner) + 1;
    Elf64_Nhdr note;
    if (!window_holds(window, offset, bytes))
        return false;
    struct window notes = {window->file, window->start + offset, bytes};
    for (uint64_t at = 0; window_read(&notes, at, &note, sizeof note) && note.n_namesz != 0;) {
        char name[OWNER_MAX];
        uint64_t name_at = at + sizeof note, content_at = name_at + padded(note.n_namesz);
        at = content_at + padded(note.n_descsz);
        if (note.n_type != type || note.n_namesz != length || length > sizeof name ||
            !window_read(&notes, name_at, name, length) || memcmp(name, owner, length) != 0 ||
            !window_holds(&notes, content_at, note.n_descsz))
            continue;
        *content = (struct window){notes.file, notes.start + content_at, note.n_descsz};
        return true;
    }
    return false;
}

bool window_build_id(const struct window *window, struct window *id) {
    Elf64_Ehdr header;
    if (!window_read(window, 0, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    for (uint64_t i = 0; i < header.e_phnum && i < OBJECT_HEADERS_MAX; i++) {
        Elf64_Phdr segment;
        if (!window_read(window, header.e_phoff + i * sizeof segment, &segment, sizeof segment))
            return false;
        if (segment.p_type == PT_NOTE &&
            window_note(window, segment.p_offset, segment.p_filesz, "GNU", NT_GNU_BUILD_ID, id))
            return true;
    }
    return false;
}

bool window_equal(const struct window *one, const struct window *other) {
    char a[BUILD_ID_MAX], b[BUILD_ID_MAX];
    return one->bytes == other->bytes && one->bytes <= sizeof a && window_read(one, 0, a, one->bytes) &&
           window_read(other, 0, b, one->bytes) && memcmp(a, b, one->bytes) == 0;
}
