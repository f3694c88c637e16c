#!/bin/bash
# verify of programs that are linked with hakmem and need no preload: the shared library, the archive.
. "$(dirname "$0")/support.bash"
folder=$(cd "$(dirname "$TEST_SO")" && pwd)

cat >"$work/calls.c" <<'C'
#include <stdlib.h>
int main(void) {
    for (int i = 0; i < 100; i++)
        free(malloc(100));
}
C
compile with_so -Wl,--no-as-needed "$TEST_SO" -Wl,-rpath,"$folder" <"$work/calls.c"
expect 0 "$TEST_CLI" verify --no-preload -- "$work/with_so"
out_has '^ +100  malloc$'
expect 0 verify -- "$work/with_so"
out_has '^ +100  malloc$'

[ -e "$folder/libhakmem.a" ] || fail "no libhakmem.a beside the shared library"
compile with_a "$folder/libhakmem.a" -pthread <"$work/calls.c"
expect 0 "$TEST_CLI" verify --no-preload -- "$work/with_a"
out_has '^ +100  malloc$'
out_has ' with_a: malloc, free'

# Nothing is left of bindings in a static program: the calls can be counted, but it is no proof.
compile with_a_static -static "$folder/libhakmem.a" -pthread <"$work/calls.c" 2>/dev/null
expect 1 "$TEST_CLI" verify --no-preload -- "$work/with_a_static"
out_has '^ +1[0-9][0-9]  malloc$'
out_has 'culprit: .*a static binary: hakmem is linked into it'
out_lacks 'heap was used'
