/* object.h
 * Purpose.     The ELF objects that a process has loaded, read from its memory: where each lies, what it defines, where
 *              it refers to allocation symbols.
 * Design.      From the mappings, not from the dynamic linker's list: so plugins in a namespace of their own, libraries
 *              opened by other loaders and statically linked programs are seen as well. A file mapping that starts with
 *              an ELF header is an object if its code is mapped executable; one that is merely being read is not.
 *              From memory, not from the file: the file may have been replaced or removed since.
 * Invariants.  Objects are sorted by address and do not overlap.
 * Not here.    What a reference is bound to (binding.h).
 */
#ifndef HAK_CLI_OBJECT_H
#define HAK_CLI_OBJECT_H

#include "symbols.h"
#include "target.h"

enum object_role { ROLE_OTHER, ROLE_PROGRAM, ROLE_LIBC, ROLE_CXX, ROLE_LOADER };

struct object {
    char *path; // as the kernel shows it
    uintptr_t base, end;
    uintptr_t bias; // what was added to the addresses in the file
    enum object_role role;
    bool interpreted; // asks for a dynamic linker (PT_INTERP)
    bool symbolic;    // its own references are bound to itself first (DF_SYMBOLIC)
    bool narrow;      // 32-bit: nothing below is known
    bool cxx_runtime; // has the C++ runtime inside (defines __cxa_throw)
    uintptr_t symbols, names, gnu_hash, old_hash;
    uint64_t names_size;
    uintptr_t relocations[2]; // of data, of calls
    uint64_t relocations_size[2];
    struct {
        uintptr_t address;
        uint64_t size;
    } notes[4];                         // 0 for none
    uintptr_t defines[SYMBOL_COUNT];    // address of its own definition, 0 if it has none
    bool protected_one[SYMBOL_COUNT];   // defined so that its own calls cannot be diverted
    uintptr_t entry_stub[SYMBOL_COUNT]; // not defined, but its PLT entry is the function's address for everybody
    const char *kind;                   // of one that defines malloc, once it was identified (identity.h); else NULL
    char *build_id;                     // the same; NULL too if it has none
};

struct object_list {
    struct object *item;
    size_t count;
};

/* All objects of the process. */
struct object_list objects_find(struct target *target);
void objects_free(struct object_list *list);

/* The object whose address range holds `address`, or NULL. */
struct object *object_at(const struct object_list *list, uintptr_t address);

/* The address of a symbol that the object defines, 0 if it does not. */
uintptr_t object_symbol(struct target *target, const struct object *object, const char *name);

/* One reference of an object to an allocation symbol. */
struct reference {
    unsigned symbol;
    uint32_t kind;  // ARCH_RELOC_...
    uintptr_t slot; // where the loader has put the address
    int64_t addend;
};

/* Calls `each` for every reference of the object. False if a table of the object could not be read. */
bool object_references(struct target *target, const struct object *object,
                       void (*each)(void *context, const struct reference *reference), void *context);

#endif
