#!/bin/bash
# explain takes nothing of a thread's list for the program's, however long the list is between two looks.
. "$(dirname "$0")/support.bash"
cd "$work"
compile lister <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments) {
    static void *blocks[12000];
    for (int i = 0; i < 12000; i++)
        blocks[i] = memset(malloc(48), 1, 48);
    for (int i = 0; i < atoi(arguments[1]); i++)
        free(blocks[i]);
    FILE *ready = fopen(arguments[2], "w");
    if (count != 3 || ready == NULL || fclose(ready) != 0)
        return 1;
    pause();
    return 0;
}
C

live() { # FREED LEFT: there is as much of live blocks, and what the C library has
    rm -f "$work/ready"
    start "$work/ready" env LD_PRELOAD="$TEST_SO" "$work/lister" "$1" "$work/ready"
    expect 0 "$TEST_CLI" explain --json "$process"
    holds "sum(p['bytes'] for p in r['parts'] if p['part'] == 'live') - $2 * 48 in range(0, 16384)"
    stop
}

live 0 12000
live 5000 7000
live 6000 6000
