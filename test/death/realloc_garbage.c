/* realloc_garbage.c
 * Purpose.     realloc of a number that is no canonical address.
 * expect: hakmem: realloc\(@ptr@, 5000\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    void *moved = realloc(death_pointer((void *)0xdeadbeefdeadbeef), opaque_size(5000));
    EXPECT(moved == NULL);
    return death_survived(1, 1);
}
