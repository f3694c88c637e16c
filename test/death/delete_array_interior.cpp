/* delete_array_interior.cpp
 * Purpose.     operator delete[] of a pointer into a Large block, as after new[] of objects with a cookie deleted by
 *              hand.
 * expect: hakmem: operator delete\[\]\(@ptr@\): inside a block that starts at @start@
 */
#include "../support/death.h"

#include <new>

int main() {
    char *block = static_cast<char *>(opaque(::operator new[](200000)));
    death_say("start", block);
    ::operator delete[](death_pointer(block + 8));
    ::operator delete[](block);
    return death_survived(1, 0);
}
