#!/bin/bash
# verify --usage: the cost of all processes is complete and counted once, memory is sampled, and the command notices
# nothing. Programs burn until a clock of their own says so, thus no figure depends on how busy the machine is.
. "$(dirname "$0")/support.bash"

compile cost <<'C'
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
extern char **environ;
static void burn(int ms) {
    struct timespec now;
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < ms);
}
static void touch(size_t mib) {
    char *p = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, mib << 20, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < mib << 20; i += 4096) p[i] = 1;
}
int main(int count, char **words) {
    int ends[2];
    pid_t pid = 0;
    for (int i = 1; i < count; i++) {
        if (!strncmp(words[i], "burn=", 5)) burn(atoi(words[i] + 5));
        if (!strncmp(words[i], "touch=", 6)) touch(atoi(words[i] + 6));
        if (!strcmp(words[i], "ignore")) signal(SIGCHLD, SIG_IGN);
        if (!strcmp(words[i], "fork") && (pid = fork()) != 0) { waitpid(pid, NULL, 0); return 0; }
        if (!strcmp(words[i], "orphan") && pipe(ends) == 0 && (pid = fork()) != 0) return 0;
        if (!strcmp(words[i], "spawn")) {
            words[i] = words[0];
            posix_spawn(&pid, "/proc/self/exe", NULL, NULL, words + i, environ);
            waitpid(pid, NULL, 0);
            return 0;
        }
    }
}
C
measure() {
    expect 0 verify --json --usage "$@"
    cpu=$(($(values user_us) + $(values system_us)))
    peak=$(($(values peak_rss_kib) / 1024))
}
between() { [ "$2" -ge "$1" ] && [ "$2" -lt "$3" ] || fail "$4 is $2, not from $1 to $3"; }

# Time: of the program, of processes that are waited for (once, however often they are forked), and of others.
# Before it is the program, the process has burnt something that its own clock counts and usage does not.
measure -- "$work/cost" burn=200
between 190000 "$cpu" 390000 'cpu time'
[ "$(values wall_ns)" -ge 150000000 ] || fail "wall time"
measure -- "$work/cost" fork fork fork burn=200
between 190000 "$cpu" 390000 'cpu time through three waits'
measure -- "$work/cost" ignore fork burn=200
between 190000 "$cpu" 390000 'cpu time of a child that nobody waits for'
measure -- "$work/cost" burn=100 orphan burn=200
between 290000 "$cpu" 490000 'cpu time of both, one of which outlives the other'
measure -- "$work/cost" burn=100 spawn burn=200
between 290000 "$cpu" 490000 'cpu time through exec'

# Memory: the largest process, and the sum that only samples show.
measure --sample-ms 0 -- "$work/cost" touch=64
between 64 "$peak" 80 'peak MiB'
between 16384 "$(values minor_faults)" 20000 'page faults'
is mean_rss_kib null
[ "$(grep -c '"samples": \[\]' "$work/out")" = 1 ] || fail "samples that nobody asked for"
measure --sample-ms 0 -- "$work/cost" touch=64 spawn touch=64 burn=200
between 64 "$peak" 80 'peak MiB of the larger one'
measure --sample-ms 1 -- "$work/cost" touch=64 spawn touch=64 burn=200
between 128 "$peak" 144 'peak MiB of both'
between 64 "$(($(values mean_rss_kib) / 1024))" 144 'mean MiB'
measure -- "$work/cost"
between 1 "$(values mean_rss_kib)" 20000 'mean KiB of a process that ends before the first sample'

python3 - "$work/out" <<'P' || fail "the report's form"
import json, sys
usage = json.load(open(sys.argv[1]))["usage"]
assert set(usage) == {"wall_ns", "proof_ns", "user_us", "system_us", "minor_faults", "major_faults", "peak_rss_kib",
                      "mean_rss_kib", "samples"}, usage
assert all(ms >= 0 and kib > 0 for ms, kib in usage["samples"])
P

# The command's output is its own; the table has a line too.
expect 0 verify --usage --output "$work/report" -- echo text
[ "$(cat "$work/out")" = text ] || fail "output of the command"
grep -qE '^  cost +[0-9.]+ s, user [0-9.]+ s, system [0-9.]+ s, peak RSS [0-9]+ KiB, page faults [0-9]+\+[0-9]+$' \
    "$work/report" || fail "no cost in the table"
expect 0 verify -- true
out_lacks '^  cost'
expect 1 verify --usage --json -- env -i "$work/cost" burn=50
[ "$(values user_us)" -ge 0 ] || fail "no cost of a command that is not proved"
expect 0 verify --usage --json -- sh -c 'kill -KILL $$'
is signal 9
[ "$(values wall_ns)" -ge 0 ] || fail "no cost of a command that was killed"
