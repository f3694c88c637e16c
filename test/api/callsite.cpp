/* callsite.cpp                                                                                         hakmem-only
 * Purpose.     hakmem.h in a C++ program: it compiles, its functions have C linkage, HAK_CALLSITE names function and
 *              line inside functions, methods, templates and lambdas.
 * Not here.    The same in C (hak_functions.c).
 */
#include "../support/contract.h"
#include "../support/hak_functions.h"

namespace {

hak_functions hak;

struct maker {
    hak_callsite_t site() const {
        return HAK_CALLSITE();
    }
};

template <class T> hak_callsite_t site_of_template() {
    return HAK_CALLSITE();
}

inline hak_callsite_t site_of_inline() {
    return HAK_CALLSITE();
}

void callsites_name_their_line(void **) {
    hak_callsite_t first = HAK_CALLSITE(), second = HAK_CALLSITE();
    unsigned line = __LINE__ - 1;
    assert_true(first != second);
    assert_int_equal(first->line, line);
    assert_string_equal(first->function, "callsites_name_their_line");
    assert_string_equal(first->file, __FILE__);
    assert_string_equal(maker().site()->function, "site");
    assert_string_equal(site_of_inline()->function, "site_of_inline");
    assert_true(site_of_inline() == site_of_inline());
    assert_true(site_of_template<int>()->line == site_of_template<long>()->line);
}

void callsites_are_constants(void **) {
    hak_callsite_t last = nullptr;
    for (int i = 0; i < 3; i++) {
        hak_callsite_t site = HAK_CALLSITE();
        assert_true(last == nullptr || last == site);
        last = site;
    }
}

void blocks_with_callsites_are_blocks(void **) {
    for (size_t size : TIER_SIZES) {
        void *block = hak.hak_alloc_at(size, HAK_CALLSITE());
        assert_non_null(block);
        assert_true(hak.hak_usable_size(block) >= size);
        memset(block, 1, size);
        hak.hak_free_at(block, HAK_CALLSITE());
        ::operator delete(hak.hak_alloc_at(size, HAK_CALLSITE()));
        hak.hak_free_at(::operator new(size), HAK_CALLSITE());
    }
}

} // namespace

int main() {
    provider_require();
    if (!hak_functions_find(&hak, RTLD_DEFAULT)) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callsites_name_their_line),
        cmocka_unit_test(callsites_are_constants),
        cmocka_unit_test(blocks_with_callsites_are_blocks),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
