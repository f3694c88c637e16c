/* override/cxx_oom.c
 * Purpose.     Out of memory in operator new. See cxx_oom.h.
 */
#include "override/cxx_oom.h"

#include <dlfcn.h>
#include <link.h>

#include "api/fast.h"
#include "base/bits.h"
#include "base/check.h"

#pragma weak dladdr1
#pragma weak dlopen
#pragma weak dlsym
#pragma weak dlclose

typedef void (*new_handler)(void);

/* std::get_new_handler() and std::__throw_bad_alloc(), bound where the program itself has a C++ runtime. */
extern new_handler _ZSt15get_new_handlerv(void) __attribute__((weak));
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak));

static hak_cxx_function symbol_of(void *handle, const char *symbol, hak_cxx_function ours) {
    hak_cxx_function function = (hak_cxx_function)dlsym(handle, symbol);
    return function == ours ? NULL : function;
}

/* In an object that is loaded already, and in what it depends on. */
static hak_cxx_function symbol_of_object(const char *object, const char *symbol, hak_cxx_function ours) {
    void *handle = dlopen(object, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == NULL)
        return NULL;
    hak_cxx_function function = symbol_of(handle, symbol, ours);
    dlclose(handle); /* the caller is running in it, or was linked against it: it stays */
    return function;
}

/* In the object that the code at `caller` belongs to. The main program's scope is the global one. */
static hak_cxx_function symbol_of_caller(const void *caller, const char *symbol, hak_cxx_function ours) {
    Dl_info info;
    void *map = NULL;
    if (dladdr1(caller, &info, &map, RTLD_DL_LINKMAP) == 0 || map == NULL)
        return NULL;
    const struct link_map *object = map;
    return object->l_name[0] == '\0' ? NULL : symbol_of_object(object->l_name, symbol, ours);
}

/* In the order in which the loader binds the caller's own references: global scope first. `bound` is what it bound
 * ours to when this library was loaded, or NULL. */
static hak_cxx_function find(const char *symbol, hak_cxx_function bound, hak_cxx_function ours, const void *caller) {
    static const char runtimes[][16] = {"libstdc++.so.6", "libc++.so.1", "libc++abi.so.1"};
    if (bound != NULL || dlopen == NULL || dlsym == NULL || dlclose == NULL || dladdr1 == NULL)
        return bound;
    hak_cxx_function function = symbol_of(RTLD_NEXT, symbol, ours);
    if (function == NULL)
        function = symbol_of_caller(caller, symbol, ours);
    for (size_t i = 0; function == NULL && i < sizeof runtimes / sizeof *runtimes; i++)
        function = symbol_of_object(runtimes[i], symbol, ours);
    return function;
}

hak_cxx_function hak_cxx_runtime_function(const char *symbol, hak_cxx_function ours, const void *caller) {
    return find(symbol, NULL, ours, caller);
}

static new_handler current_handler(const void *caller) {
    hak_cxx_function get = find("_ZSt15get_new_handlerv", (hak_cxx_function)_ZSt15get_new_handlerv, NULL, caller);
    return get == NULL ? NULL : ((new_handler(*)(void))get)();
}

bool hak_cxx_has_handler(const void *caller) {
    return current_handler(caller) != NULL;
}

/* Returns only if there is nobody to throw. */
static void throw_bad_alloc(const void *caller) {
    hak_cxx_function throw_it = find("_ZSt17__throw_bad_allocv", _ZSt17__throw_bad_allocv, NULL, caller);
    if (throw_it != NULL)
        throw_it();
}

void *hak_cxx_new_failed(size_t alignment, size_t size, enum hak_entry entry, const void *caller) {
    new_handler handler;
    while (is_power_of_two(alignment) && (handler = current_handler(caller)) != NULL) {
        handler();
        void *block =
            alignment == HAK_CXX_PLAIN ? hak_alloc_entry(size, entry) : hak_aligned_entry(alignment, size, entry);
        if (block != NULL)
            return block;
    }
    throw_bad_alloc(caller);
    hak_fatal("operator new: out of memory, and no C++ runtime to throw std::bad_alloc");
}
