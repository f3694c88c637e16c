/* delete_wrong_size.cpp
 * Purpose.     Sized operator delete with the size of another class: an object deleted through a base without virtual
 *              destructor.
 * expect: hakmem: operator delete\(@ptr@, 400\): block has @usable@ bytes
 */
#include "../support/death.h"

#include <new>

/* clang declares these only on request. */
void operator delete(void *block, std::size_t size) noexcept;
void operator delete[](void *block, std::size_t size) noexcept;
void operator delete(void *block, std::size_t size, std::align_val_t alignment) noexcept;

int main() {
    void *block = opaque(::operator new(32));
    death_say_size("usable", malloc_usable_size(block));
    pattern_fill(block, 32, 1);
    ::operator delete(death_pointer(block), opaque_size(400));
    EXPECT(pattern_holds(block, 32, 1));
    ::operator delete(block, (size_t)32);
    return death_survived(1, 0);
}
