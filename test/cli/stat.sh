#!/bin/bash
# stat: its counters are those of a library that stands in front of hakmem and counts for itself, in a program of eight
# threads that free each other's blocks and are quiet then; JSON, OpenMetrics and text say the same; promtool passes it.
. "$(dirname "$0")/support.bash"
command -v promtool >/dev/null || {
    echo "not installed: promtool (tools/bootstrap test installs it)" >&2
    exit 77
}
source_dir=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}

folder=$(dirname "$(realpath "$TEST_SO")")
compile counter.so -shared -fPIC -I"$source_dir/include" "$TEST_SO" -Wl,-rpath,"$folder" <<'C'
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <fcntl.h>
#include "hakmem.h"
static struct { long malloc, calloc, realloc, aligned_alloc, free, null, live_blocks, live_bytes; } n;
#define ADD(field, more) __atomic_fetch_add(&n.field, more, __ATOMIC_RELAXED)
static void *out(void *p) {
    ADD(live_blocks, p != NULL);
    ADD(live_bytes, p != NULL ? (long)hak_usable_size(p) : 0);
    return p;
}
static void in(void *p) {
    ADD(live_blocks, -1);
    ADD(live_bytes, -(long)hak_usable_size(p));
}
void *malloc(size_t size) { ADD(malloc, 1); return out(hak_malloc(size)); }
void *calloc(size_t count, size_t size) { ADD(calloc, 1); return out(hak_calloc(count, size)); }
void *aligned_alloc(size_t alignment, size_t size) {
    ADD(aligned_alloc, 1);
    return out(hak_aligned_alloc(alignment, size));
}
void *realloc(void *p, size_t size) {
    ADD(realloc, 1);
    if (p != NULL)
        in(p);
    return out(hak_realloc(p, size));
}
void free(void *p) {
    ADD(free, 1);
    if (p != NULL)
        in(p);
    else
        ADD(null, 1);
    hak_free(p);
}
void report(const char *path) {
    char text[400];
    int file = creat(path, 0600);
    int length = snprintf(text, sizeof text,
        "malloc %ld\ncalloc %ld\nrealloc %ld\naligned_alloc %ld\nfree %ld\nnull %ld\nblocks %ld\nbytes %ld\n", n.malloc,
        n.calloc, n.realloc, n.aligned_alloc, n.free, n.null, n.live_blocks, n.live_bytes);
    write(file, text, length);
    close(file);
}
C
compile worker -pthread "$work/counter.so" <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
enum { THREADS = 8, BLOCKS = 5000 };
extern void report(const char *path);
static pthread_barrier_t barrier;
static char *blocks[THREADS][BLOCKS];
static void *work(void *number) {
    int me = (int)(long)number, next = (me + 1) % THREADS;
    unsigned seed = me;
    for (int i = 0; i < BLOCKS; i++) {
        int kind = rand_r(&seed) % 8, size = rand_r(&seed) % 1200;
        char *p = kind == 0 ? calloc(3, size) : kind == 1 ? aligned_alloc(256, size) : malloc(size);
        if (i % 5 == 0)
            p = realloc(p, size * 3 + 1);
        if (i % 500 == 0)
            p = realloc(p, 100000 + size);
        if (i % 1000 == 0)
            p = realloc(p, 3000000 + size);
        if (i == 7)
            p = realloc(p, 70000000);
        if (i % 3 == 0)
            free(NULL);
        if (i % 11 == 0)
            free(malloc(20000));
        blocks[me][i] = p;
    }
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[next][i]);
    if (me % 2 != 0)
        pthread_exit(NULL);
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
}
int main(int count, char **arguments) {
    pthread_t thread[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, work, (void *)i);
    for (int i = 1; i < THREADS; i += 2)
        pthread_join(thread[i], NULL);
    for (int i = THREADS / 2; i < THREADS; i++)
        pthread_create(&thread[i], NULL, (void *(*)(void *))pthread_barrier_wait, &barrier);
    for (int i = THREADS / 2; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    report(arguments[1]);
    rename(arguments[1], arguments[2]);
    for (;;)
        pause();
}
C

start "$work/counted" env LD_PRELOAD="$work/counter.so" "$work/worker" "$work/counting" "$work/counted"
counted() { sed -n "s/^$1 //p" "$work/counted"; }
[ "$(counted malloc)" -gt 30000 ] || fail "the counter has counted nothing"

expect 0 "$TEST_CLI" stat --json "$process"
for call in malloc calloc realloc aligned_alloc free; do
    holds "[c['calls'] for c in r['calls'] if c['function'] == '$call'] == [$(counted "$call")]"
done
holds "len(r['calls']) == 5"
holds "r['null_frees'] == $(counted null)"
holds "r['live_bytes'] == $(counted bytes)"
holds "r['allocations'] - r['frees'] == $(counted blocks)"
# The parts of a sum are its parts.
holds 'sum(t["allocations"] for t in r["tiers"]) == r["allocations"]'
holds 'sum(t["frees"] for t in r["tiers"]) == r["frees"]'
holds 'sum(t["live_bytes"] for t in r["tiers"]) == r["live_bytes"]'
holds 'all(t["live_blocks"] == t["allocations"] - t["frees"] for t in r["tiers"]) and len(r["tiers"]) == 4'
holds 'sum(c["live_blocks"] for c in r["classes"]) == sum(t["live_blocks"] for t in r["tiers"][:2])'
holds 'sum(c["slabs"] for c in r["classes"]) == sum(s["slabs"] for s in r["slabs"])'
holds 'sum(c["slab_bytes"] for c in r["classes"]) == {g["use"]: g["granules"] for g in r["granules"]}["slab"] * 65536'
holds 'all(c["live_bytes"] <= c["slab_bytes"] for c in r["classes"])'
holds '{u["use"]: u["units"] for u in r["units"]}["direct"] == 8'
# The six words, as they include each other; and granules.
holds 'r["live_bytes"] <= r["active_bytes"] <= r["mapped_bytes"]'
holds 'r["active_bytes"] + r["retained_bytes"] <= r["committed_bytes"] <= r["mapped_bytes"]'
holds 'r["metadata_bytes"] > 0 and r["resident_bytes"] > r["metadata_bytes"]'
holds '{g["use"]: g["granules"] for g in r["granules"]}.get("retained", 0) * 65536 == r["retained_bytes"]'
holds 'r["errors"] == r["foreign_frees"] == 0 and 1 <= r["heaps"]'
cp "$work/out" "$work/json"

# explain sees the same blocks, one by one.
expect 0 "$TEST_CLI" explain --json "$process"
holds "sum(c['blocks'] for c in r['live_blocks']) == $(counted blocks)"
python3 - "$work/out" "$work/json" <<'PY' || fail "explain and stat know different blocks"
import json, sys
explain, stat = (json.load(open(path)) for path in sys.argv[1:])
one = {c["block_bytes"]: c["blocks"] for c in explain["live_blocks"] if c["block_bytes"] is not None}
other = {c["block_bytes"]: c["live_blocks"] for c in stat["classes"] if c["live_blocks"] != 0}
sys.exit(one != other or explain["threads"] != stat["threads"])
PY

# OpenMetrics: every scalar of the JSON, counters with their ending; a last line that says so.
expect 0 "$TEST_CLI" stat --openmetrics "$process"
promtool check metrics <"$work/out" >"$work/err" 2>&1 || fail "promtool finds fault"
[ ! -s "$work/err" ] || fail "promtool finds fault"
[ "$(tail -n 1 "$work/out")" = '# EOF' ] || fail "no end"
python3 - "$work/out" "$work/json" "$process" <<'PY' || fail "OpenMetrics and JSON differ"
import json, sys
samples = dict(line.rstrip("\n").rsplit(" ", 1) for line in open(sys.argv[1]) if not line.startswith("#"))
report, pid = json.load(open(sys.argv[2])), sys.argv[3]
scalars = {key: value for key, value in report.items() if isinstance(value, int) and key != "pid"}
assert len(scalars) > 10
for key, value in scalars.items():
    names = [f'hakmem_{key}{end}{{pid="{pid}"}}' for end in ("", "_total")]
    found = [samples[name] for name in names if name in samples]
    assert found == [str(value)], (key, value, found)
for row in report["classes"]:
    name = f'hakmem_class_allocations_total{{pid="{pid}",block_bytes="{row["block_bytes"]}"}}'
    assert samples[name] == str(row["allocations"]), name
PY
sed 's/^# HELP hakmem_threads.*//' "$work/out" | promtool check metrics >"$work/err" 2>&1 &&
    fail "promtool passes anything"

# doc/STATS.md tells what each of them means.
for number in $(sed -n -E 's/^# TYPE hakmem_(.*) gauge$/\1/p; s/^# TYPE hakmem_(.*)_total .*/\1/p' "$work/out"); do
    grep -q "^|.*\`$number\`" "$source_dir/doc/STATS.md" || fail "doc/STATS.md does not tell what $number is"
done

expect 0 "$TEST_CLI" stat "$process"
out_has "^ +$(counted bytes)  live  "
out_has "^ +$(counted malloc)  malloc$"
stop

# --watch: again and again, until the process ends.
compile_busy
start "$work/ready" env LD_PRELOAD="$TEST_SO" "$work/busy" "$work/ready"
"$TEST_CLI" stat --watch --interval 0.05 "$process" >"$work/out" 2>"$work/err" &
watcher=$!
until grep -qE '^ +[1-9][0-9]{3,}/s  allocations ' "$work/out" && grep -qE '^ +[1-9][0-9]{3,}/s  frees ' "$work/out"; do
    kill -0 $watcher 2>/dev/null || fail "stat --watch has ended"
    sleep 0.01
done
stop
wait $watcher || fail "stat --watch: exit status $?"
err_has 'has ended$'
out_has '^ +[1-9][0-9]{3,}/s  allocations '
out_has '^ +[1-9][0-9]{3,}/s  frees '
out_has '^ +1  threads '
