#!/bin/bash
# doctor PID and doctor -- COMMAND: who serves it, what keeps hakmem out, other allocators. The machine is the real one,
# so whether the rest hurts is the machine's affair, and the status is compared with what is printed.
. "$(dirname "$0")/support.bash"

processes=
trap '[ -z "$processes" ] || { kill -KILL $processes; wait $processes; } 2>/dev/null || true; rm -rf "$work"' EXIT

# doctor [ARGUMENT]...: its status is 1 exactly if it found something that hurts.
doctor() {
    local status=0
    "$TEST_CLI" doctor --lib "$TEST_SO" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    [ $status = 0 ] || [ $status = 1 ] || fail "exit status $status"
    [ "$(grep -cE '^(warning|problem) ' "$work/out" | sed 's/^[1-9].*/1/')" = $status ] ||
        fail "exit status $status is not what the findings say"
    out_has '^ok .*glibc|^not told +libc'
}
serves() {
    out_has '^ok +program +hakmem serves it$'
    out_lacks '^(problem|note) +program'
    out_has '^ok +allocators '
}

# start COMMAND...: in the background, until it sleeps.
start() {
    rm -f "$work/sleeps"
    "$@" "$work/sleeps" 2>"$work/err" &
    process=$!
    processes="$processes $process"
    until [ -e "$work/sleeps" ]; do
        kill -0 $process 2>/dev/null || fail "does not start: $*"
        sleep 0.01
    done
}

sleeper='
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int count, char **arguments) {
    free(malloc(count));
    creat(arguments[1], 0600);
    for (;;) pause();
}'
own='
#include <stddef.h>
static char pool[1 << 20];
static size_t used;
void *malloc(size_t n) { void *p = pool + used; used += (n + 31) & ~15ul; return p; }
void free(void *p) {}
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) { return malloc(n); }
'
chmod 777 "$work"
echo "$sleeper" | compile sleeper
echo "$sleeper" | compile static -static
echo "$own$sleeper" | compile own -rdynamic
echo "$own" | compile libother.so -shared -fPIC
echo "$sleeper" | compile linked -Wl,--no-as-needed "$work/libother.so" -Wl,-rpath,"$work"

# This machine, as its own files tell it.
doctor
out_has "^[a-z ]+  mappings +vm.max_map_count is $(cat /proc/sys/vm/max_map_count)"
out_has "^[a-z ]+  overcommit +vm.overcommit_memory is $(cat /proc/sys/vm/overcommit_memory)"
mode=$(sed -n 's/.*\[\(.*\)\].*/\1/p' /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null || true)
out_has "^[a-z ]+  huge pages +${mode:-/sys.* cannot be read}"
out_has "^[a-z ]+  page size +$(getconf PAGESIZE) bytes"
out_lacks ' program | allocators '
(
    ulimit -v 4000000
    doctor
    out_has '^warning +limits +Max address space: 3.8 GiB'
)

# A command: loaded, not run.
doctor -- "$work/sleeper" "$work/ran"
serves
printf '#!%s\n' "$work/sleeper" >"$work/script"
chmod +x "$work/script"
doctor -- "$work/script" "$work/ran"
serves
doctor -- "$work/own" "$work/ran"
out_has "^problem +program +$work/own has its own malloc"
out_has '^note +allocators +.*/own \(unknown\) defines malloc, which no preloaded library can replace$'
doctor -- "$work/linked" "$work/ran"
out_has "^note +program +$work/libother.so has its own malloc, .*which nothing is bound to"
out_has "^note +allocators +$work/libother.so \(unknown\) defines malloc$"
out_has '^ok +program +hakmem serves it$'
doctor -- "$work/static" "$work/ran"
out_has "^problem +program +$work/static is a static binary"
out_has 'fix: link it with libhakmem.a'
cp "$work/sleeper" "$work/narrow"
printf '\1' | dd of="$work/narrow" bs=1 seek=4 conv=notrunc 2>/dev/null # EI_CLASS: 32 bit
doctor -- "$work/narrow" "$work/ran"
out_has '^problem +program +.*another architecture'
expect 1 env LD_PRELOAD="$work/gone.so" "$TEST_CLI" doctor --lib "$TEST_SO" -- "$work/sleeper" "$work/ran"
out_has "^problem +preload +$work/gone.so: there is no such file"
cp "$work/libother.so" "$work/libgone.so"
echo "$sleeper" | compile orphan -Wl,--no-as-needed "$work/libgone.so"
rm "$work/libgone.so"
doctor -- "$work/orphan" "$work/ran"
out_has '^not told +program +.*could not be loaded'
err_has 'did not get to its entry point'
[ ! -e "$work/ran" ] || fail "the command was run"

# Constructors that start threads, processes and other programs do not keep it from being looked at.
compile busy.so -shared -fPIC -pthread <<'C'
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void *work(void *unused) { return malloc(1); }
__attribute__((constructor)) static void begin(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
    if (fork() == 0)
        _exit(0);
    wait(NULL);
    system("exit 3");
    write(1, "noise\n", 6);
    raise(17);
}
C
echo "$sleeper" | compile busy -Wl,--no-as-needed "$work/busy.so"
doctor -- "$work/busy" "$work/ran"
serves
out_lacks noise
err_has noise

# A process that runs already.
start "$TEST_CLI" run --lib "$TEST_SO" -- "$work/sleeper"
doctor $process
serves
out_has "^ok +mappings +the process has $(wc -l <"/proc/$process/maps") mappings of"
out_has "^ok +preload +$(realpath "$TEST_SO")$"
expect $([ -n "$(grep -E '^(warning|problem) ' "$work/out")" ] && echo 1 || echo 0) \
    "$TEST_CLI" doctor --lib "$TEST_SO" --json $process
is pid $process
kill -0 $process || fail "the process was disturbed"
sed 's/GLIBC_2\.[0-9][0-9]/GLIBC_2.99/g' "$TEST_SO" >"$work/newer.so"
expect 1 "$TEST_CLI" doctor --lib "$work/newer.so" $process
out_has '^problem +libc +glibc 2\.[0-9]+ is older than the 2.99'
start "$work/sleeper"
doctor $process
out_has '^note +program +hakmem is not loaded: nothing preloaded it; libc\.so\.6 serves it$'
out_has "fix: start it with 'hakmem run"
out_has '^ok +allocators '
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$work"
    expect $([ -n "$(grep -E '^(warning|problem) ' "$work/out")" ] && echo 1 || echo 0) \
        setpriv --reuid=65534 --regid=65534 --clear-groups "$TEST_CLI" doctor --lib "$TEST_SO" $process
    out_has "^not told +program +process $process belongs to another user: run this command as root"
    out_has "^not told +preload +/proc/$process/environ cannot be read"
    out_lacks ' allocators '
    chmod 777 "$work"
fi
start env LD_PRELOAD="$work/gone.so" "$work/sleeper"
doctor $process
out_has "^problem +preload +$work/gone.so: there is no such file"
start "$work/linked"
doctor $process
out_has '^note +program +hakmem is not loaded: .*; libother.so serves it$'
out_has "^warning +allocators +$work/libother.so \(unknown\) defines malloc$"
start "$work/own"
doctor $process
out_has '^problem +allocators +.*/own \(unknown\) defines malloc, which no preloaded library can replace$'
start "$TEST_CLI" run --lib "$TEST_SO" -- "$work/own"
doctor $process
out_has "^problem +program +$work/own has its own malloc"
start "$work/static"
doctor $process
out_has '^problem +program +hakmem is not loaded: static binary'
if [ "$(id -u)" = 0 ]; then
    cp "$work/sleeper" "$work/privileged"
    chmod 4755 "$work/privileged"
    doctor -- setpriv --reuid=65534 "$work/privileged" "$work/ran"
    serves # setpriv itself
    start setpriv --reuid=65534 --regid=65534 --clear-groups "$work/privileged"
    doctor $process
    out_has '^problem +program +hakmem is not loaded: setuid, setgid or with file capabilities'
fi

# The report as JSON says the same; one that cannot be written is an error.
doctor
grep -vE '^ |^$|^nothing|problems' "$work/out" | sed 's/^\(.\{8\}\).*/\1/; s/ *$//' >"$work/levels"
expect $(grep -qE 'warning|problem' "$work/levels" && echo 1 || echo 0) "$TEST_CLI" doctor --lib "$TEST_SO" --json
python3 -m json.tool "$work/out" >"$work/err" || fail "no valid JSON"
[ "$(values level)" = "$(cat "$work/levels")" ] || fail "JSON and text do not agree"
out_has '^  "pid": null,$'
is hurts "$(grep -qE 'warning|problem' "$work/levels" && echo true || echo false)"
expect 2 sh -c '"$0" doctor --lib "$1" >/dev/full' "$TEST_CLI" "$TEST_SO"
err_has 'cannot write the report'
