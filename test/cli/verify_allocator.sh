#!/bin/bash
# verify --allocator: any allocator can be proved to serve, each by what it is; one that does not serve is refused by
# name, whatever kept it from doing so. Nothing is believed because ld.so only warned.
. "$(dirname "$0")/support.bash"

compile plain <<'C'
#include <stdlib.h>
int main(void) { free(malloc(100)); return 0; }
C
prove() {
    local allocator=$1
    shift
    expect 0 "$TEST_CLI" verify --json --allocator "$allocator" -- "$@"
}
# The named allocator does not serve: not run at all, or run and the report says who did.
refused() {
    local pattern=$1 allocator=$2
    expect 2 "$TEST_CLI" verify --json --allocator "$allocator" -- touch "$work/ran"
    err_has "$pattern"
    [ "$(wc -l <"$work/err")" = 1 ] || fail "more than one line"
    out_is_empty
    [ ! -e "$work/ran" ] || fail "the program was run"
}
culprit() {
    local pattern=$1 allocator=$2
    shift 2
    expect 1 "$TEST_CLI" verify --allocator "$allocator" -- "$@"
    out_has "^  culprit: .*$pattern"
    out_has "^NOT PROVED: $(basename "$allocator") did not serve everything"
    out_lacks '^PROVED'
}
# kind_is KIND: what the report calls the server; the first in it.
kind_is() { [ "$(values kind | head -1)" = "$1" ] || fail "kind is '$(values kind | head -1)' instead of '$1'"; }
build_id() { readelf -n "$1" | sed -n 's/.*Build ID: //p'; }

# allocator NAME [FLAGS]: a library that serves; the code on standard input comes on top.
allocator() {
    local name=$1
    shift
    cat - "$work/serves.c" | compile "$name" -shared -fPIC -Wl,--build-id "$@"
}
cat >"$work/serves.c" <<'C'
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#ifndef MORE
#define MORE(size) (used += size, used <= sizeof space ? space + used - size : NULL)
static char space[1 << 24];
static size_t used;
#endif
void *malloc(size_t size) {
    size_t all = (size + 31) & -16ul;
    size_t *p = (void *)MORE(all);
    return p == NULL || p == (void *)-1 ? NULL : (*p = size, p + 2);
}
void *calloc(size_t n, size_t size) { void *p = malloc(n * size); return p ? memset(p, 0, n * size) : p; }
void *realloc(void *p, size_t size) {
    void *new = malloc(size);
    size_t old = p != NULL ? ((size_t *)p)[-2] : 0;
    return new && p ? memcpy(new, p, old < size ? old : size) : new;
}
void free(void *p) {}
C

prove libc "$work/plain"
kind_is libc
is served_by libc.so.6
expect 0 "$TEST_CLI" verify --allocator libc -- sh -c "$work/plain; $work/plain"
out_has '^PROVED: libc served every allocation of [35] processes$'
out_has '^  served by /.*libc\.so\.6 \(libc, build id [0-9a-f]+\)$'
out_lacks 'calls that hakmem served'

cp "$TEST_SO" "$work/another_name.so"
prove "$work/another_name.so" "$work/plain"
is served_by hakmem
kind_is hakmem
[ "$(values malloc | head -1)" -ge 1 ] || fail "no counts of hakmem's"

allocator other.so </dev/null
prove "$work/other.so" "$work/plain"
is served_by other.so
[ "$(values build_id | head -1)" = "$(build_id "$work/other.so")" ] || fail "the build id"
kind_is unknown
python3 - "$work/out" "$work/other.so" <<'P' || fail "the report's form"
import json, sys
report = json.load(open(sys.argv[1]))
assert report["proved"] and report["library"] == sys.argv[2]
assert report["allocator"]["path"] == sys.argv[2] and report["allocator"]["name"] == "other.so"
(process,) = report["processes"]
assert process["proved"] and process["libc_heap_bytes"] == 0 and "counts" not in process
P

# A copy of one allocator under another's name is what it is, not what it is called.
for kind in mi_malloc:mimalloc tc_malloc:tcmalloc mallocx:jemalloc __TBB_malloc_proxy:tbbmalloc rpmalloc:rpmalloc \
    __malloc_end_pointer:snmalloc sn_malloc:snmalloc; do
    echo "void ${kind%:*}(void) {}" | allocator libjemalloc.so.2
    prove "$work/libjemalloc.so.2" "$work/plain"
    kind_is "${kind#*:}"
done

# The real ones, where they are installed. tcmalloc grows by brk, as libc does.
for peer in libmimalloc.so.2:mimalloc libjemalloc.so.2:jemalloc libtcmalloc_minimal.so.4:tcmalloc \
    libtbbmalloc_proxy.so.2:tbbmalloc; do
    library=/usr/lib/$("$CC" -print-multiarch)/${peer%:*}
    [ -e "$library" ] || continue
    prove "$library" sh -c "$work/plain; $work/plain"
    kind_is "${peer#*:}"
done

# What ld.so would warn about and go on without is refused before anything runs.
refused "cannot read the library $work/missing\.so: No such file" "$work/missing.so"
cp "$work/other.so" "$work/machine.so"
printf '\xf3\0' | dd of="$work/machine.so" bs=1 seek=18 conv=notrunc 2>/dev/null # RISC-V
refused "cannot preload $work/machine\.so: it is built for another machine than .*ELF machine 243, 64 bits" \
    "$work/machine.so"
printf '\x01' | dd of="$work/machine.so" bs=1 seek=4 conv=notrunc 2>/dev/null
refused 'ELF machine 243, 32 bits' "$work/machine.so"
echo 'int nothing;' | compile nothing.so -shared -fPIC
refused "cannot preload $work/nothing\.so: it defines no malloc" "$work/nothing.so"
echo 'void *malloc(unsigned long n) { return 0; }' | compile half.so -shared -fPIC
refused "cannot preload $work/half\.so: it defines no free" "$work/half.so"
echo text >"$work/text.so"
refused "cannot preload $work/text\.so: it is not a shared library" "$work/text.so"
: >"$work/empty.so"
refused 'it is not a shared library' "$work/empty.so"
head -c 3000 "$work/other.so" >"$work/cut.so"
culprit 'cut\.so is (not loaded|loaded, but nothing is bound to it)' "$work/cut.so" "$work/plain"
refused 'it is not a shared library' "$work"
LD_PRELOAD=$work/other.so refused "the environment preloads $work/other\.so: unset LD_PRELOAD" libc

# What shows only in the process.
echo 'extern int absent; int *address = &absent;' | allocator needs.so -Wl,-z,now
culprit 'plain has malloc, free at an address that belongs to no object' "$work/needs.so" "$work/plain"
echo 'V { global: malloc; calloc; realloc; free; };' >"$work/version"
allocator versioned.so -Wl,--version-script="$work/version" </dev/null
culprit 'versioned\.so is loaded, but nothing is bound to it' "$work/versioned.so" "$work/plain"
out_has 'plain has malloc, free bound to libc\.so\.6'
expect 1 "$TEST_CLI" verify --json --allocator "$work/versioned.so" -- "$work/plain"
is served_by libc.so.6
culprit 'other\.so is not loaded: LD_PRELOAD was taken out of its environment.*libc\.so\.6 serves it' \
    "$work/other.so" env -u LD_PRELOAD "$work/plain"
culprit "$work/other.so serves malloc, free of plain" "$work/another_name.so" \
    env LD_PRELOAD="$work/other.so $work/another_name.so" "$work/plain"
echo 'int main(void) { return 0; }' | compile static -static
culprit 'other\.so is not loaded: static binary' "$work/other.so" "$work/static"
culprit 'libc is not loaded: static binary' libc "$work/static"
culprit "$TEST_SO serves malloc, free of plain" libc env LD_PRELOAD="$TEST_SO" "$work/plain"

# An allocator that grows by brk has [heap] to itself; libc's malloc reached by another way than its name is seen.
allocator grows.so -DMORE=sbrk </dev/null
prove "$work/grows.so" "$work/plain"
compile sneaky -ldl <<'C'
#include <dlfcn.h>
#include <stdlib.h>
int main(void) {
    void *(*f)(size_t) = dlsym(dlopen("libc.so.6", RTLD_NOW), "malloc");
    return malloc(10) == NULL || f(10) == NULL;
}
C
culprit "libc's heap was used" "$work/grows.so" "$work/sneaky"
culprit "libc's heap was used" "$work/other.so" "$work/sneaky"

# What the library does not define: harmless with libc or the C++ runtime if it allocates through malloc there.
compile trims <<'C'
#include <malloc.h>
int main(void) { malloc_trim(0); free(reallocarray(NULL, 10, 10)); }
C
prove "$work/other.so" "$work/trims"
compile_cxx objects <<'C'
#include <string>
int main() { return std::string(1000, 'a').size() != 1000; }
C
prove "$work/other.so" "$work/objects"
compile aligned <<'C'
#include <stdlib.h>
int main(void) { return aligned_alloc(64, 64) == NULL; }
C
culprit 'aligned has aligned_alloc bound to libc\.so\.6' "$work/other.so" "$work/aligned"

# reallocarray on top of realloc, as libbsd has it, is no allocator, whoever serves. With a realloc of its own it is
# one.
compile arrays.so -shared -fPIC <<'C'
#include <stdlib.h>
void *reallocarray(void *p, size_t n, size_t size) { return realloc(p, n * size); }
C
allocator owns.so <<'C'
#include <stddef.h>
void *realloc(void *p, size_t size);
void *reallocarray(void *p, size_t n, size_t size) { return realloc(p, n * size); }
C
compile hides.so -shared -fPIC <<'C'
#include <stdlib.h>
static char space[1 << 20];
static size_t used;
void *reallocarray(void *p, size_t n, size_t size) { (void)p; return space + (used += n * size); }
void *another(void) { return malloc(1); }
C
for library in arrays owns hides; do
    compile "$library" "$work/$library.so" <<'C'
#include <stdlib.h>
int main(void) { return reallocarray(NULL, 10, 10) == NULL; }
C
done
prove libc "$work/arrays"
prove "$work/other.so" "$work/arrays"
expect 1 "$TEST_CLI" verify --allocator "$work/other.so" -- env -u LD_PRELOAD "$work/arrays"
out_has 'other\.so is not loaded: .*; libc\.so\.6 serves it'
compile array -rdynamic <<'C'
#include <stdlib.h>
void *reallocarray(void *p, size_t n, size_t size) { return realloc(p, n * size); }
int main(void) { return reallocarray(NULL, 10, 10) == NULL; }
C
prove "$work/other.so" "$work/array"
culprit 'owns\.so serves .*reallocarray of owns' libc "$work/owns"
culprit 'hides\.so serves reallocarray of hides' libc "$work/hides"
culprit 'hides\.so serves reallocarray of hides' "$work/other.so" "$work/hides"
