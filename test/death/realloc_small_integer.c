/* realloc_small_integer.c
 * Purpose.     realloc of a small number, as in an uninitialised structure.
 * expect: hakmem: realloc\(@ptr@, 5000\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    void *moved = realloc(death_pointer((void *)0x50), opaque_size(5000));
    EXPECT(moved == NULL);
    return death_survived(1, 1);
}
