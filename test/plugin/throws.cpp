/* throws.cpp
 * Purpose.     A C++ plugin for a C program that did not load the C++ library: its operator new fails inside it and is
 *              caught inside it.
 */
#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/opaque.h"

extern "C" {
int plugin_catches_bad_alloc(std::size_t impossible);
int plugin_handler_calls(std::size_t impossible);
int plugin_quiet_new_is_null(std::size_t impossible);
int plugin_uses_containers(void);
}

static int calls;

static void count_and_give_up() {
    if (++calls == 3) {
        std::set_new_handler(nullptr);
    }
}

int plugin_catches_bad_alloc(std::size_t impossible) {
    int caught = 0;
    try {
        caught -= opaque(::operator new(impossible)) == nullptr;
    } catch (const std::bad_alloc &) {
        caught++;
    }
    try {
        caught -= opaque(::operator new[](impossible, std::align_val_t{128})) == nullptr;
    } catch (const std::exception &) {
        caught++;
    }
    return caught;
}

int plugin_handler_calls(std::size_t impossible) {
    calls = 0;
    std::set_new_handler(count_and_give_up);
    try {
        calls -= opaque(::operator new(impossible)) == nullptr;
    } catch (const std::bad_alloc &) {
        return calls;
    }
    return -1;
}

int plugin_quiet_new_is_null(std::size_t impossible) {
    return opaque(::operator new(impossible, std::nothrow)) == nullptr;
}

int plugin_uses_containers(void) {
    std::vector<std::string> texts;
    for (int i = 0; i < 10000; i++) {
        texts.push_back(std::string(50, 'x') + std::to_string(i));
    }
    return texts[9999] == std::string(50, 'x') + "9999";
}
