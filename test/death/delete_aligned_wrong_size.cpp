/* delete_aligned_wrong_size.cpp
 * Purpose.     Sized and aligned operator delete with a wrong size.
 * expect: hakmem: operator delete\(@ptr@, 4096\): block has @usable@ bytes
 */
#include "../support/death.h"

#include <new>

/* clang declares these only on request. */
void operator delete(void *block, std::size_t size) noexcept;
void operator delete[](void *block, std::size_t size) noexcept;
void operator delete(void *block, std::size_t size, std::align_val_t alignment) noexcept;

int main() {
    void *block = opaque(::operator new (300, std::align_val_t{128}));
    death_say_size("usable", malloc_usable_size(block));
    pattern_fill(block, 300, 1);
    ::operator delete (death_pointer(block), opaque_size(4096), std::align_val_t{128});
    EXPECT(pattern_holds(block, 300, 1));
    ::operator delete (block, (size_t)300, std::align_val_t{128});
    return death_survived(1, 0);
}
