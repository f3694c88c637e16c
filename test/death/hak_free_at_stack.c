/* hak_free_at_stack.c
 * Purpose.     hak_free_at says where the bad free stands.
 * expect: hakmem: free\(@ptr@\): not a block of hakmem, called at .*hak_free_at_stack\.c:@line@
 */
#include "../support/death.h"

#include "../support/hak_functions.h"

int main(void) {
    struct hak_functions hak;
    EXPECT(hak_functions_find(&hak, RTLD_DEFAULT));
    int local = 1;
    hak_callsite_t site = HAK_CALLSITE();
    death_say_size("line", site->line);
    hak.hak_free_at(death_pointer(&local), site);
    EXPECT(local == 1);
    return death_survived(1, 1);
}
