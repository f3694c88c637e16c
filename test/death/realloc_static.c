/* realloc_static.c
 * Purpose.     realloc of a static variable.
 * expect: hakmem: realloc\(@ptr@, 5000\): not a block of hakmem
 */
#include "../support/death.h"

static int data[100] = {1};

int main(void) {
    void *moved = realloc(death_pointer(&data[8]), opaque_size(5000));
    EXPECT(moved == NULL);
    EXPECT(data[0] == 1 && data[8] == 0);
    return death_survived(1, 1);
}
