#!/bin/bash
# test/golden/nostats.sh
# Purpose.     HAKMEM_ENABLE_STATS=OFF leaves nothing of the debug counters: not a byte of the object differs from that
#              of sources in which they were never written.
# Design.      A copy of src/ loses every line that counts, the declarations that only counters need, and the files that
#              make them; whatever is overlooked does not compile. Both are compiled as the library is, with and without
#              more optimisation, and the objects compared whole, symbols and data included.
#              Before that the comparison shows that it can fail: the counters switched on, and one that leaves a single
#              store behind when they are off, must be seen.
set -eu
. "$SOURCE_DIR/test/cli/support.bash"

cp -r "$SOURCE_DIR/src" "$SOURCE_DIR/include" "$work"
cp -r "$work/src" "$work/never"
cd "$work"
rm never/os/counters.h never/os/counters.c
find never -type f -exec sed -i -E \
    -e '/^#include "os\/counters\.[ch]"$/d' \
    -e '/^ *COUNT_ONLY\(.*\)( \/\*.*\*\/)?$/d' \
    -e 's/^( *)COUNT[A-Z_]*\(.*\);$/\1;/' \
    -e '/^    \.counter_count = |^    \.counters = /d' {} +
lines=$(diff -r src never | grep -c '^<.*COUNT')
[ "$lines" -ge 25 ] || fail "only $lines lines that count were taken away"
! grep -rnE '^ *COUNT[A-Z_]*\(' never || fail "lines that count are left"

python3 - "$BUILD_DIR/compile_commands.json" >flags <<'PY'
import json, shlex, sys
with open(sys.argv[1]) as file:
    command = next(e["command"] for e in json.load(file) if e["file"].endswith("/src/hakmem.c"))
words = iter(shlex.split(command))
for word in words:
    if word in ("-o", "-c"):
        next(words)
    elif not word.startswith(("-I", "-g", "-fstack-usage", "-DHAK_STATS", "-W")):
        print(word)
PY
mapfile -t command <flags

# object NAME DIRECTORY FLAG...: compiles DIRECTORY/hakmem.c into NAME, under one name for all.
object() {
    local name=$1 directory=$2
    shift 2
    cp -r "$directory" tree
    "${command[@]}" -Iinclude -Itree "$@" -c tree/hakmem.c -o "$name" 2>err || fail "$directory does not compile"
    rm -r tree
}

for level in -DAS_BUILT -O3; do
    object off src -DHAK_STATS=0 "$level"
    object never.o never -DHAK_STATS=0 "$level"
    object on src -DHAK_STATS=1 "$level"
    ! cmp -s off on || fail "$level: the counters switched on make no difference: nothing was compared"
    cmp -s off never.o || fail "$level: something is left of the counters:
$(diff <(nm off) <(nm never.o); diff <(objdump -dr off) <(objdump -dr never.o) | head -n 20)"
done

cp -r src leaves
sed -i 's/^#define COUNT_REFILL_BEGIN() ((void)0)$/#define COUNT_REFILL_BEGIN() store_relaxed(blocks, NULL)/' \
    leaves/os/counters.h
object left leaves -DHAK_STATS=0
! cmp -s off left || fail "a store that is left behind was not seen"
! nm off | grep -i 'hak_count' || fail "symbols of the counters are left"
