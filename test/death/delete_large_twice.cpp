/* delete_large_twice.cpp
 * Purpose.     operator delete of a Large block twice.
 * expect: hakmem: operator delete\(@ptr@\): block already free
 */
#include "../support/death.h"

#include <new>

int main() {
    void *block = death_pointer(opaque(::operator new(200000)));
    ::operator delete(block);
    ::operator delete(opaque(block));
    return death_survived(1, 0);
}
