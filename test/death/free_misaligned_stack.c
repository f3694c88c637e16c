/* free_misaligned_stack.c
 * Purpose.     free of an address on the stack that no allocator would hand out.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    char local[64] = "text";
    free(death_pointer(local + 3));
    EXPECT(local[0] == 't');
    return death_survived(1, 1);
}
