/* delete_stack.cpp
 * Purpose.     operator delete of a variable on the stack.
 * expect: hakmem: operator delete\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

#include <new>

int main() {
    int local = 1;
    ::operator delete(death_pointer(&local));
    EXPECT(local == 1);
    return death_survived(1, 1);
}
