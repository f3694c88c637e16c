#!/bin/bash
# verify: everything that keeps hakmem from serving a process is found, named, and makes the exit status 1.
. "$(dirname "$0")/support.bash"

culprit_is() {
    out_has "^  culprit: .*$1"
    out_has '^NOT PROVED'
    out_lacks '^PROVED'
}
found() {
    local pattern=$1
    shift
    expect 1 verify -- "$@"
    culprit_is "$pattern"
}

compile plain <<'C'
#include <stdlib.h>
int main(void) { free(malloc(100)); }
C
expect 0 verify -- "$work/plain"
out_has '^PROVED'
out_lacks culprit

# Without the library it is libc, and the check says so.
expect 1 "$TEST_CLI" verify --no-preload -- "$work/plain"
culprit_is 'hakmem is not loaded: nothing preloaded it; libc\.so\.6 serves it'
out_has ' libc\.so\.6: malloc, free$'
expect 1 "$TEST_CLI" verify --json --no-preload -- "$work/plain"
is served_by libc.so.6

# Plugins that the loader binds to libc. Also one that is gone before the end.
cat >"$work/plugin.c" <<'C'
#include <stdlib.h>
void use(void) { free(malloc(100)); }
C
compile plugin.so -shared -fPIC <"$work/plugin.c"
compile host -ldl -pthread <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
static char **arguments;
static void *work(void *unused) {
    const char *how = arguments[2];
    int flags = RTLD_NOW | (!strncmp(how, "deep", 4) ? RTLD_DEEPBIND : 0);
    void *plugin = !strcmp(how, "namespace") ? dlmopen(LM_ID_NEWLM, arguments[1], flags) : dlopen(arguments[1], flags);
    void (*use)(void) = (void (*)(void))dlsym(plugin, "use");
    use();
    if (strstr(how, "close")) dlclose(plugin);
    return unused;
}
int main(int count, char **given) {
    pthread_t thread;
    arguments = given;
    if (work(NULL) != NULL || !strstr(given[2], "thread")) return 0;
    pthread_create(&thread, NULL, work, NULL);
    return pthread_join(thread, NULL);
}
C
expect 0 verify -- "$work/host" "$work/plugin.so" normal
out_has "^  $work/plugin.so$"
expect 0 verify -- "$work/host" "$work/plugin.so" close-normally
found "$work/plugin.so has malloc, free bound to libc.so.6 \(opened with RTLD_DEEPBIND" \
    "$work/host" "$work/plugin.so" deep
found "$work/plugin.so has malloc, free bound to libc.so.6" "$work/host" "$work/plugin.so" namespace
found "libc's heap was used" "$work/host" "$work/plugin.so" deep-close
# libc's first caller gets its main heap, those in other threads heaps of their own.
found "libc's heaps for threads were used" "$work/host" "$work/plugin.so" deep-close-thread
out_lacks 'plugin.so has'

# libc's functions by other ways than their names.
compile sneaky -ldl <<'C'
#include <dlfcn.h>
#include <stdlib.h>
int main(void) { void *(*f)(size_t) = dlsym(dlopen("libc.so.6", RTLD_NOW), "malloc"); return f(10) == NULL; }
C
found "libc's heap was used" "$work/sneaky"
compile pointer <<'C'
#include <stdlib.h>
void *(*allocate)(size_t) = malloc;
void (*release)(void *) = free;
static void ignore(void *p) {}
int main(int count, char **a) { release(allocate(10)); if (count > 1) release = ignore; }
C
expect 0 verify -- "$work/pointer"
out_has 'libhakmem\.so: malloc, free$'
expect 0 verify -- "$work/pointer" change
out_has 'changed by the program: free$'

# Programs with an allocator of their own: in C, in C++, in a library that their own calls are bound to.
compile own <<'C'
#include <stddef.h>
static char space[1 << 20];
static size_t used;
void *malloc(size_t size) { void *p = space + used; used += (size + 15) & -16ul; return p; }
void *calloc(size_t n, size_t size) { return malloc(n * size); }
void *realloc(void *p, size_t size) { return malloc(size); }
void free(void *p) {}
int main(void) { free(malloc(100)); }
C
found "$work/own has its own malloc, calloc, realloc, free" "$work/own"
out_has "$work/own serves .*malloc.* of libc.so.6"
compile_cxx own_new -rdynamic <<'C'
#include <cstdlib>
#include <new>
void *operator new(std::size_t size) { return std::malloc(size); }
void operator delete(void *p) noexcept { std::free(p); }
void operator delete(void *p, std::size_t) noexcept { std::free(p); }
int main() { delete new int; }
C
found "$work/own_new (has its own|serves) operator new" "$work/own_new"
compile closed.so -shared -fPIC -Wl,-Bsymbolic <<'C'
#include <stddef.h>
static char space[4096];
void *malloc(size_t size) { return space; }
void free(void *p) {}
void use(void) { free(malloc(100)); }
C
found "$work/closed.so has its own malloc, free, which its own calls are bound to" \
    "$work/host" "$work/closed.so" normal
compile_cxx with_runtime -static-libstdc++ -rdynamic <<'C'
#include <stdexcept>
#include <string>
int main(int count, char **a) {
    try {
        return std::stoi(std::string(1000, '0') + a[0]);
    } catch (const std::out_of_range &) {
    }
}
C
expect 0 verify -- "$work/with_runtime"
out_has 'note: .*C\+\+ runtime inside'

# Another allocator that comes first; one that is there and serves nothing.
compile other.so -shared -fPIC <<'C'
#include <stddef.h>
static char space[1 << 20];
static size_t used;
void *malloc(size_t size) { void *p = space + used; used += (size + 15) & -16ul; return p; }
void *calloc(size_t n, size_t size) { return malloc(n * size); }
void *realloc(void *p, size_t size) { return malloc(size); }
void free(void *p) {}
int other_one;
C
found "$work/other.so serves malloc, free of " env LD_PRELOAD="$work/other.so $TEST_SO" "$work/plain"
compile linked "$work/other.so" -Wl,--no-as-needed <<'C'
#include <stdlib.h>
extern int other_one;
int main(void) { free(malloc(100)); return other_one; }
C
expect 0 verify -- "$work/linked"
out_has "note: .*$work/other.so has its own malloc.* which nothing is bound to"

# Processes that the library does not come to.
echo 'int main(void) { return 0; }' | compile static -static
found 'hakmem is not loaded: static binary' "$work/static"
echo 'int main(void) { return 0; }' | compile static-pie -static-pie
found 'hakmem is not loaded: static binary' "$work/static-pie"
found 'static: hakmem is not loaded: static binary' sh -c "$work/plain; $work/static; $work/plain"
found 'plain: hakmem is not loaded: LD_PRELOAD was taken out of its environment' env -u LD_PRELOAD "$work/plain"
found 'plain: hakmem is not loaded: .*libc.so.6 serves it' env -i "$work/plain"
if [ "$(id -u)" = 0 ]; then # for others the proof takes setuid programs their power: nothing to see there
    chmod 755 "$work"
    cp "$work/plain" "$work/privileged"
    chown 65534 "$work/privileged"
    chmod 4755 "$work/privileged"
    found 'privileged: hakmem is not loaded: setuid, setgid .*libc.so.6 serves it' "$work/privileged"
fi
expect 1 "$TEST_CLI" verify --lib "$work/other.so" -- "$work/plain"
culprit_is 'hakmem is not loaded'

# Pointers that are not hakmem's.
compile stray <<'C'
#include <stdlib.h>
static char here[64];
int main(void) { free(here + 16); }
C
expect 1 verify --set on_error=report -- "$work/stray"
culprit_is '1 pointers were freed that hakmem had not handed out'
out_has ' 1  frees of foreign pointers'
expect 1 verify -- "$work/stray"
out_has 'ended    by signal 6'
out_has ' 1  frees of foreign pointers'

# Other kinds of objects: symbols found by the System V hash table; a program at a fixed address, whose PLT entry is
# the address of malloc for everybody.
compile old -Wl,--hash-style=sysv <<'C'
#include <stdlib.h>
int main(void) { free(malloc(100)); }
C
expect 0 verify -- "$work/old"
out_has ' libhakmem\.so: malloc, free$'
expect 1 "$TEST_CLI" verify --no-preload -- "$work/old"
compile fixed -fno-pie -no-pie <<'C'
#include <stdlib.h>
static void *(*volatile take)(size_t);
int main(void) { take = malloc; free(take(100)); }
C
expect 0 verify -- "$work/fixed"
[ "$(uname -m)" != x86_64 ] || out_has ' through a PLT entry: malloc$'
