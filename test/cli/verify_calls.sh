#!/bin/bash
# verify: the calls that hakmem served are exact, per entry point: N more calls are N more in the report.
. "$(dirname "$0")/support.bash"

compile calls -pthread <<'C'
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
static char *mode;
static long n;
static void *keep[100000];
static void *work(void *unused) {
    for (long i = 0; i < n; i++) {
        void *p = NULL;
        if (!strcmp(mode, "malloc")) p = malloc(1 + i % 3000);
        if (!strcmp(mode, "large")) p = malloc(100000);
        if (!strcmp(mode, "huge")) p = malloc(20000000);
        if (!strcmp(mode, "calloc")) p = calloc(3, 1 + i % 500);
        if (!strcmp(mode, "aligned_alloc")) p = aligned_alloc(64, 64 * (1 + i % 10));
        if (!strcmp(mode, "posix_memalign")) posix_memalign(&p, 4096, 1 + i % 9000);
        if (!strcmp(mode, "memalign")) p = memalign(32, 1 + i % 100);
        if (!strcmp(mode, "valloc")) p = valloc(10);
        if (!strcmp(mode, "pvalloc")) p = pvalloc(10);
        if (!strcmp(mode, "reallocarray")) p = reallocarray(NULL, 3, 1 + i % 400);
        if (!strcmp(mode, "realloc")) p = realloc(malloc(24), 1 + i % 5000);
        if (!strcmp(mode, "null")) p = NULL;
        free(p);
    }
    return unused;
}
static void *take(void *unused) {
    for (long i = 0; i < n; i++)
        keep[i] = malloc(40);
    return unused;
}
static void *give(void *unused) {
    for (long i = 0; i < n; i++)
        free(keep[i]);
    return unused;
}
static void in_thread(void *(*function)(void *)) {
    pthread_t thread;
    pthread_create(&thread, NULL, function, NULL);
    pthread_join(thread, NULL);
}
int main(int count, char **arguments) {
    mode = arguments[1];
    n = atol(arguments[2]);
    int threads = atoi(arguments[3]);
    if (!strcmp(mode, "remote")) {
        in_thread(take);
        in_thread(give);
        return 0;
    }
    if (threads == 0)
        work(NULL);
    else
        for (int i = 0; i < threads; i++)
            in_thread(work);
}
C

# calls FILE COMMAND...: the lines "NUMBER ENTRY" of the report on the command.
calls() {
    local file=$1
    shift
    expect 0 verify -- "$@"
    sed -n '/^  calls that hakmem served$/,/^$/p' "$work/out" | sed 1d >"$file"
}
count_of() {
    awk -v entry="$2" '{ n = $1; sub(/^ *[0-9]+ +/, ""); if ($0 == entry) found = n } END { print found + 0 }' "$1"
}

# grown WHAT, then pairs of an entry and how many more calls the second report has.
grown() {
    local what=$1 found
    shift
    while [ $# -gt 0 ]; do
        found=$(($(count_of "$work/second" "$1") - $(count_of "$work/first" "$1")))
        [ "$found" = "$2" ] || fail "$what: $1 grows by $found instead of $2"
        shift 2
    done
}

# grows MODE N THREADS and the pairs: what grows when N doubles.
grows() {
    calls "$work/first" "$work/calls" "$1" "$2" "$3"
    calls "$work/second" "$work/calls" "$1" $(($2 * 2)) "$3"
    grown "$1, $2 against $(($2 * 2)) calls, $3 threads" "${@:4}"
}

grows malloc 1000 0 malloc 1000 free 1000 calloc 0 realloc 0
grows malloc 50000 0 malloc 50000 free 50000
grows large 300 0 malloc 300 free 300
grows huge 30 0 malloc 30 free 30
grows null 500 0 malloc 0 free 500
for entry in calloc aligned_alloc posix_memalign memalign valloc pvalloc reallocarray; do
    grows "$entry" 1000 0 "$entry" 1000 free 1000 malloc 0
done
grows realloc 1000 0 realloc 1000 malloc 1000 free 1000
# 8 threads, one after the other; and blocks that another thread frees.
grows malloc 1000 8 malloc 8000 free 8000
grows remote 1000 0 malloc 1000 free 1000

compile_cxx operators -std=c++17 <<'C'
#include <cstdlib>
#include <new>
struct alignas(64) wide { char c[64]; };
int main(int, char **a) {
    for (long i = std::atol(a[1]); i > 0; i--) {
        ::operator delete(::operator new(8));
        ::operator delete[](::operator new[](9));
        ::operator delete(::operator new(8), std::size_t(8));
        ::operator delete[](::operator new[](10), std::size_t(10));
        ::operator delete(::operator new(64, std::align_val_t(64)), std::align_val_t(64));
        ::operator delete[](::operator new[](64, std::align_val_t(64)), std::align_val_t(64));
        ::operator delete(::operator new(7, std::nothrow), std::nothrow);
    }
}
C
calls "$work/first" "$work/operators" 100
calls "$work/second" "$work/operators" 200
grown "operators" 'operator new' 300 'operator new[]' 200 'operator new(align)' 100 'operator new[](align)' 100 \
    malloc 0 calloc 0 free 0 'operator delete[](size)' 100 'operator delete(size)' 100

# A fork child's calls are its own; those of before the fork are its parent's.
compile forks <<'C'
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int count, char **arguments) {
    long n = atol(arguments[1]);
    for (long i = 0; i < 3 * n; i++)
        free(malloc(50));
    if (fork() == 0)
        for (long i = 0; i < n; i++)
            free(malloc(50));
    else
        wait(NULL);
}
C
expect 0 verify --json -- "$work/forks" 1000
is forked 'false true'
[ "$(values malloc | tail -1)" = 1000 ] || fail "calls of the child"
parent=$(values malloc | sed -n 2p)
[ "$parent" -ge 3000 ] && [ "$parent" -lt 3100 ] || fail "$parent calls of the parent instead of 3000 and a few"
