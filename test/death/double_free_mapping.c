/* double_free_mapping.c
 * Purpose.     A block that is a mapping of its own freed twice: the address may be unmapped by then.
 * expect: hakmem: free\(@ptr@\): (block already free|not a block of hakmem)
 */
#include "../support/death.h"

int main(void) {
    void *block = death_pointer(death_block(268435456));
    free(block);
    free(opaque(block));
    const struct hak_view *view = dlsym(RTLD_DEFAULT, "hak_view");
    return death_survived(1, view->foreign_frees);
}
