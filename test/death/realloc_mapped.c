/* realloc_mapped.c
 * Purpose.     realloc of memory that the program mapped itself.
 * expect: hakmem: realloc\(@ptr@, 5000\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    char *mapped = mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(mapped != MAP_FAILED);
    mapped[4096] = 1;
    void *moved = realloc(death_pointer(mapped + 4096), opaque_size(5000));
    EXPECT(moved == NULL);
    EXPECT(mapped[4096] == 1);
    return death_survived(1, 1);
}
