/* identity.c
 * Purpose.     See identity.h.
 * Design.      The first mark decides: allocators define names of others to stand in for them, as snmalloc does for
 *              jemalloc. Names that only libc itself has come last.
 */
#include "identity.h"

#include "basics.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than any hash that linkers make. */
#define BUILD_ID_MAX 64u

static const struct {
    const char *symbol, *kind;
} marks[] = {
    {"hak_view", "hakmem"},           {"mi_malloc", "mimalloc"},
    {"tc_malloc", "tcmalloc"},        {"MallocExtension_Internal_GetStats", "tcmalloc"},
    {"scalable_malloc", "tbbmalloc"}, {"__TBB_malloc_proxy", "tbbmalloc"},
    {"rpmalloc", "rpmalloc"},         {"__malloc_end_pointer", "snmalloc"},
    {"sn_malloc", "snmalloc"},        {"mallocx", "jemalloc"},
    {"je_mallocx", "jemalloc"},       {"__libc_start_main", "libc"},
};

const char *identity_kind(struct target *target, const struct object *object) {
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (object_symbol(target, object, marks[i].symbol) != 0)
            return marks[i].kind;
    return "unknown";
}

static char *hexadecimal(const unsigned char *bytes, size_t count) {
    char *text = need(2 * count + 1);
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return text;
}

static size_t padded(size_t size) {
    return (size + 3) & ~(size_t)3;
}

char *identity_build_id(struct target *target, const struct object *object) {
    for (size_t i = 0; i < sizeof object->notes / sizeof *object->notes; i++) {
        uintptr_t at = object->notes[i].address, end = at + object->notes[i].size;
        Elf64_Nhdr note;
        while (at < end && target_read(target, at, &note, sizeof note)) {
            unsigned char name[4] = {0}, bytes[BUILD_ID_MAX];
            uintptr_t name_at = at + sizeof note, bytes_at = name_at + padded(note.n_namesz);
            at = bytes_at + padded(note.n_descsz);
            if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof name || note.n_descsz > sizeof bytes)
                continue;
            if (target_read(target, name_at, name, sizeof name) && memcmp(name, "GNU", 4) == 0 &&
                target_read(target, bytes_at, bytes, note.n_descsz))
                return hexadecimal(bytes, note.n_descsz);
        }
    }
    return NULL;
}
