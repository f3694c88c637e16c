/* object.c
 * Purpose.     See object.h.
 */
#include "object.h"

#include "arch.h"
#include "basics.h"

#include <stdlib.h>
#include <string.h>

/* More than any real object has; a table that claims more is not one. */
#define PROGRAM_HEADERS_MAX 128u
#define DYNAMIC_ENTRIES_MAX 1024u
#define RELOCATIONS_AT_ONCE 1024u
#define HASH_CHAIN_MAX (1u << 20)

struct program_headers {
    Elf64_Phdr item[PROGRAM_HEADERS_MAX];
    size_t count;
};

/* Where the byte at `offset` of the file that `first` maps is in memory, 0 if it is not. The tool patchelf moves the
 * program headers away from the start of the file. */
static uintptr_t file_offset_address(const struct target *target, const struct mapping *first, uint64_t offset) {
    for (const struct mapping *at = first; at < target->maps + target->map_count; at++)
        if (strcmp(at->path, first->path) == 0 && offset >= at->offset && offset - at->offset < at->end - at->start)
            return at->start + (uintptr_t)(offset - at->offset);
    return 0;
}

static bool read_headers(struct target *target, const struct mapping *first, const Elf64_Ehdr *header,
                         struct program_headers *headers) {
    headers->count = header->e_phnum;
    if (headers->count == 0 || headers->count > PROGRAM_HEADERS_MAX || header->e_phentsize != sizeof(Elf64_Phdr))
        return false;
    uintptr_t address = file_offset_address(target, first, header->e_phoff);
    return address != 0 && target_read(target, address, headers->item, headers->count * sizeof(Elf64_Phdr));
}

/* Address range and bias from the segments. False if the object's code is not mapped executable at its place, which
 * means that the file is only being read. */
static bool place_object(const struct target *target, const struct mapping *first,
                         const struct program_headers *headers, struct object *object) {
    uint64_t lowest = UINT64_MAX, highest = 0;
    bool executable = false;
    for (size_t i = 0; i < headers->count; i++) {
        const Elf64_Phdr *segment = &headers->item[i];
        if (segment->p_type != PT_LOAD)
            continue;
        if (segment->p_vaddr < lowest) {
            lowest = segment->p_vaddr;
            object->bias = first->start - (segment->p_vaddr - segment->p_offset);
        }
        if (segment->p_vaddr + segment->p_memsz > highest)
            highest = segment->p_vaddr + segment->p_memsz;
    }
    if (lowest >= highest)
        return false;
    for (size_t i = 0; i < headers->count; i++) {
        const Elf64_Phdr *segment = &headers->item[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0) {
            const struct mapping *code = target_mapping(target, object->bias + segment->p_vaddr);
            executable |= code != NULL && code->execute;
        }
    }
    object->base = first->start;
    object->end = object->bias + highest;
    return executable;
}

/* The dynamic section holds addresses of the file or, once glibc's loader has been there, of memory. */
static uintptr_t in_memory(const struct object *object, uint64_t value) {
    return value >= object->base && value < object->end ? value : object->bias + value;
}

static void read_dynamic(struct target *target, struct object *object, uintptr_t address, size_t size) {
    size_t count = size / sizeof(Elf64_Dyn);
    uint64_t kind = DT_RELA;
    for (size_t i = 0; i < count && i < DYNAMIC_ENTRIES_MAX; i++) {
        Elf64_Dyn entry;
        if (!target_read(target, address + i * sizeof entry, &entry, sizeof entry) || entry.d_tag == DT_NULL)
            break;
        uint64_t value = entry.d_un.d_val;
        switch (entry.d_tag) {
        case DT_SYMTAB:
            object->symbols = in_memory(object, value);
            break;
        case DT_STRTAB:
            object->names = in_memory(object, value);
            break;
        case DT_STRSZ:
            object->names_size = value;
            break;
        case DT_GNU_HASH:
            object->gnu_hash = in_memory(object, value);
            break;
        case DT_HASH:
            object->old_hash = in_memory(object, value);
            break;
        case DT_RELA:
            object->relocations[0] = in_memory(object, value);
            break;
        case DT_RELASZ:
            object->relocations_size[0] = value;
            break;
        case DT_JMPREL:
            object->relocations[1] = in_memory(object, value);
            break;
        case DT_PLTRELSZ:
            object->relocations_size[1] = value;
            break;
        case DT_PLTREL:
            kind = value;
            break;
        case DT_SYMBOLIC:
            object->symbolic = true;
            break;
        case DT_FLAGS:
            object->symbolic |= (value & DF_SYMBOLIC) != 0;
            break;
        default:
            break;
        }
    }
    if (kind != DT_RELA)
        object->relocations_size[1] = 0;
}

static enum object_role role_of(const struct object *object, uintptr_t program, uintptr_t loader) {
    const char *name = base_name(object->path);
    /* By name first: the loader may have been started as the program, with the real one as its argument. */
    if ((loader >= object->base && loader < object->end) || strncmp(name, "ld-linux", 8) == 0)
        return ROLE_LOADER;
    if (program >= object->base && program < object->end)
        return ROLE_PROGRAM;
    if (strncmp(name, "libc.so", 7) == 0 || strncmp(name, "libc-2", 6) == 0)
        return ROLE_LIBC;
    if (strncmp(name, "libstdc++.so", 12) == 0 || strncmp(name, "libc++", 6) == 0)
        return ROLE_CXX;
    return ROLE_OTHER;
}

static void skip_to_next(uintptr_t *address, const struct object *object) {
    if (object->end > *address)
        *address = object->end;
}

/* Fills `object` if one starts with this mapping. */
static bool load_object(struct target *target, const struct mapping *first, struct object *object) {
    Elf64_Ehdr header;
    struct program_headers headers;
    if (!target_read(target, first->start, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    *object = (struct object){.base = first->start, .end = first->end};
    if (header.e_ident[EI_CLASS] != ELFCLASS64) {
        object->narrow = true;
        return true;
    }
    if (!read_headers(target, first, &header, &headers) || !place_object(target, first, &headers, object))
        return false;
    for (size_t i = 0, notes = 0; i < headers.count; i++) {
        const Elf64_Phdr *segment = &headers.item[i];
        object->interpreted |= segment->p_type == PT_INTERP;
        if (segment->p_type == PT_NOTE && notes < sizeof object->notes / sizeof *object->notes) {
            object->notes[notes].address = object->bias + segment->p_vaddr;
            object->notes[notes++].size = segment->p_memsz;
        }
        if (segment->p_type == PT_DYNAMIC)
            read_dynamic(target, object, object->bias + segment->p_vaddr, segment->p_memsz);
    }
    return true;
}

static bool symbol_at(struct target *target, const struct object *object, uint64_t index, Elf64_Sym *symbol) {
    return object->symbols != 0 &&
           target_read(target, object->symbols + index * sizeof *symbol, symbol, sizeof *symbol);
}

static bool symbol_is_named(struct target *target, const struct object *object, const Elf64_Sym *symbol,
                            const char *name) {
    char found[SYMBOL_BYTES];
    return symbol->st_name < object->names_size &&
           target_read_string(target, object->names + symbol->st_name, found, sizeof found) && strcmp(found, name) == 0;
}

static bool find_by_gnu_hash(struct target *target, const struct object *object, const char *name, Elf64_Sym *symbol) {
    struct {
        uint32_t buckets, first, bloom_words, bloom_shift;
    } head;
    uint32_t hash = symbol_hash(name), index = 0, chain = 0;
    uint64_t bloom = 0;
    uintptr_t at = object->gnu_hash;
    if (!target_read(target, at, &head, sizeof head) || head.buckets == 0 || head.bloom_words == 0)
        return false;
    uintptr_t words = at + sizeof head, buckets = words + head.bloom_words * (uintptr_t)8;
    uintptr_t chains = buckets + head.buckets * (uintptr_t)4;
    if (!target_read(target, words + hash / 64 % head.bloom_words * 8, &bloom, sizeof bloom))
        return false;
    if ((bloom >> (hash % 64) & bloom >> ((hash >> head.bloom_shift % 32) % 64) & 1) == 0)
        return false;
    if (!target_read(target, buckets + hash % head.buckets * 4, &index, sizeof index) || index < head.first)
        return false;
    for (uint32_t steps = 0; steps < HASH_CHAIN_MAX; steps++, index++) {
        if (!target_read(target, chains + (index - head.first) * (uintptr_t)4, &chain, sizeof chain))
            return false;
        if ((chain | 1) == (hash | 1) && symbol_at(target, object, index, symbol) &&
            symbol_is_named(target, object, symbol, name))
            return true;
        if ((chain & 1) != 0)
            return false;
    }
    return false;
}

/* The hash of the original System V table. */
static uint32_t old_hash(const char *name) {
    uint32_t hash = 0;
    for (const unsigned char *at = (const unsigned char *)name; *at != 0; at++) {
        hash = (hash << 4) + *at;
        hash ^= hash >> 24 & 0xf0;
    }
    return hash & 0x0fffffff;
}

static bool find_by_old_hash(struct target *target, const struct object *object, const char *name, Elf64_Sym *symbol) {
    uint32_t head[2], index = 0;
    if (!target_read(target, object->old_hash, head, sizeof head) || head[0] == 0)
        return false;
    uintptr_t buckets = object->old_hash + sizeof head, chains = buckets + head[0] * (uintptr_t)4;
    if (!target_read(target, buckets + old_hash(name) % head[0] * 4, &index, sizeof index))
        return false;
    for (uint32_t steps = 0; index != 0 && steps < HASH_CHAIN_MAX; steps++) {
        if (symbol_at(target, object, index, symbol) && symbol_is_named(target, object, symbol, name))
            return true;
        if (!target_read(target, chains + index * (uintptr_t)4, &index, sizeof index))
            return false;
    }
    return false;
}

static bool find_symbol(struct target *target, const struct object *object, const char *name, Elf64_Sym *symbol) {
    if (object->gnu_hash != 0)
        return find_by_gnu_hash(target, object, name, symbol);
    return object->old_hash != 0 && find_by_old_hash(target, object, name, symbol);
}

uintptr_t object_symbol(struct target *target, const struct object *object, const char *name) {
    Elf64_Sym symbol;
    if (!find_symbol(target, object, name, &symbol) || symbol.st_shndx == SHN_UNDEF)
        return 0;
    return object->bias + symbol.st_value;
}

static void find_definitions(struct target *target, struct object *object) {
    for (unsigned i = 0; i < SYMBOL_COUNT; i++) {
        Elf64_Sym symbol;
        if (!find_symbol(target, object, symbol_name(i), &symbol) || symbol.st_value == 0)
            continue;
        if (symbol.st_shndx == SHN_UNDEF)
            object->entry_stub[i] = object->bias + symbol.st_value;
        else
            object->defines[i] = object->bias + symbol.st_value;
        object->protected_one[i] = ELF64_ST_VISIBILITY(symbol.st_other) == STV_PROTECTED;
    }
    object->cxx_runtime = object_symbol(target, object, "__cxa_throw") != 0;
}

struct object_list objects_find(struct target *target) {
    struct object_list list = {0};
    size_t room = 0;
    uintptr_t program = (uintptr_t)target_auxiliary(target, AT_PHDR);
    uintptr_t loader = (uintptr_t)target_auxiliary(target, AT_BASE);
    uintptr_t next = 0;
    for (size_t i = 0; i < target->map_count; i++) {
        const struct mapping *first = &target->maps[i];
        if (first->start < next || first->offset != 0 || !first->read || first->path[0] != '/')
            continue;
        list.item = need_room(list.item, list.count, &room, sizeof *list.item);
        struct object *object = &list.item[list.count];
        if (!load_object(target, first, object))
            continue;
        skip_to_next(&next, object);
        object->path = need_copy(first->path);
        object->role = role_of(object, program, loader);
        if (!object->narrow)
            find_definitions(target, object);
        list.count++;
    }
    return list;
}

void objects_free(struct object_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->item[i].path);
        free(list->item[i].build_id);
    }
    free(list->item);
    *list = (struct object_list){0};
}

struct object *object_at(const struct object_list *list, uintptr_t address) {
    for (size_t i = 0; i < list->count; i++)
        if (address >= list->item[i].base && address < list->item[i].end)
            return &list->item[i];
    return NULL;
}

static void report_reference(struct target *target, const struct object *object, const Elf64_Rela *relocation,
                             void (*each)(void *, const struct reference *), void *context) {
    uint32_t kind = (uint32_t)ELF64_R_TYPE(relocation->r_info);
    if (kind != ARCH_RELOC_CALL && kind != ARCH_RELOC_ADDRESS && kind != ARCH_RELOC_WORD)
        return;
    Elf64_Sym symbol;
    char name[SYMBOL_BYTES];
    if (ELF64_R_SYM(relocation->r_info) == 0 || !symbol_at(target, object, ELF64_R_SYM(relocation->r_info), &symbol) ||
        symbol.st_name >= object->names_size ||
        !target_read_string(target, object->names + symbol.st_name, name, sizeof name))
        return;
    int index = symbol_index(name);
    if (index < 0)
        return;
    struct reference reference = {
        .symbol = (unsigned)index,
        .kind = kind,
        .slot = object->bias + relocation->r_offset,
        .addend = relocation->r_addend,
    };
    each(context, &reference);
}

bool object_references(struct target *target, const struct object *object,
                       void (*each)(void *context, const struct reference *reference), void *context) {
    Elf64_Rela batch[RELOCATIONS_AT_ONCE];
    for (int table = 0; table < 2; table++) {
        uint64_t left = object->relocations_size[table] / sizeof *batch;
        uintptr_t at = object->relocations[table];
        while (at != 0 && left > 0) {
            uint64_t now = left < RELOCATIONS_AT_ONCE ? left : RELOCATIONS_AT_ONCE;
            if (!target_read(target, at, batch, now * sizeof *batch))
                return false;
            for (uint64_t i = 0; i < now; i++)
                report_reference(target, object, &batch[i], each, context);
            at += now * sizeof *batch;
            left -= now;
        }
    }
    return true;
}
