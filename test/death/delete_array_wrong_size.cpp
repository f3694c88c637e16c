/* delete_array_wrong_size.cpp
 * Purpose.     Sized operator delete[] with a wrong size.
 * expect: hakmem: operator delete\[\]\(@ptr@, 64\): block has @usable@ bytes
 */
#include "../support/death.h"

#include <new>

/* clang declares these only on request. */
void operator delete(void *block, std::size_t size) noexcept;
void operator delete[](void *block, std::size_t size) noexcept;
void operator delete(void *block, std::size_t size, std::align_val_t alignment) noexcept;

int main() {
    void *block = opaque(::operator new[](20000));
    death_say_size("usable", malloc_usable_size(block));
    pattern_fill(block, 20000, 1);
    ::operator delete[](death_pointer(block), opaque_size(64));
    EXPECT(pattern_holds(block, 20000, 1));
    ::operator delete[](block, (size_t)20000);
    return death_survived(1, 0);
}
