/* operator_new.cpp
 * Purpose.     The eight operators new and twelve operators delete: every pairing that the standard allows, alignment,
 *              impossible sizes.
 * Design.      The operators are called by name, since a compiler may remove a new-expression with its delete.
 * Not here.    The new handler (new_handler.cpp); deletes with a wrong size (test/death).
 */
#include "../support/contract.h"

#include <malloc.h>
#include <new>

/* clang declares these only on request. */
void operator delete(void *block, std::size_t size) noexcept;
void operator delete[](void *block, std::size_t size) noexcept;
void operator delete(void *block, std::size_t size, std::align_val_t alignment) noexcept;
void operator delete[](void *block, std::size_t size, std::align_val_t alignment) noexcept;

static const std::nothrow_t &NOTHROW = std::nothrow;
static const size_t IMPOSSIBLE[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX};

static void *used(void *block, size_t size, size_t alignment) {
    block = opaque(block);
    assert_non_null(block);
    assert_true(is_aligned(block, alignment));
    assert_true(malloc_usable_size(block) >= size);
    memset(block, 0x42, size);
    return block;
}

static void plain_news_and_deletes(void **) {
    for (size_t size : TIER_SIZES) {
        ::operator delete(used(::operator new(size), size, 16));
        ::operator delete(used(::operator new(size), size, 16), size);
        ::operator delete(used(::operator new(size), size, 16), NOTHROW);
        ::operator delete(used(::operator new(size, NOTHROW), size, 16));
        ::operator delete(used(::operator new(size, NOTHROW), size, 16), size);
        ::operator delete(used(::operator new(size, NOTHROW), size, 16), NOTHROW);
        ::operator delete[](used(::operator new[](size), size, 16));
        ::operator delete[](used(::operator new[](size), size, 16), size);
        ::operator delete[](used(::operator new[](size), size, 16), NOTHROW);
        ::operator delete[](used(::operator new[](size, NOTHROW), size, 16));
        ::operator delete[](used(::operator new[](size, NOTHROW), size, 16), size);
        ::operator delete[](used(::operator new[](size, NOTHROW), size, 16), NOTHROW);
    }
}

static void aligned_news_and_deletes(void **) {
    for (size_t alignment = 1; alignment <= 16 * MIB; alignment *= 2) {
        std::align_val_t to{alignment};
        for (size_t size : TIER_SIZES) {
            if (size > 4 * MIB) {
                continue;
            }
            ::operator delete(used(::operator new(size, to), size, alignment), to);
            ::operator delete(used(::operator new(size, to), size, alignment), size, to);
            ::operator delete(used(::operator new(size, to), size, alignment), to, NOTHROW);
            ::operator delete(used(::operator new(size, to, NOTHROW), size, alignment), to);
            ::operator delete[](used(::operator new[](size, to), size, alignment), to);
            ::operator delete[](used(::operator new[](size, to), size, alignment), size, to);
            ::operator delete[](used(::operator new[](size, to), size, alignment), to, NOTHROW);
            ::operator delete[](used(::operator new[](size, to, NOTHROW), size, alignment), to);
        }
    }
}

static void every_small_size_by_sized_delete(void **) {
    for (size_t size = 0; size <= 64 * KIB; size++) {
        ::operator delete(used(::operator new(size), size, 16), size);
    }
}

static void zero_is_unique(void **) {
    void *first = opaque(::operator new(opaque_size(0)));
    void *second = opaque(::operator new(opaque_size(0)));
    void *third = opaque(::operator new[](opaque_size(0), NOTHROW));
    assert_true(first != nullptr && second != nullptr && third != nullptr);
    assert_true(first != second && first != third && second != third);
    ::operator delete(first, (size_t)0);
    ::operator delete(second);
    ::operator delete[](third);
}

static void delete_of_null_does_nothing(void **) {
    std::align_val_t to{64};
    errno = 1234;
    ::operator delete(opaque(nullptr));
    ::operator delete[](opaque(nullptr));
    ::operator delete(opaque(nullptr), (size_t)100);
    ::operator delete[](opaque(nullptr), (size_t)100);
    ::operator delete(opaque(nullptr), NOTHROW);
    ::operator delete[](opaque(nullptr), NOTHROW);
    ::operator delete(opaque(nullptr), to);
    ::operator delete[](opaque(nullptr), to);
    ::operator delete(opaque(nullptr), (size_t)100, to);
    ::operator delete[](opaque(nullptr), (size_t)100, to);
    ::operator delete(opaque(nullptr), to, NOTHROW);
    ::operator delete[](opaque(nullptr), to, NOTHROW);
    assert_int_equal(errno, 1234);
}

static void delete_keeps_errno(void **) {
    for (size_t size : TIER_SIZES) {
        void *block = used(::operator new(size), size, 16);
        errno = 1234;
        ::operator delete(block, size);
        assert_int_equal(errno, 1234);
        block = used(::operator new[](size, std::align_val_t{128}), size, 128);
        errno = 1234;
        ::operator delete[](block, std::align_val_t{128});
        assert_int_equal(errno, 1234);
    }
}

template <class Call> static bool throws_bad_alloc(Call call) {
    try {
        opaque(call());
    } catch (const std::bad_alloc &error) {
        return error.what() != nullptr;
    }
    return false;
}

/* libstdc++ 12 rounds the size of an aligned new up past SIZE_MAX and allocates nothing for it. */
static size_t size_for_aligned_new(size_t size) {
    return provider_is_hakmem() ? size : (size_t)PTRDIFF_MAX;
}

static void impossible_sizes_throw(void **) {
    for (size_t impossible : IMPOSSIBLE) {
        size_t size = opaque_size(impossible);
        size_t aligned_size = opaque_size(size_for_aligned_new(impossible));
        for (int round = 0; round < 100; round++) {
            assert_true(throws_bad_alloc([=] { return ::operator new(size); }));
            assert_true(throws_bad_alloc([=] { return ::operator new[](size); }));
            assert_true(throws_bad_alloc([=] { return ::operator new (aligned_size, std::align_val_t{64}); }));
            assert_true(throws_bad_alloc([=] { return ::operator new[](aligned_size, std::align_val_t{4096}); }));
        }
    }
}

static void impossible_sizes_are_null_without_throw(void **) {
    for (size_t impossible : IMPOSSIBLE) {
        size_t size = opaque_size(impossible);
        size_t aligned_size = opaque_size(size_for_aligned_new(impossible));
        assert_null(opaque(::operator new(size, NOTHROW)));
        assert_null(opaque(::operator new[](size, NOTHROW)));
        assert_null(opaque(::operator new (aligned_size, std::align_val_t{64}, NOTHROW)));
        assert_null(opaque(::operator new[](aligned_size, std::align_val_t{4096}, NOTHROW)));
    }
}

static void exhaustion_throws(void **) {
    assert_true(process_limit_growth(64 * MIB));
    size_t size = opaque_size(8 * GIB);
    bool thrown = throws_bad_alloc([=] { return ::operator new(size); });
    bool aligned_thrown = throws_bad_alloc([=] { return ::operator new[](size, std::align_val_t{256}); });
    void *quiet = opaque(::operator new(size, NOTHROW));
    assert_true(process_unlimit());
    assert_true(thrown && aligned_thrown && quiet == nullptr);
    ::operator delete(used(::operator new(100 * MIB), 1000, 16));
}

static void blocks_are_those_of_malloc(void **) {
    for (size_t size : TIER_SIZES) {
        free(used(::operator new(size), size, 16));
        ::operator delete(used(malloc(size), size, 16));
        ::operator delete[](used(calloc(size, 1), size, 16), size);
        ::operator delete (used(aligned_alloc(64, size), size, 64), std::align_val_t{64});
    }
}

int main() {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_news_and_deletes),
        cmocka_unit_test(aligned_news_and_deletes),
        cmocka_unit_test(every_small_size_by_sized_delete),
        cmocka_unit_test(zero_is_unique),
        cmocka_unit_test(delete_of_null_does_nothing),
        cmocka_unit_test(delete_keeps_errno),
        cmocka_unit_test(impossible_sizes_throw),
        cmocka_unit_test(impossible_sizes_are_null_without_throw),
        cmocka_unit_test(exhaustion_throws),
        cmocka_unit_test(blocks_are_those_of_malloc),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
