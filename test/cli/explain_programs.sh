#!/bin/bash
# explain: its parts add up to the kernel's RSS within 1 % for six programs, each of which is proved to be on hakmem
# first. What is quiet is compared with a look of our own; redis is under load.
. "$(dirname "$0")/support.bash"
for program in python3 perl sqlite3 node redis-server redis-benchmark; do
    command -v "$program" >/dev/null || {
        echo "not installed: $program (tools/bootstrap test installs it)" >&2
        exit 77
    }
done
ready=$work/ready
export ready
on_hakmem() { start "$ready" env LD_PRELOAD="$TEST_SO" "$@"; }

# adds_up NAME LIVE_KIB: hakmem serves the process, whose live blocks take so much at least, and the parts add up.
adds_up() {
    local name=$1 kib=$2 pid=$process
    expect 0 "$TEST_CLI" verify --pid "$pid"
    out_has '^PROVED'
    expect 0 "$TEST_CLI" explain "$pid"
    out_has "^ +[0-9]+ +100\.0  in all: hakmem [0-9]+ KiB, not hakmem's [0-9]+ KiB"
    expect 0 "$TEST_CLI" explain --json "$pid"
    echo "$name: $(field '"%d of %d bytes" % (r["sum_bytes"], r["kernel_rss_bytes"])')"
    holds 'sum(p["bytes"] for p in r["parts"]) == r["sum_bytes"]'
    holds 'abs(r["sum_bytes"] - r["kernel_rss_bytes"]) <= r["kernel_rss_bytes"] / 100'
    holds "[p['bytes'] for p in r['parts'] if p['part'] == 'live'][0] >= $kib * 1024"
}

# quiet NAME LIVE_KIB: also, RSS as the kernel tells it now is what explain said.
quiet() {
    adds_up "$@"
    local kib
    kib=$(sed -n 's/^VmRSS:[ \t]*\([0-9]*\) kB$/\1/p' "/proc/$process/status")
    holds "abs(r['sum_bytes'] - $kib * 1024) <= $kib * 1024 / 100"
    stop
}

on_hakmem env PYTHONMALLOC=malloc python3 -c '
import os, time
kept = [str(i) * 20 for i in range(100000)] + [bytearray(3 << 20)]
del kept[::3]
open(os.environ["ready"], "w")
time.sleep(1000)'
quiet python3 8000

on_hakmem perl -e '
my %kept = map { $_ => "x" x ($_ % 300) } 1 .. 50000;
open(my $file, ">", $ENV{ready});
sleep 1000'
quiet perl 5000

mkfifo "$work/sql"
exec 3<>"$work/sql"
cat >&3 <<SQL
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
insert into t select i, hex(randomblob(i % 200)) from n;
create index by_b on t(b);
.shell touch $ready
SQL
# shellcheck disable=SC2016
on_hakmem sh -c 'exec sqlite3 :memory: <"$0"' "$work/sql"
quiet sqlite3 10000
exec 3>&-

on_hakmem node -e '
const kept = []
for (let i = 0; i < 2000; i++) kept.push(Buffer.alloc(20000, 1))
require("fs").writeFileSync(process.env.ready, "")
setTimeout(() => kept, 1000000)'
quiet node 30000

compile threads -pthread <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { THREADS = 8, BLOCKS = 3000 };
static pthread_barrier_t barrier;
static char *blocks[THREADS][BLOCKS];
static void *work(void *number) {
    int me = (int)(long)number, next = (me + 1) % THREADS;
    unsigned seed = me;
    for (int i = 0; i < BLOCKS; i++) {
        int size = i % 100 == 0 ? 300000 : i % 15 == 0 ? 1 + rand_r(&seed) % 30000 : 1 + rand_r(&seed) % 900;
        memset(blocks[me][i] = malloc(size), 1, size);
    }
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[next][i]);
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
}
int main(int count, char **arguments) {
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    char *large = malloc(100 << 20);
    memset(large, 1, 5000000);
    for (int i = 5000000; i < 50000000; i += 4096) /* reading shows the page of zeros, which costs nothing */
        count += ((volatile char *)large)[i];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&thread, NULL, work, (void *)i);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    creat(arguments[1], 0600);
    for (;;)
        pause();
}
C
on_hakmem "$work/threads" "$ready"
expect 0 "$TEST_CLI" stat --json "$process"
metadata=$(field 'r["metadata_bytes"]')
resident=$(field 'r["resident_bytes"]')
quiet threads 20000
# Eight stacks with glibc's record of a thread at their top, and that of the first thread.
holds '[p["bytes"] for p in r["parts"] if p["part"] == "stacks"][0] >= 9 * 4096'
holds 'all(p["bytes"] > 0 for p in r["parts"] if p["part"] in ("metadata", "page_map", "library", "files"))'

for part in $(values part); do
    grep -q "^| \`$part\` |" "${SOURCE_DIR:-.}/doc/STATS.md" || fail "doc/STATS.md does not tell what $part is"
done
# What stat says of the same: metadata may be untouched in part, and a page of it is counted whole.
holds "$metadata / 4 <= [p['bytes'] for p in r['parts'] if p['part'] == 'metadata'][0] <= $metadata + 65536"
holds "r['hakmem_bytes'] - [p['bytes'] for p in r['parts'] if p['part'] == 'library'][0] == $resident"

# Keys first, so that the load changes values and not the number of them.
mkdir "$work/redis"
start "$work/redis.sock" env LD_PRELOAD="$TEST_SO" redis-server --port 0 --unixsocket "$work/redis.sock" --save '' \
    --dir "$work/redis" --daemonize no --logfile "$work/redis.log"
load=(redis-benchmark -s "$work/redis.sock" -q -c 10 -P 16 -r 50000 -d 200 -n 100000 -t set,lpush,lpop,incr)
"${load[@]}" >/dev/null
"${load[@]}" -l >/dev/null 2>&1 &
started+=($!)
for ((i = 0; i < 5; i++)); do
    adds_up redis-server 8000
done
