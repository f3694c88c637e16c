/* containers.cpp
 * Purpose.     The C++ library on top of operator new: containers, over-aligned elements, shared ownership, threads,
 *              exceptions in constructors.
 * Design.      Results are compared with what arithmetic says they must be, so that lost or mixed-up memory shows.
 */
#include "../support/contract.h"

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

struct alignas(256) wide {
    char bytes[256];
};

struct alignas(65536) page_like {
    char bytes[65536];
};

void vectors_grow(void **) {
    std::vector<size_t> numbers;
    for (size_t i = 0; i < 3000000; i++) {
        numbers.push_back(i);
    }
    size_t sum = 0;
    for (size_t number : numbers) {
        sum += number;
    }
    assert_true(sum == 3000000ul * 2999999ul / 2);
    numbers.resize(10);
    numbers.shrink_to_fit();
    assert_true(numbers[9] == 9);
}

void maps_hold(void **) {
    std::map<std::string, std::vector<int>> ordered;
    std::unordered_map<int, std::string> hashed;
    for (int i = 0; i < 20000; i++) {
        ordered["a key that is too long for the short form " + std::to_string(i % 1000)].push_back(i);
        hashed[i] = std::to_string(i * 7);
    }
    assert_true(ordered.size() == 1000 && hashed.size() == 20000);
    for (auto &entry : ordered) {
        assert_true(entry.second.size() == 20 && entry.second[19] - entry.second[0] == 19000);
    }
    for (int i = 0; i < 20000; i += 2) {
        assert_true(hashed[i] == std::to_string(i * 7));
        hashed.erase(i);
    }
    assert_true(hashed.size() == 10000);
}

void over_aligned_elements_are_aligned(void **) {
    std::vector<wide> elements;
    for (int i = 0; i < 1000; i++) {
        elements.emplace_back();
        assert_true(is_aligned(&elements[0], 256));
        elements.back().bytes[255] = (char)i;
    }
    for (int i = 0; i < 1000; i++) {
        assert_true(elements[(size_t)i].bytes[255] == (char)i);
    }
    for (int i = 0; i < 20; i++) {
        std::unique_ptr<page_like> one(new page_like);
        std::unique_ptr<page_like[]> several(new page_like[3]);
        assert_true(is_aligned(one.get(), 65536) && is_aligned(&several[2], 65536));
        several[2].bytes[65535] = 1;
    }
}

struct refuses {
    std::string member = std::string(100, 'x');
    refuses() {
        throw std::logic_error("constructor refuses");
    }
};

void blocks_of_failed_constructors_are_freed(void **) {
    size_t before = process_rss_bytes();
    for (int i = 0; i < 3000; i++) {
        try {
            auto *block = new refuses[1000];
            delete[] block;
            assert_true(false);
        } catch (const std::logic_error &error) {
            assert_string_equal(error.what(), "constructor refuses");
        }
    }
    assert_true(process_rss_bytes() < before + 16 * MIB);
}

void impossible_arrays_throw(void **) {
    auto fails = [](size_t count) {
        try {
            auto *block = new double[opaque_size(count)];
            opaque(block);
            delete[] block;
        } catch (const std::bad_alloc &) { /* bad_array_new_length is one too */
            return true;
        }
        return false;
    };
    assert_true(fails(SIZE_MAX));
    assert_true(fails(SIZE_MAX / 8));
    assert_true(fails(SIZE_MAX / 16));
    bool thrown = false;
    try {
        std::vector<char> giant;
        giant.reserve(opaque_size(PTRDIFF_MAX));
        opaque(giant.data());
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    assert_true(thrown);
}

void shared_objects_move_between_threads(void **) {
    std::vector<std::thread> threads;
    std::atomic<int> destroyed{0};
    std::vector<std::shared_ptr<std::string>> shared;
    for (int i = 0; i < 2000; i++) {
        shared.emplace_back(new std::string(200, 'a'), [&](std::string *text) {
            destroyed++;
            delete text;
        });
    }
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([copies = shared, t]() mutable {
            std::list<std::function<size_t()>> work;
            for (auto &text : copies) {
                work.emplace_back([text, t] { return text->size() + (size_t)t; });
            }
            size_t sum = 0;
            for (auto &item : work) {
                sum += item();
            }
            if (sum != copies.size() * (200 + (size_t)t)) {
                abort();
            }
        });
    }
    shared.clear();
    for (auto &thread : threads) {
        thread.join();
    }
    threads.clear();
    assert_int_equal(destroyed.load(), 2000);
}

void streams_and_strings_work(void **) {
    std::ostringstream stream;
    for (int i = 0; i < 50000; i++) {
        stream << i << ' ';
    }
    std::istringstream input(stream.str());
    int number = 0;
    int expected = 0;
    while (input >> number) {
        assert_true(number == expected++);
    }
    assert_int_equal(expected, 50000);
}

} // namespace

int main() {
    provider_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_grow),
        cmocka_unit_test(maps_hold),
        cmocka_unit_test(over_aligned_elements_are_aligned),
        cmocka_unit_test(blocks_of_failed_constructors_are_freed),
        cmocka_unit_test(impossible_arrays_throw),
        cmocka_unit_test(shared_objects_move_between_threads),
        cmocka_unit_test(streams_and_strings_work),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
