/* free_mapped.c
 * Purpose.     free of memory that the program mapped itself.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem
 */
#include "../support/death.h"

int main(void) {
    char *mapped = mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(mapped != MAP_FAILED);
    mapped[4096] = 1;
    free(death_pointer(mapped + 4096));
    EXPECT(mapped[4096] == 1);
    return death_survived(1, 1);
}
