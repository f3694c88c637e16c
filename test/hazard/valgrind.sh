#!/bin/sh
# valgrind.sh
# timeout: 300
# Purpose.     The library works under valgrind's emulation, which ignores address hints, serialises threads, and
#              knows few system calls: same output as without.
set -eu
command -v valgrind > /dev/null || { echo "no valgrind"; exit 77; }
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cat > "$directory/program.c" <<'PROGRAM'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { BLOCKS = 300 };
static void *work(void *unused) {
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = i % 50 == 0 ? i * 20000 + 1 : i * 40 + 1;
        blocks[i] = calloc(1, size);
        if (blocks[i] == NULL) abort();
        memset(blocks[i], 1, size);
        blocks[i] = realloc(blocks[i], size * 2);
        if (blocks[i] == NULL || *(char *)blocks[i] != 1) abort();
    }
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
    return unused;
}
int main(void) {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, work, NULL);
    work(NULL);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    printf("%s\n", dlsym(RTLD_DEFAULT, "hak_view") != NULL ? "on hakmem" : "on libc");
    return 0;
}
PROGRAM
"${CC:-cc}" -O1 -w -D_GNU_SOURCE -pthread "$directory/program.c" -o "$directory/program"
output=$(LD_PRELOAD=$TEST_SO valgrind --tool=none --quiet "$directory/program" 2> "$directory/errors")
cat "$directory/errors"
if [ "$output" != "on hakmem" ]; then
    echo "output: '$output'"
    exit 1
fi
