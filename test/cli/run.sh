#!/bin/bash
# run: what the program gets, what comes back, and every reason for which nothing is run.
. "$(dirname "$0")/support.bash"

nothing_ran() {
    err_has "$1"
    [ ! -e "$work/ran" ] || fail "the program was run"
}

# Exit status, signals, arguments, standard streams.
expect 0 run -- true
expect 7 run -- sh -c 'exit 7'
expect 143 run -- sh -c 'kill -TERM $$'
expect 137 run sh -c 'kill -KILL $$'
expect 0 run -- printf '%s|' a 'b c' '' --help
[ "$(cat "$work/out")" = 'a|b c||--help|' ] || fail "arguments were changed"
[ "$(echo text | run -- cat)" = text ] || fail "standard input was not passed"

# The library is there, in front of what was preloaded before, and once.
compile who <<'C'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    Dl_info info;
    dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info);
    puts(info.dli_fname);
    puts(getenv("LD_PRELOAD"));
}
C
library=$(realpath "$TEST_SO")
expect 0 run -- "$work/who"
[ "$(cat "$work/out")" = "$library"$'\n'"$library" ] || fail "malloc is not hakmem's"
echo 'int other;' | compile other.so -shared -fPIC
expect 0 env LD_PRELOAD="$work/other.so" "$TEST_CLI" run --lib "$TEST_SO" "$work/who"
[ "$(cat "$work/out")" = "$library"$'\n'"$library:$work/other.so" ] || fail "LD_PRELOAD was not kept"

# Found without --lib: beside the command, in ../lib, in ../lib/<multiarch>.
for place in bin lib "lib/$("$CC" -print-multiarch)"; do
    rm -rf "$work/tree"
    mkdir -p "$work/tree/bin" "$work/tree/$place"
    cp "$TEST_CLI" "$work/tree/bin/hakmem"
    cp "$TEST_SO" "$work/tree/$place/libhakmem.so"
    expect 0 "$work/tree/bin/hakmem" run -- "$work/who"
    out_has "^$work/tree/$place/libhakmem.so$"
done

# Options of the library: in force, and taken back from the environment's own setting.
expect 0 env HAKMEM_PURGE_DELAY=5 "$TEST_CLI" run --lib "$TEST_SO" --set purge_delay=77 --set thp=never \
    --set confirm=1 -- true
err_has '^hakmem: purge_delay=77$'
err_has '^hakmem: thp=never$'
expect 0 env HAKMEM_LIMIT=hard:5 HAKMEM_LIMIT_HARD=5 "$TEST_CLI" run --lib "$TEST_SO" --set limit_hard=1G \
    --set confirm=1 -- true
err_has '^hakmem: limit_hard=1073741824$'
for bad in purge_delay=abc purge_delay= purge_delay=-1 purge_delay=99999999999999999999 thp=sometimes thp=NEVER \
    wrap_tiny=2 limit_hard=1T limit_hard=K nonsense=1 =1 purge_delay; do
    expect 2 run --set "$bad" -- touch "$work/ran"
    nothing_ran '^hakmem: '
done
expect 2 run --set nonsense=1 -- touch "$work/ran"
nothing_ran 'no option nonsense'
expect 2 run --set thp=sometimes -- touch "$work/ran"
nothing_ran 'thp=sometimes: one of never\|adaptive\|always'

# Programs that are not there or cannot be run.
expect 2 run -- no-such-program-anywhere
nothing_ran 'not found'
expect 2 run -- "$work/missing"
nothing_ran 'No such file'
expect 2 run -- ''
nothing_ran 'not found'
expect 2 run -- "$work"
nothing_ran 'directory'
printf '#!/bin/sh\ntouch %s/ran\n' "$work" >"$work/script"
expect 2 run -- "$work/script"
nothing_ran 'not executable'
chmod +x "$work/script"
expect 0 run -- "$work/script"
[ -e "$work/ran" ] || fail "the script was not run"
rm "$work/ran"
printf 'touch %s/ran\n' "$work" >"$work/text"
chmod +x "$work/text"
expect 2 run -- "$work/text"
nothing_ran 'neither an ELF program nor a script'
printf '#!%s/gone\n' "$work" >"$work/lost"
chmod +x "$work/lost"
expect 2 run -- "$work/lost"
nothing_ran "interpreter $work/gone: No such file"
as_user=
if [ "$(id -u)" = 0 ]; then
    as_user="setpriv --reuid=65534 --regid=65534 --clear-groups"
    chmod 755 "$work"
fi
cp "$work/who" "$work/unreadable"
chmod 111 "$work/unreadable"
expect 2 $as_user "$TEST_CLI" run --lib "$TEST_SO" -- "$work/unreadable"
nothing_ran 'cannot be read'

# Programs that the loader will not preload into.
echo 'int main(void) { return 0; }' | compile static -static
expect 2 run -- "$work/static"
nothing_ran 'static binary'
printf '#!%s/static\n' "$work" >"$work/static-script"
chmod +x "$work/static-script"
expect 2 run -- "$work/static-script"
nothing_ran 'static binary'
cp "$work/who" "$work/foreign"
other=267 # e_machine: aarch64, or x86-64 for the others
[ "$(uname -m)" = x86_64 ] || other=76
printf "\\$other" | dd of="$work/foreign" bs=1 seek=18 conv=notrunc 2>/dev/null
expect 2 run -- "$work/foreign"
nothing_ran 'another architecture'
cp "$work/who" "$work/narrow"
printf '\1' | dd of="$work/narrow" bs=1 seek=4 conv=notrunc 2>/dev/null # EI_CLASS: 32 bit
expect 2 run -- "$work/narrow"
nothing_ran 'another architecture'
if [ "$(id -u)" = 0 ]; then
    cp "$work/who" "$work/privileged"
    chown 65534:65534 "$work/privileged"
    for mode in 4755 2755; do
        chmod "$mode" "$work/privileged"
        expect 2 run -- "$work/privileged"
        nothing_ran 'set[ug]id: the loader ignores LD_PRELOAD'
    done
    chown 0:0 "$work/privileged"
    chmod 4755 "$work/privileged" # of the same user: nothing changes, and the loader preloads
    expect 0 run -- "$work/privileged"
fi

# The library itself.
expect 2 "$TEST_CLI" run --lib "$work/none.so" -- touch "$work/ran"
nothing_ran 'cannot read the library'
expect 2 "$TEST_CLI" run --lib "$work/script" -- touch "$work/ran"
nothing_ran 'not a shared library'
mkdir "$work/a b"
cp "$TEST_SO" "$work/a b/libhakmem.so"
expect 2 "$TEST_CLI" run --lib "$work/a b/libhakmem.so" -- touch "$work/ran"
nothing_ran 'space or a colon'
