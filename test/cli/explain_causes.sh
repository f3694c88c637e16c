#!/bin/bash
# explain names the cause first: of a program that leaks, one that fragments, one whose threads cache much, and two that
# only look big, because of what is retained and because of huge pages. What it says of each is known in advance.
. "$(dirname "$0")/support.bash"

compile causes -pthread <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { THREADS = 16 };
static pthread_barrier_t barrier;

static void leak(void) {
    for (int i = 0; i < 500000; i++)
        memset(malloc(100), 1, 100);
}

/* Of every ten blocks one stays. */
static void fragment(void) {
    enum { COUNT = 1000000 };
    char **block = malloc(COUNT * sizeof *block);
    for (int i = 0; i < COUNT; i++)
        memset(block[i] = malloc(48), 1, 48);
    for (int i = 0; i < COUNT; i++)
        if (i % 10 != 0)
            free(block[i]);
    free(block);
}

/* Each thread uses more than a thousand blocks of each of four sizes, in turns, and has given all of them back. */
static void *cache(void *unused) {
    enum { BLOCKS = 1200 };
    static const int rounds = 12;
    char *block[BLOCKS];
    for (int round = 0; round < rounds; round++)
        for (int size = 520; size < 1024; size += 128) {
            for (int i = 0; i < BLOCKS; i++)
                memset(block[i] = malloc(size), 1, size);
            for (int i = 0; i < BLOCKS; i++)
                free(block[i]);
        }
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
}

/* Freed at once, and no call since. */
static void retain(void) {
    enum { COUNT = 30 };
    char *block[COUNT];
    for (int i = 0; i < COUNT; i++)
        memset(block[i] = malloc(1000000), 1, 1000000);
    for (int i = 0; i < COUNT; i++)
        free(block[i]);
}

/* One block of each size, a page of each slab. */
static void *touch(void *unused) {
    for (int size = 16; size <= 32768; size += size < 1024 ? 16 : size / 8)
        for (int i = 0; i < 2; i++)
            memset(malloc(size), 1, 16);
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
}

static void in_threads(void *(*work)(void *)) {
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread, NULL, work, NULL);
    pthread_barrier_wait(&barrier);
}

int main(int count, char **arguments) {
    switch (arguments[1][0]) {
    case 'l': leak(); break;
    case 'f': fragment(); break;
    case 'c': in_threads(cache); break;
    case 'r': retain(); break;
    case 't': in_threads(touch); break;
    }
    creat(arguments[2], 0600);
    for (;;)
        pause();
}
C

# cause PART KIB WORD [NAME=VALUE]: the program that WORD names, on hakmem, has at least KIB in that part, first.
cause() {
    local part=$1 kib=$2 word=$3
    shift 3
    start "$work/ready" env "$@" LD_PRELOAD="$TEST_SO" "$work/causes" "$word" "$work/ready"
    expect 0 "$TEST_CLI" verify --pid "$process"
    out_has '^PROVED'
    expect 0 "$TEST_CLI" explain --json "$process"
    holds "r['parts'][0]['part'] == '$part'"
    holds "r['parts'][0]['bytes'] >= $kib * 1024"
    holds 'abs(r["sum_bytes"] - r["kernel_rss_bytes"]) <= r["kernel_rss_bytes"] / 100'
}

# text PATTERN: so says the line of the first part, or one of those below it.
text() {
    expect 0 "$TEST_CLI" explain "$process"
    sed -n '4,/^ *->/p' "$work/out" >"$work/first"
    grep -qE -- "$1" "$work/first" || fail "no '$1' with the first part"
}

cause live 50000 leak
holds '[c["blocks"] for c in r["live_blocks"] if c["block_bytes"] == 112] == [500000]'
text '  live blocks$'
text ' in 500000 blocks of 112 B$'
text '-> the program holds them; what grows without end is a leak'
stop

# 9/10 of 1000000 blocks of 48 bytes, less what the thread's cache holds.
cause free_slots 40000 fragment
holds '[c["blocks"] for c in r["live_blocks"] if c["block_bytes"] == 48] == [100000]'
text '  free slots in part-used slabs$'
text '-> fragmentation: '
stop

cause thread_caches 40000 cache
text '  thread caches$'
text '-> HAKMEM_CACHE_BYTES='
stop
# What it names helps.
start "$work/ready" env HAKMEM_CACHE_BYTES=16384 LD_PRELOAD="$TEST_SO" "$work/causes" cache "$work/ready"
expect 0 "$TEST_CLI" explain --json "$process"
holds '[p["bytes"] for p in r["parts"] if p["part"] == "thread_caches"][0] < 10000 * 1024'
stop

cause retained 29000 retain
holds 'r["purge_due_ms"] <= 1000'
text '  retained: free, not given back yet$'
text '-> HAKMEM_PURGE_DELAY='
stop
cause retained 29000 retain HAKMEM_PURGE_DELAY=60000
text 'the oldest is due in [0-9]+\.[0-9] s'
stop

# Where the kernel has huge pages to give.
start "$work/ready" env HAKMEM_THP=always HAKMEM_HEAPS=8 LD_PRELOAD="$TEST_SO" "$work/causes" touch "$work/ready"
huge=$(awk '/^AnonHugePages:/ { sum += $2 } END { print sum }' "/proc/$process/smaps")
stop
if [ "$huge" -lt 35000 ]; then
    echo "the kernel gives no huge pages: their slack was not looked at"
    exit 77
fi
cause huge_page_slack 30000 touch HAKMEM_THP=always HAKMEM_HEAPS=8
text '  huge-page slack: '
text '-> HAKMEM_THP=never'
stop
start "$work/ready" env HAKMEM_THP=never HAKMEM_HEAPS=8 LD_PRELOAD="$TEST_SO" "$work/causes" touch "$work/ready"
expect 0 "$TEST_CLI" explain --json "$process"
holds '[p["bytes"] for p in r["parts"] if p["part"] == "huge_page_slack"][0] < 1000 * 1024'
