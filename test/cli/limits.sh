#!/bin/bash
# Limits in force, as stat and doctor show them of a running process: HAKMEM_LIMIT's, the control group's where it is
# followed, or none.
. "$(dirname "$0")/support.bash"

# Holds as many MiB as it is told.
compile holder <<'C'
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **arguments) {
    for (int i = atoi(arguments[2]); i > 0; i--)
        memset(malloc(1 << 20), 1, 1 << 20);
    creat(arguments[1], 0600);
    for (;;)
        pause();
}
C
# hold MIB [NAME=VALUE]...
hold() {
    local mib=$1
    shift
    start "$work/ready" env LD_PRELOAD="$TEST_SO" "$@" "$work/holder" "$work/ready" "$mib"
}
# doctor [ARGUMENT]...: whether the machine hurts is its own affair.
doctor() {
    local status=0
    "$TEST_CLI" doctor --lib "$TEST_SO" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    [ $status = 0 ] || [ $status = 1 ] || fail "exit status $status"
}

hold 1
expect 0 "$TEST_CLI" stat "$process"
for name in soft hard group; do
    out_has "^ +unlimited  $name limit +bytes "
done
out_has "^ +$(nproc)  cpus "
expect 0 "$TEST_CLI" stat --json "$process"
holds '[r[name + "_limit_bytes"] for name in ("soft", "hard", "group")] == [None] * 3'
doctor "$process"
out_has '^ok +hakmem limits +soft: unlimited$'
out_has '^ok +hakmem limits +hard: unlimited$'
out_has '^ok +hakmem limits +control group: none followed'
stop

hold 20 HAKMEM_LIMIT=soft:1G,hard:2G
expect 0 "$TEST_CLI" stat "$process"
out_has '^ +1073741824  soft limit '
out_has '^ +2147483648  hard limit '
out_has '^ +unlimited  group limit '
expect 0 "$TEST_CLI" stat --openmetrics "$process"
out_has '^hakmem_hard_limit_bytes\{pid="[0-9]+"\} 2147483648$'
out_has '^hakmem_group_limit_bytes\{pid="[0-9]+"\} \+Inf$'
doctor "$process"
out_has '^ok +hakmem limits +soft: 1.0 GiB, 2[0-9]\.[0-9] MiB in use: '
out_has '^ok +hakmem limits +hard: 2.0 GiB, 2[0-9]\.[0-9] MiB in use: '
stop

# Above the soft limit, and near the hard one; the tighter of the soft ones counts.
mkdir -p "$work/proc/self" "$work/sys/fs/cgroup"
echo 0::/ >"$work/proc/self/cgroup"
echo 20000000 >"$work/sys/fs/cgroup/memory.max"
echo "150000 100000" >"$work/sys/fs/cgroup/cpu.max"
hold 30 HAKMEM_CGROUP=1 HAKMEM_CGROUP_ROOT="$work" HAKMEM_LIMIT=soft:1G,hard:33M
expect 0 "$TEST_CLI" stat --json "$process"
holds '[r[name + "_limit_bytes"] for name in ("soft", "hard", "group")] == [18000000, 33 << 20, 20000000]'
holds "r['cpus'] == min(2, $(nproc))"
doctor "$process"
out_has '^warning +hakmem limits +soft: 17.2 MiB, 3[0-9]\.[0-9] MiB in use: '
out_has '^ +fix: raise HAKMEM_LIMIT=soft:'
out_has '^problem +hakmem limits +hard: 33.0 MiB, 3[0-9]\.[0-9] MiB in use: beyond it malloc fails$'
out_has '^ok +hakmem limits +control group: 19.1 MiB, of which nine tenths are a soft limit$'
stop

# Of a command, a machine, or a process on another allocator there is nothing to tell.
doctor -- "$work/holder"
out_lacks 'hakmem limits'
doctor
out_lacks 'hakmem limits'
start "$work/ready" "$work/holder" "$work/ready" 1
doctor "$process"
out_lacks 'hakmem limits'
stop
