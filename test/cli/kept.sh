#!/bin/bash
# stat and explain tell of mappings of freed blocks that are kept, or are blocks again, in a process and in its core;
# the background thread gives back what nobody takes.
. "$(dirname "$0")/support.bash"
cd "$work"
compile mapper <<'C'
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { MIB = 1 << 20 };
int main(int count, char **arguments) {
    char *large = malloc(400 * MIB), *block = malloc(100 * MIB);
    large[0] = 1;
    memset(block, 1, 100 * MIB);
    free(block);
    if (strcmp(arguments[1], "again") == 0)
        malloc(95 * MIB);
    close(creat(arguments[count - 1], 0600));
    for (;;)
        pause();
}
C

# Of the process, or of its core.
look() { # SUBJECT RETAINED MAPPINGS ACTIVE: bytes in MiB
    expect 0 "$TEST_CLI" stat --json "$1"
    holds "sum(g['granules'] for g in r['granules'] if g['use'] == 'retained') == $2 * 16"
    holds "r['retained_bytes'] == $2 << 20"
    holds "[u['units'] for u in r['units'] if u['use'] == 'direct'] == [$3]"
    holds "r['active_bytes'] >> 20 in range($4, $4 + 5)"
    expect 0 "$TEST_CLI" explain --json "$1"
    holds "sum(p['bytes'] for p in r['parts'] if p['part'] == 'retained') == $2 << 20"
}

start "$work/kept" env HAKMEM_PURGE_DELAY=3600000 LD_PRELOAD="$TEST_SO" "$work/mapper" once "$work/kept"
look "$process" 100 2 400
dump "$work/core"
look "$work/core" 100 2 400
stop

start "$work/used" env HAKMEM_PURGE_DELAY=3600000 LD_PRELOAD="$TEST_SO" "$work/mapper" again "$work/used"
look "$process" 0 2 495
dump "$work/core"
look "$work/core" 0 2 495
stop

start "$work/watched" env HAKMEM_BACKGROUND_THREAD=1 LD_PRELOAD="$TEST_SO" "$work/mapper" once "$work/watched"
for ((i = 0; i < 200; i++)); do
    expect 0 "$TEST_CLI" stat --json "$process"
    [ "$(field 'r["retained_bytes"]')" != 0 ] || break
    sleep 0.1
done
holds 'r["retained_bytes"] == 0'
holds "[u['units'] for u in r['units'] if u['use'] == 'direct'] == [1]"
stop
