/* new_handler.cpp
 * Purpose.     What operator new does when there is no memory: it calls the new handler again and again until memory
 *              comes, the handler is gone, or the handler throws, and the exception reaches the caller.
 * Design.      Handlers count their calls and give up after some. Memory that comes back is real: the handler frees a
 *              reserve under an address space limit.
 */
#include "../support/contract.h"

#include <new>
#include <stdexcept>

namespace {

int calls;
int calls_until_end;
void *reserve;

struct handler_gave_up : std::runtime_error {
    handler_gave_up() : std::runtime_error("handler gave up") {
    }
};

void uninstall_after_some_calls() {
    if (++calls == calls_until_end) {
        std::set_new_handler(nullptr);
    }
}

void throw_after_some_calls() {
    if (++calls == calls_until_end) {
        throw handler_gave_up();
    }
}

void throw_bad_alloc_after_some_calls() {
    if (++calls == calls_until_end) {
        throw std::bad_alloc();
    }
}

void free_the_reserve() {
    if (++calls == 3) {
        free(reserve);
        reserve = nullptr;
        std::set_new_handler(uninstall_after_some_calls); /* asked again only if that was not enough */
    }
}

void install(std::new_handler handler, int until_end) {
    calls = 0;
    calls_until_end = until_end;
    std::set_new_handler(handler);
}

const size_t IMPOSSIBLE = (size_t)PTRDIFF_MAX - 1000;

void *new_plain() {
    return ::operator new(opaque_size(IMPOSSIBLE));
}
void *new_array() {
    return ::operator new[](opaque_size(IMPOSSIBLE));
}
void *new_aligned() {
    return ::operator new (opaque_size(IMPOSSIBLE), std::align_val_t{128});
}
void *new_array_aligned() {
    return ::operator new[](opaque_size(IMPOSSIBLE), std::align_val_t{128});
}
void *new_quiet() {
    return ::operator new(opaque_size(IMPOSSIBLE), std::nothrow);
}
void *new_array_quiet() {
    return ::operator new[](opaque_size(IMPOSSIBLE), std::nothrow);
}
void *new_aligned_quiet() {
    return ::operator new (opaque_size(IMPOSSIBLE), std::align_val_t{128}, std::nothrow);
}
void *new_array_aligned_quiet() {
    return ::operator new[](opaque_size(IMPOSSIBLE), std::align_val_t{128}, std::nothrow);
}

void *(*const THROWING[])() = {new_plain, new_array, new_aligned, new_array_aligned};
void *(*const QUIET[])() = {new_quiet, new_array_quiet, new_aligned_quiet, new_array_aligned_quiet};

template <class Exception> bool throws(void *(*call)()) {
    try {
        opaque(call());
    } catch (const Exception &) {
        return true;
    }
    return false;
}

void no_handler_throws_at_once(void **) {
    assert_null((void *)std::get_new_handler());
    for (auto call : THROWING) {
        assert_true(throws<std::bad_alloc>(call));
    }
    for (auto call : QUIET) {
        assert_null(call());
    }
}

void handler_is_called_until_it_uninstalls_itself(void **) {
    for (auto call : THROWING) {
        install(uninstall_after_some_calls, 5);
        assert_true(throws<std::bad_alloc>(call));
        assert_int_equal(calls, 5);
        assert_null((void *)std::get_new_handler());
    }
}

void quiet_news_call_the_handler_too(void **) {
    for (auto call : QUIET) {
        install(uninstall_after_some_calls, 4);
        assert_null(call());
        assert_int_equal(calls, 4);
    }
}

void handler_may_throw(void **) {
    for (auto call : THROWING) {
        install(throw_after_some_calls, 3);
        assert_true(throws<handler_gave_up>(call));
        assert_int_equal(calls, 3);
        install(throw_bad_alloc_after_some_calls, 2);
        assert_true(throws<std::bad_alloc>(call));
        assert_int_equal(calls, 2);
    }
    std::set_new_handler(nullptr);
}

void quiet_news_swallow_bad_alloc(void **) {
    for (auto call : QUIET) {
        install(throw_bad_alloc_after_some_calls, 2);
        assert_null(call());
        assert_int_equal(calls, 2);
    }
    std::set_new_handler(nullptr);
}

void handler_can_find_memory(void **) {
    calls = 0;
    calls_until_end = 10;
    reserve = opaque(malloc(256 * MIB));
    assert_non_null(reserve);
    assert_true(process_limit_growth(64 * MIB));
    std::set_new_handler(free_the_reserve);
    void *block = nullptr;
    bool thrown = false;
    try {
        block = opaque(::operator new(opaque_size(200 * MIB)));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    std::set_new_handler(nullptr);
    assert_true(process_unlimit());
    assert_false(thrown);
    assert_int_equal(calls, 3);
    assert_null(reserve);
    memset(block, 1, 1000);
    ::operator delete(block);
}

void handler_is_not_called_by_malloc(void **) {
    install(uninstall_after_some_calls, 5);
    assert_null(opaque(malloc(opaque_size(IMPOSSIBLE))));
    assert_null(opaque(calloc(opaque_size(IMPOSSIBLE), 8)));
    assert_int_equal(calls, 0);
    std::set_new_handler(nullptr);
}

struct cleaned {
    int &count;
    ~cleaned() {
        count++;
    }
};

/* Destructors between the throw and the catch run: the frames of operator new can be unwound. */
void exceptions_unwind_through_new(void **) {
    int destroyed = 0;
    for (int round = 0; round < 200; round++) {
        for (auto call : THROWING) {
            install(throw_after_some_calls, 1);
            try {
                cleaned guard{destroyed};
                opaque(call());
            } catch (const handler_gave_up &error) {
                assert_string_equal(error.what(), "handler gave up");
            }
        }
    }
    std::set_new_handler(nullptr);
    assert_int_equal(destroyed, 200 * 4);
}

} // namespace

int main() {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_handler_throws_at_once),
        cmocka_unit_test(handler_is_called_until_it_uninstalls_itself),
        cmocka_unit_test(quiet_news_call_the_handler_too),
        cmocka_unit_test(handler_may_throw),
        cmocka_unit_test(quiet_news_swallow_bad_alloc),
        cmocka_unit_test(handler_can_find_memory),
        cmocka_unit_test(handler_is_not_called_by_malloc),
        cmocka_unit_test(exceptions_unwind_through_new),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
