#!/bin/bash
# doctor: every finding about the machine, its control groups and the limits of a process, provoked in a tree of files,
# and absent where nothing hurts. What cannot be read is said, and nothing else is.
. "$(dirname "$0")/support.bash"

root=$work/root
huge=/sys/kernel/mm/transparent_hugepage
group=/sys/fs/cgroup/unit/app

# put PATH TEXT: one file of the tree.
put() {
    mkdir -p "$(dirname "$root$1")"
    printf '%b\n' "$2" >"$root$1"
}

# A machine on which nothing hurts, and the process 42 on it.
healthy() {
    rm -rf "$root"
    put $huge/enabled 'always [madvise] never'
    put $huge/defrag 'always defer defer+madvise [madvise] never'
    put $huge/khugepaged/max_ptes_none 0
    put /proc/sys/kernel/ostype Linux
    put /proc/sys/kernel/yama/ptrace_scope 0
    put /proc/sys/vm/overcommit_memory 0
    put /proc/sys/vm/overcommit_ratio 50
    put /proc/sys/vm/max_map_count 65530
    put /proc/meminfo 'CommitLimit: 1000 kB\nCommitted_AS: 500 kB'
    put /proc/swaps 'Filename Type Size Used Priority'
    put /proc/self/mountinfo '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate'
    for process in self 42; do
        local files=/proc/$process
        put $files/status 'Name: cat\nVmSize: 1000 kB\nVmLck: 0 kB\nVmData: 500 kB\nVmSwap: 0 kB\nTHP_enabled: 1
CapEff: 0\nSeccomp: 0\nCpus_allowed_list: 0-3'
        put $files/limits 'Limit Soft Hard Units\nMax data size  unlimited unlimited bytes
Max locked memory  unlimited unlimited bytes\nMax address space  unlimited unlimited bytes'
        put $files/cgroup '0::/unit/app'
        put $files/maps 'one\ntwo'
        auxv $process '\0\020'
        printf 'HOME=/\0' >"$root$files/environ"
        mkdir -p "$root$files/root"
    done
    put $group/memory.max max
    put $group/memory.high max
    put $group/memory.current 1000
    put $group/memory.stat 'anon 900\ninactive_file 100'
    put $group/cpu.max 'max 100000'
}

# auxv PROCESS SIZE: AT_PAGESZ (6) is SIZE, two bytes, then AT_NULL.
auxv() {
    printf '\6\0\0\0\0\0\0\0'"$2"'\0\0\0\0\0\0''\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >"$root/proc/$1/auxv"
}

# doctor STATUS [ARGUMENT]...
doctor() {
    local wanted=$1
    shift
    expect "$wanted" env HAKMEM_DOCTOR_ROOT="$root" "$TEST_CLI" doctor --lib "$TEST_SO" "$@"
}

# finds LEVEL CHECK PATTERN [fix]: there is such a finding, with a fix behind it.
finds() {
    out_has "^$1 +$2  .*$3"
    [ -z "${4:-}" ] || grep -A1 -E "^$1 +$2  .*$3" "$work/out" | grep -qE '^ +fix: .' || fail "no fix for $2"
}

# hurts LEVEL CHECK PATTERN [ARGUMENT]...: that finding, and no other that hurts. Then all is well again.
hurts() {
    local level=$1 check=$2 pattern=$3
    shift 3
    doctor 1 "$@"
    finds "$level" "$check" "$pattern" fix
    [ "$(grep -cE '^(warning|problem) ' "$work/out")" = 1 ] || fail "something else hurts than $check"
    healthy
}

# notes LEVEL CHECK PATTERN [ARGUMENT]...: that finding, and nothing hurts.
notes() {
    local level=$1 check=$2 pattern=$3
    shift 3
    doctor 0 "$@"
    finds "$level" "$check" "$pattern"
    healthy
}

healthy
for process in '' 42; do
    doctor 0 $process
    out_lacks '^(note|warning|problem) '
    out_lacks 'fix:'
    out_has '^nothing that hurts$'
    [ "$(grep -c '^ok ' "$work/out")" = $([ -z "$process" ] && echo 16 || echo 15) ] || fail "not every check is ok"
done
finds 'not told' libc 'which glibc it has'
finds 'not told' program 'memory is not read under HAKMEM_DOCTOR_ROOT'

# Huge pages.
put $huge/enabled '[always] madvise never'
hurts warning 'huge pages' 'always: '
put $huge/enabled 'always madvise [never]'
hurts warning 'huge pages' 'never: '
put $huge/defrag '[always] defer defer+madvise madvise never'
hurts warning 'huge page stalls' 'always: a page fault waits'
put $huge/enabled 'always madvise [never]'
put $huge/defrag '[always] defer defer+madvise madvise never'
hurts warning 'huge pages' 'never: '
put $huge/khugepaged/max_ptes_none 511
doctor 0
finds note 'huge page collapse' 'max_ptes_none is 511: ' fix
put $huge/enabled '[always] madvise never'
doctor 1
finds warning 'huge page collapse' 'max_ptes_none is 511: ' fix
put $huge/enabled 'always madvise [never]'
doctor 1
finds ok 'huge page collapse' 'max_ptes_none is 511$'
healthy
sed -i 's/THP_enabled: 1/THP_enabled: 0/' "$root/proc/42/status"
doctor 0
out_lacks 'PR_SET_THP_DISABLE'
notes note 'huge pages' 'PR_SET_THP_DISABLE' 42

# Page size.
auxv 42 '\0\100'
doctor 0
finds ok 'page size' '4096 bytes$'
notes note 'page size' '16384 bytes: ' 42

# Overcommit.
put /proc/sys/vm/overcommit_memory 1
notes ok overcommit 'is 1$'
put /proc/sys/vm/overcommit_memory 2
hurts warning overcommit 'is 2, the ratio 50 %: .*1000.0 KiB .*50 % are'
put /proc/sys/vm/overcommit_memory 2
put /proc/meminfo 'CommitLimit: 1000 kB\nCommitted_AS: 900 kB'
hurts problem overcommit '90 % are'

# Mappings.
put /proc/sys/vm/max_map_count 65529
hurts warning mappings 'is 65529, less than the usual'
for count in 32764 32765 58976 58977; do
    yes line | head -n $count >"$root/proc/42/maps"
    case $count in
        32764) notes ok mappings "$count mappings of 65530" 42 ;;
        32765 | 58976) hurts warning mappings "$count mappings of 65530" 42 ;;
        58977) hurts problem mappings "$count mappings of 65530" 42 ;;
    esac
done

# Swap is information, of the process too.
put /proc/swaps 'Filename Type Size Used Priority\n/dev/a partition 2048 1024 -2\n/dev/b file 1024 512 -3'
notes ok swap '3.0 MiB, 1.5 MiB in use, zswap not told$'
put /proc/swaps 'Filename Type Size Used Priority\n/dev/a partition 2048 1024 -2'
put /sys/module/zswap/parameters/enabled Y
notes ok swap 'zswap on$'
sed -i 's/VmSwap: 0/VmSwap: 77/' "$root/proc/42/status"
notes note swap '77 KiB of the process' 42

# Control groups, version 2: the group's own limit, one above it, what is not counted.
mega=1048576
put $group/memory.max $((100 * mega))
put $group/memory.current $((74 * mega))
notes ok 'cgroup memory' 'memory.max of /sys/fs/cgroup/unit/app is 100.0 MiB, 74.0 MiB of it in use'
put $group/memory.max $((100 * mega))
put $group/memory.current $((76 * mega))
hurts warning 'cgroup memory' '76.0 MiB of it in use: beyond it the kernel kills'
put $group/memory.max $((100 * mega))
put $group/memory.current $((90 * mega + 100))
hurts problem 'cgroup memory' '90.0 MiB of it in use' 42
put $group/memory.max $((100 * mega))
put $group/memory.current $((99 * mega))
put $group/memory.stat "inactive_file $((50 * mega))"
notes ok 'cgroup memory' '49.0 MiB of it in use'
put $group/memory.high $((100 * mega))
put $group/memory.current $((89 * mega))
notes ok 'cgroup memory' 'memory.high of .*89.0 MiB of it'
put $group/memory.high $((100 * mega))
put $group/memory.current $((101 * mega))
hurts warning 'cgroup memory' 'memory.high of .*101.0 MiB of it in use: beyond it every allocation is slowed'
put $group/memory.max $((100 * mega))
put /sys/fs/cgroup/unit/memory.max $((50 * mega))
put /sys/fs/cgroup/unit/memory.current $((48 * mega))
put /sys/fs/cgroup/unit/memory.stat 'inactive_file 0'
hurts problem 'cgroup memory' 'memory.max of /sys/fs/cgroup/unit is 50.0 MiB'
rm "$root$group"/memory.*
notes ok 'cgroup memory' 'no limit in sight$'
put $group/cpu.max '150000 100000'
hurts warning 'cgroup cpu' 'limit is 1.50 cpus, but the process sees 4'
put $group/cpu.max '400000 100000'
notes ok 'cgroup cpu' 'limit is 4.00 cpus of 4'
put $group/cpu.max '400000 100000'
put /sys/fs/cgroup/unit/cpu.max '50000 100000'
sed -i 's/list: 0-3/list: 0-1,8/' "$root/proc/42/status"
hurts warning 'cgroup cpu' 'limit is 0.50 cpus, but the process sees 3' 42

# The same in version 1, in a container that sees a part of the hierarchy, and in none.
first() {
    put /proc/self/mountinfo '31 24 0:27 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 24 0:28 /docker/1 /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw'
    put /proc/self/cgroup '4:memory:/docker/1\n3:cpu,cpuacct:/docker/1/x\n0::/'
    put /sys/fs/cgroup/memory/memory.limit_in_bytes "${1:-9223372036854771712}"
    put /sys/fs/cgroup/memory/memory.usage_in_bytes $((95 * mega))
    put /sys/fs/cgroup/memory/memory.stat "inactive_file 7\ntotal_inactive_file ${2:-0}"
    put /sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us "${3:--1}"
    put /sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us 50000
}
first
doctor 0
finds ok 'cgroup memory' 'no limit in sight$'
finds ok 'cgroup cpu' 'no limit in sight$'
first $((100 * mega))
hurts problem 'cgroup memory' 'memory.limit_in_bytes of /sys/fs/cgroup/memory is 100.0 MiB, 95.0 MiB'
first $((100 * mega)) $((45 * mega))
notes ok 'cgroup memory' '50.0 MiB of it in use'
first '' '' 100000
hurts warning 'cgroup cpu' 'limit is 2.00 cpus'
put /proc/self/mountinfo '24 1 0:20 / / rw - ext4 /dev/a rw'
notes 'not told' 'cgroup memory' 'the control group /unit/app is not mounted here'
put /proc/self/cgroup ''
notes ok 'cgroup memory' 'no such groups'
put /proc/self/cgroup '0::/elsewhere'
notes 'not told' 'cgroup memory' 'the control group /elsewhere is not mounted here'
put /proc/self/mountinfo '30 24 0:26 /docker/2 /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate'
notes 'not told' 'cgroup memory' 'the control group /unit/app is not mounted here'
put $group/memory.max 1000
rm "$root$group/memory.stat"
notes 'not told' 'cgroup memory' 'memory.max of .* is set, but not how much is in use'

# Limits of the process, or of what would be started.
limit() { sed -i "s/^\($1\)  unlimited/\1  $2/" "$root"/proc/*/limits; }
limit 'Max address space' 4294967296
hurts warning limits 'Max address space: 4.0 GiB: malloc fails'
limit 'Max address space' 68719476736
notes ok limits 'Max address space: 64.0 GiB'
limit 'Max address space' 1100000
hurts problem limits 'Max address space: 1.0 MiB, 1000.0 KiB in use' 42
limit 'Max data size' 1073741824
hurts warning limits 'Max data size: 1.0 GiB: malloc fails'
limit 'Max locked memory' 8388608
notes ok limits 'Max locked memory: 8.0 MiB'
limit 'Max locked memory' 8388608
sed -i 's/VmLck: 0/VmLck: 64/' "$root/proc/42/status"
hurts warning limits 'Max locked memory: 8.0 MiB, 64.0 KiB in use' 42
limit 'Max address space' nonsense
notes 'not told' limits 'Max address space'

# A filter of system calls; who may look at processes.
sed -i 's/Seccomp: 0/Seccomp: 2/' "$root/proc/42/status"
notes note seccomp 'filter of system calls is in force' 42
sed -i '/Seccomp/d' "$root/proc/self/status"
notes ok seccomp 'the kernel has none'
for scope in 1 2; do
    put /proc/sys/kernel/yama/ptrace_scope $scope
    sed -i 's/CapEff: 0/CapEff: 00000000ffffffff/' "$root/proc/self/status"
    doctor 0
    finds ok tracing "ptrace_scope is $scope"
    sed -i 's/CapEff: .*/CapEff: 0000000000000400/' "$root/proc/self/status"
    doctor 0
    finds note tracing "ptrace_scope is $scope: " fix
done
put /proc/sys/kernel/yama/ptrace_scope 3
sed -i 's/CapEff: 0/CapEff: ffffffffffffffff/' "$root/proc/self/status"
notes note tracing 'looked at by nobody'
rm "$root/proc/sys/kernel/yama/ptrace_scope"
notes ok tracing 'no Yama'

# LD_PRELOAD: a file that is missing, that is none, that is there, that the loader has to search for.
preloads() { printf 'A=b\0LD_PRELOAD=%s\0C=d\0' "$1" >"$root/proc/42/environ"; }
cp "$TEST_SO" "$root/proc/42/root/fine.so"
preloads /missing.so
hurts problem preload '/missing.so: there is no such file; the loader goes on without it' 42
cp "$TEST_SO" "$root/proc/42/root/fine.so"
put /proc/42/root/text 'no library'
preloads '/fine.so:/text'
doctor 1 42
finds ok preload '/fine.so$'
finds problem preload '/text: it is not a shared library' fix
preloads 'libsome.so /fine.so'
doctor 0 42
finds 'not told' preload 'where the loader finds libsome.so' fix
healthy

# glibc: what the library needs is read from the library.
sed 's/GLIBC_2\.[0-9][0-9]/GLIBC_2.99/g' "$TEST_SO" >"$work/newer.so"
expect 1 env HAKMEM_DOCTOR_ROOT="$root" "$TEST_CLI" doctor --lib "$work/newer.so"
finds problem libc 'glibc 2\.[0-9]+ is older than the 2.99 that .*newer.so needs' fix
[ "$(grep -cE '^(warning|problem) ' "$work/out")" = 1 ] || fail "something else hurts than libc"

# Nothing can be read: every check says so, and nothing hurts.
rm -rf "$root"
mkdir "$root"
doctor 0
for check in 'huge pages' 'huge page stalls' 'huge page collapse' 'page size' overcommit mappings swap \
    'cgroup memory' 'cgroup cpu' limits seccomp tracing preload; do
    [ "$(grep -E "^[a-z ]+  $check  " "$work/out" | grep -vc '^not told')" = 0 ] || fail "$check guesses"
    finds 'not told' "$check" .
done
