/* realloc_freed_large.c
 * Purpose.     realloc of a Large block that was freed.
 * expect: hakmem: realloc\(@ptr@, 5000\): block already free
 */
#include "../support/death.h"

int main(void) {
    void *block = death_pointer(death_block(100000));
    free(block);
    EXPECT(realloc(opaque(block), opaque_size(5000)) == NULL);
    return death_survived(1, 0);
}
