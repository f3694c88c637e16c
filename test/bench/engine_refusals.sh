#!/bin/bash
# test/bench/engine_refusals.sh
# Purpose.     `hakmem bench` measures nobody but the allocator named: each way to name one that would not serve is
#              refused with its reason, the other allocators are measured, and the exit status is 1.
# Design.      What the engine sees before a run (file, machine, names, copies), and what only the proof of the run
#              sees: a library that the dynamic loader cannot load, of which it merely warns.
# timeout: 300
. "$SOURCE_DIR/test/cli/support.bash"

# bench ARGUMENT...: libc and the allocator named in one row.
bench() { "$TEST_CLI" bench --repeats 10 --no-latency --allocators "$@" lifo/16; }

# refused NAME=PATH REASON: it is, in every row, and libc is measured.
refused() {
    expect 1 bench "libc,$1"
    out_has "^refused +${1%%=*} +every row +.*$2"
    out_has '^lifo 16 B +libc .* baseline '
}

refused "broken=$work/nothing.so" "$work/nothing.so: no such file"

echo text >"$work/text.so"
refused "text=$work/text.so" 'not an ELF file'

cp "$TEST_SO" "$work/arm.so"
printf '\267' | dd of="$work/arm.so" bs=1 seek=18 conv=notrunc 2>"$work/err"
refused "arm=$work/arm.so" 'for another machine \(aarch64, this one is x86-64\)'

compile empty.so -shared -fPIC <<<'int nothing;'
refused "empty=$work/empty.so" 'exports no malloc'

cp "$TEST_SO" "$work/copy.so"
refused "mimalloc=$work/copy.so" 'is hakmem, not mimalloc'
refused "hakmem=$work/empty.so" 'exports no malloc'

# One file under two names: the second is no other allocator.
expect 1 bench "hakmem=$TEST_SO,other=$work/copy.so"
out_has '^refused +other +every row +.*is the same file as hakmem'

# A good malloc that needs a library which is not there: the loader warns and goes on with libc.
compile gone.so -shared -fPIC -Wl,-soname,libgone.so <<<'void gone(void) {}'
compile needy.so -shared -fPIC "$work/gone.so" <<'C'
#include <stddef.h>
void gone(void);
void *malloc(size_t size) { gone(); return NULL; }
void free(void *p) {}
C
rm "$work/gone.so"
refused "needy=$work/needy.so" ''
! grep -qE '^lifo 16 B +needy|^ +needy +[0-9]' "$work/out" || fail "an unproved row was shown"

# A program that brings its own malloc is not served by whoever is preloaded.
compile own -rdynamic <<'C'
#include <stddef.h>
static char memory[1 << 20];
static size_t used;
void *malloc(size_t size) { void *p = memory + used; used += (size + 15) & ~15ul; return p; }
void free(void *p) {}
void *calloc(size_t n, size_t size) { return malloc(n * size); }
void *realloc(void *p, size_t size) { return malloc(size); }
int main(void) { return malloc(100) == NULL; }
C
expect 1 "$TEST_CLI" bench --repeats 10 --allocators "hakmem=$TEST_SO" -- "$work/own"
out_has '^refused +hakmem +every row +'

# A command that fails is no measurement.
expect 1 "$TEST_CLI" bench --repeats 10 --allocators libc -- sh -c 'exit 3'
out_has '^refused +libc +every row +the program ended with exit status 3'

# The control: with nothing wrong nobody is refused.
expect 0 bench "libc,hakmem=$TEST_SO"
out_lacks '^refused'
out_has '^ +hakmem .*  10$'
