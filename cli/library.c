/* library.c
 * Purpose.     See library.h.
 * Design.      The symbols are looked up in the section .dynsym. A library whose section headers were stripped is let
 *              through: what it defines shows in the process.
 */
#include "library.h"

#include "arch.h"
#include "basics.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image_file {
    const char *bytes;
    uint64_t size;
};

/* `size` bytes of the file, NULL if it does not have them. */
static const void *part(const struct image_file *file, uint64_t offset, uint64_t size) {
    return offset <= file->size && size <= file->size - offset ? file->bytes + offset : NULL;
}

static bool section_at(const struct image_file *file, const Elf64_Ehdr *header, uint64_t index, Elf64_Shdr *section) {
    const void *bytes = part(file, header->e_shoff + index * sizeof *section, sizeof *section);
    if (bytes == NULL || header->e_shentsize != sizeof *section || index >= header->e_shnum)
        return false;
    memcpy(section, bytes, sizeof *section);
    return true;
}

/* True unless the file certainly defines no such function. */
static bool may_define(const struct image_file *file, const Elf64_Ehdr *header, const char *name) {
    Elf64_Shdr table = {0}, names;
    uint64_t index = 0;
    while (section_at(file, header, index, &table) && table.sh_type != SHT_DYNSYM)
        index++;
    if (table.sh_type != SHT_DYNSYM || !section_at(file, header, table.sh_link, &names))
        return true;
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        const void *bytes = part(file, table.sh_offset + at, sizeof symbol);
        if (bytes == NULL)
            return true;
        memcpy(&symbol, bytes, sizeof symbol);
        const char *found = part(file, names.sh_offset + symbol.st_name, strlen(name) + 1);
        if (symbol.st_shndx != SHN_UNDEF && found != NULL && memcmp(found, name, strlen(name) + 1) == 0)
            return true;
    }
    return false;
}

static char *problem_of(const struct image_file *file, bool allocator) {
    Elf64_Ehdr header;
    const void *bytes = part(file, 0, sizeof header);
    if (bytes == NULL || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return need_copy("it is not a shared library for " ARCH_NAME);
    memcpy(&header, bytes, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != ARCH_MACHINE)
        return need_format("it is built for another machine than " ARCH_NAME " (ELF machine %u, %u bits)",
                           header.e_machine, header.e_ident[EI_CLASS] == ELFCLASS32 ? 32u : 64u);
    if (header.e_type != ET_DYN)
        return need_copy("it is not a shared library for " ARCH_NAME);
    static const char *const needed[] = {"malloc", "free"};
    for (size_t i = 0; allocator && i < sizeof needed / sizeof *needed; i++)
        if (!may_define(file, &header, needed[i]))
            return need_format("it defines no %s", needed[i]);
    return NULL;
}

char *library_problem(const char *path, bool allocator) {
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return need_copy(strerror(errno));
    char *problem = NULL;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
        problem = need_copy("it is not a shared library for " ARCH_NAME);
    } else {
        struct image_file file = {.size = (uint64_t)status.st_size};
        void *bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        file.bytes = bytes;
        problem = bytes == MAP_FAILED ? need_copy(strerror(errno)) : problem_of(&file, allocator);
        if (bytes != MAP_FAILED)
            munmap(bytes, file.size);
    }
    close(descriptor);
    return problem;
}
