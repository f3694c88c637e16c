/* symbols.c                                                                                            hakmem-only
 * Purpose.     Every allocation symbol that a program or library may bind comes from one object: a missed one would
 *              hand out blocks of another allocator, which free rejects.
 * Design.      Asks the loader for each name as a program's reference would resolve, and whose file it lies in.
 * Not here.    What loaded objects really bound (the `hakmem verify` command).
 */
#include "../support/contract.h"
#include "../support/hak_functions.h"

#include <malloc.h>

static const char *const C_NAMES[] = {
    "malloc",      "calloc",       "realloc",        "reallocarray", "free",      "cfree",
    "free_sized",  "memalign",     "aligned_alloc",  "valloc",       "pvalloc",   "free_aligned_sized",
    "mallopt",     "malloc_trim",  "posix_memalign", "mallinfo",     "mallinfo2", "malloc_usable_size",
    "malloc_info", "malloc_stats",
};

static const char *const LIBC_NAMES[] = {
    "__libc_malloc",   "__libc_calloc", "__libc_realloc", "__libc_free",
    "__libc_memalign", "__libc_valloc", "__libc_pvalloc", "__posix_memalign",
};

/* operator new and delete: n new, d delete, w single, a array, m size, St11align_val_t alignment, RKSt9nothrow_t. */
static const char *const CXX_NAMES[] = {
    "_Znwm",
    "_Znam",
    "_ZnwmRKSt9nothrow_t",
    "_ZnamRKSt9nothrow_t",
    "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t",
    "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPv",
    "_ZdaPv",
    "_ZdlPvm",
    "_ZdaPvm",
    "_ZdlPvRKSt9nothrow_t",
    "_ZdaPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t",
    "_ZdaPvSt11align_val_t",
    "_ZdlPvmSt11align_val_t",
    "_ZdaPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t",
};

static size_t count_foreign(const char *const *names, size_t count) {
    size_t foreign = 0;
    for (size_t i = 0; i < count; i++) {
        const char *object = provider_of(names[i]);
        if (!provider_named_hakmem(object)) {
            print_error("%s comes from '%s'\n", names[i], object);
            foreign++;
        }
    }
    return foreign;
}

static void c_names_are_ours(void **state) {
    (void)state;
    assert_int_equal(count_foreign(C_NAMES, sizeof C_NAMES / sizeof C_NAMES[0]), 0);
}

static void libc_names_are_ours(void **state) {
    (void)state;
    assert_int_equal(count_foreign(LIBC_NAMES, sizeof LIBC_NAMES / sizeof LIBC_NAMES[0]), 0);
}

static void cxx_names_are_ours(void **state) {
    (void)state;
    assert_int_equal(count_foreign(CXX_NAMES, sizeof CXX_NAMES / sizeof CXX_NAMES[0]), 0);
}

static void hak_names_are_exported(void **state) {
    (void)state;
    struct hak_functions functions;
    assert_true(hak_functions_find(&functions, RTLD_DEFAULT));
}

/* One object only: also what libc itself binds when it allocates. */
static void libc_allocates_through_us(void **state) {
    (void)state;
    struct hak_functions functions;
    assert_true(hak_functions_find(&functions, RTLD_DEFAULT));
    char *copy = strdup("libc's own call of malloc");
    assert_true(functions.hak_owns(copy));
    free(copy);
}

int main(void) {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_names_are_ours),          cmocka_unit_test(libc_names_are_ours),
        cmocka_unit_test(cxx_names_are_ours),        cmocka_unit_test(hak_names_are_exported),
        cmocka_unit_test(libc_allocates_through_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
