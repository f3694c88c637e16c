#!/bin/bash
# stats_file.sh
# timeout: 300
# Purpose.     HAKMEM_STATS: a file for each process, at the end that a program finds for itself, and again and again
#              while it runs; whatever its threads, forks and handlers are doing at that moment, without a deadlock.
# Design.      A file that is there and whole was written by hakmem: that is the proof of who served the program. One of
#              libc, and one that ends without running destructors, must leave none.
. "$SOURCE_DIR/test/cli/support.bash"

compile program -pthread <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
enum { BLOCKS = 3000 };
static char *kept[BLOCKS];
static void *last(void *unused) { usleep(10000); return unused; }
static void *leave(void *unused) { exit(0); }
static void allocate(void) { free(malloc(200000)); kept[0] = realloc(kept[0], 1000); }
static void handle(int signal) { exit(0); }
static void *rush(void *unused) { for (;;) { free(malloc(200000)); free(malloc(rand() % 3000)); } }
int main(int count, char **arguments) {
    const char *how = arguments[1];
    pthread_t thread;
    for (int i = 0; i < BLOCKS; i++)
        kept[i] = malloc(300);
    if (strcmp(how, "handler") == 0) { /* wherever the program is, mostly inside the allocator */
        struct itimerval timer = {.it_value = {.tv_usec = 20000}};
        signal(SIGALRM, handle);
        setitimer(ITIMER_REAL, &timer, NULL);
        rush(NULL);
    }
    atexit(allocate);
    if (strcmp(how, "exit") == 0)
        exit(0);
    if (strcmp(how, "_exit") == 0)
        _exit(0);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "last_thread") == 0) {
        pthread_create(&thread, NULL, last, NULL);
        pthread_exit(NULL);
    }
    if (strcmp(how, "thread") == 0) {
        pthread_create(&thread, NULL, leave, NULL);
        pause();
    }
    if (strcmp(how, "closed") == 0)
        for (int fd = 0; fd < 100; fd++)
            close(fd);
    if (strcmp(how, "forks") == 0) {
        for (int i = 0; i < 3; i++)
            pthread_create(&thread, NULL, rush, NULL);
        for (int i = 0; i < 20; i++) {
            pid_t child = fork();
            if (child == 0) {
                for (int k = 0; k < 100; k++)
                    kept[k] = malloc(5000);
                exit(7);
            }
            int status;
            if (child < 0 || waitpid(child, &status, 0) != child || status != 7 << 8)
                return 3;
        }
    }
    if (strcmp(how, "until") == 0) {
        while (access(arguments[2], F_OK) != 0)
            free(malloc(200000));
        _exit(0);
    }
    if (strcmp(how, "sleep") == 0) {
        while (access(arguments[2], F_OK) != 0)
            usleep(1000);
        _exit(0);
    }
    if (strcmp(how, "rounds") == 0)
        for (int i = 0; i < 300; i++) {
            free(malloc(200000));
            usleep(1000);
        }
    return 0;
}
C
on_hakmem() { timeout -s KILL 60 env LD_PRELOAD="$TEST_SO" "$@"; }

# whole FILE PID EXPRESSION: JSON, of that process (or any, with -), of which that holds.
whole() {
    [ -s "$1" ] || fail "no $1"
    python3 - "$@" <<'PY' || fail "$1 is not what it should be: $(head -c 300 "$1")"
import json, sys
r = json.load(open(sys.argv[1]))
live = {c["block_bytes"]: c["live_blocks"] for c in r["classes"]}
sys.exit(not ((sys.argv[2] == "-" or r["pid"] == int(sys.argv[2])) and eval(sys.argv[3])))
PY
}
blocks='live[304] >= 2990 and r["tiers"][0]["tier"] == "tiny" and r["errors"] == 0'

for how in return exit last_thread thread closed; do
    rm -f "$work"/stats*
    expect 0 on_hakmem HAKMEM_STATS="exit:$work/stats.%p.json" "$work/program" $how
    [ ! -s "$work/err" ] || fail "$how: something was said"
    files=("$work"/stats.*.json)
    number=${files[0]##*/stats.}
    [ ${#files[@]} = 1 ] || fail "$how: ${#files[@]} files"
    whole "${files[0]}" "${number%.json}" "$blocks"
done
for ((i = 0; i < 20; i++)); do
    rm -f "$work"/stats*
    expect 0 on_hakmem HAKMEM_STATS="exit:$work/stats.json" "$work/program" handler
    whole "$work/stats.json" - "$blocks"
done

# No end that a destructor sees; no hakmem; not asked for.
rm -f "$work"/stats*
expect 0 on_hakmem HAKMEM_STATS="exit:$work/stats" "$work/program" _exit
expect 134 on_hakmem HAKMEM_STATS="exit:$work/stats" "$work/program" abort
expect 0 env HAKMEM_STATS="exit:$work/stats" "$work/program" exit
expect 0 on_hakmem HAKMEM_STATS=off "$work/program" exit
[ ! -e "$work/stats" ] || fail "a file where there is none to be"
[ ! -s "$work/err" ] || fail "something was said"

# Without a file, on stderr; the format follows the name.
expect 0 on_hakmem HAKMEM_STATS=exit "$work/program" exit
err_has '^ +[0-9]+  live          bytes in blocks that the program holds$'
out_is_empty
expect 0 on_hakmem HAKMEM_STATS="exit:$work/stats.prom" "$work/program" exit
grep -q '^# TYPE hakmem_live_bytes gauge$' "$work/stats.prom" && [ "$(tail -n 1 "$work/stats.prom")" = '# EOF' ] ||
    fail "not OpenMetrics"
expect 0 on_hakmem HAKMEM_STATS="exit:$work/stats.txt" "$work/program" exit
grep -q '  live          bytes' "$work/stats.txt" || fail "not text"

# Forks while threads are inside the allocator: one file for each process.
rm -f "$work"/stats*
expect 0 on_hakmem HAKMEM_STATS="exit:$work/stats.%p.json" "$work/program" forks
files=("$work"/stats.*.json)
[ ${#files[@]} = 21 ] || fail "${#files[@]} files of 21 processes"
children=0
for file in "${files[@]}"; do
    number=${file##*/stats.}
    whole "$file" "${number%.json}" 'live[304] >= 2800'
    grep -q '"block_bytes": 5120' "$file" && children=$((children + 1))
done
[ $children -ge 20 ] || fail "blocks of children in $children files"

# Exit while ten threads are inside, twenty times, each process writing every millisecond.
rm -f "$work"/stats*
expect 0 on_hakmem TEST_PROVIDER=1 HAKMEM_STATS="every:1ms:$work/stats.%p.json" "$BUILD_DIR/test/hazard/exit_busy"
files=("$work"/stats.*.json)
[ ${#files[@]} = 21 ] || fail "${#files[@]} files of 21 processes"
for file in "${files[@]}"; do
    whole "$file" - 'r["allocations"] > 0'
done

# While it runs: before it ends in a way that writes nothing. A sleeping program needs the background thread.
rm -f "$work"/stats*
expect 0 on_hakmem HAKMEM_STATS="every:50ms:$work/stats.prom" "$work/program" until "$work/stats.prom"
expect 0 on_hakmem HAKMEM_BACKGROUND_THREAD=1 HAKMEM_STATS="every:50ms:$work/stats.json" "$work/program" sleep \
    "$work/stats.json"

# Where nothing can be written: said once, and the program runs on. A pipe that nobody reads is not waited for.
mkfifo "$work/pipe"
for file in "$work/no/such/folder" "$work" "$work/pipe"; do
    expect 0 on_hakmem HAKMEM_STATS="every:1ms:$file" "$work/program" rounds
    err_has "^hakmem: cannot write statistics to $file: .*; HAKMEM_STATS names the file$"
    [ "$(wc -l <"$work/err")" = 1 ] || fail "not said once"
done
