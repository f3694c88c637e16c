/* free_static.c
 * Purpose.     free of a static variable.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

static int data[100] = {1};

int main(void) {
    free(death_pointer(&data[8]));
    EXPECT(data[0] == 1 && data[8] == 0);
    return death_survived(1, 1);
}
