# Sourced by the tests of this folder. Purpose: a temporary folder, programs compiled on the spot, checks that say what
# they saw. A failed check ends the test with status 1. Needs TEST_CLI and TEST_SO.
set -eu
: "${TEST_CLI:?the command to test}" "${TEST_SO:?the library to test}"
CC=${CC:-cc}
CXX=${CXX:-c++}
unset LD_PRELOAD HAKMEM_CONF
ulimit -S -c 0
work=$(mktemp -d)
started=()
cleanup() {
    [ ${#started[@]} = 0 ] || kill -KILL "${started[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
touch "$work/out" "$work/err"

fail() {
    echo "FAILED: $*" >&2
    sed 's/^/  | /' "$work/out" >&2 || true
    sed 's/^/  ! /' "$work/err" >&2 || true
    exit 1
}

# compile NAME [FLAGS]: the program whose source is on standard input, as $work/NAME.
compile() {
    local name=$1
    shift
    "$CC" -D_GNU_SOURCE -fno-builtin -w -O1 -x c - -x none -o "$work/$name" "$@" || fail "cannot compile $name"
}
compile_cxx() {
    local name=$1
    shift
    "$CXX" -w -O1 -x c++ - -x none -o "$work/$name" "$@" || fail "cannot compile $name"
}

# compile_busy: a program that allocates until it is killed, and makes the file that it is told once it has begun.
compile_busy() {
    compile busy <<'C'
#include <fcntl.h>
#include <stdlib.h>
int main(int count, char **arguments) {
    for (long i = 0;; i++) {
        free(malloc(i % 1000));
        if (i == 100000)
            creat(arguments[1], 0600);
    }
}
C
}

# expect STATUS COMMAND...: its output goes to $work/out and $work/err.
expect() {
    local wanted=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status instead of $wanted: $*"
}
out_has() { grep -qE -- "$1" "$work/out" || fail "no '$1' on standard output"; }
err_has() { grep -qE -- "$1" "$work/err" || fail "no '$1' on standard error"; }
out_lacks() { ! grep -qE -- "$1" "$work/out" || fail "'$1' on standard output"; }
out_is_empty() { [ ! -s "$work/out" ] || fail "something on standard output"; }

# start FILE COMMAND...: runs it in the background until it has made the file, as process $process.
start() {
    local file=$1 i
    shift
    rm -f "$file"
    "$@" &
    process=$!
    started+=("$process")
    for ((i = 0; i < 2000; i++)); do
        [ ! -e "$file" ] || return 0
        sleep 0.01
    done
    fail "does not start: $*"
}
stop() {
    kill -KILL "$process"
    wait "$process" 2>/dev/null || true
    started=()
    process=
}

# field EXPRESSION: a value out of the JSON on standard output of the last command, `r` being all of it.
field() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/out" "$1"; }
holds() { [ "$(field "$1")" = True ] || fail "does not hold: $1"; }

run() { "$TEST_CLI" run --lib "$TEST_SO" "$@"; }
verify() { "$TEST_CLI" verify --lib "$TEST_SO" "$@"; }

# values KEY: the values of this key in the JSON report, one line each. The report has one value per line.
values() { sed -n 's/^ *"'"$1"'": "\?\([^"]*[^",]\)"\?,\?$/\1/p' "$work/out"; }

# is KEY VALUES: they are these, sorted and in one line.
is() {
    local found
    found=$(values "$1" | sort | paste -sd ' ')
    [ "$found" = "$2" ] || fail "$1 is '$found' instead of '$2'"
}

# compile_keeper [FLAGS]: a program of two threads that holds blocks of every tier, some freed by the other thread,
# which has used one small block until it went to its outbox, makes the file that it is told and then does nothing;
# as $work/keeper.
compile_keeper() {
    compile keeper -pthread "$@" <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
enum { BLOCKS = 4000 };
static pthread_barrier_t barrier;
static char *ours[BLOCKS], *theirs[BLOCKS], *more[1000], *one;
static void *work(void *unused) {
    for (int i = 0; i < BLOCKS; i++)
        theirs[i] = malloc(1100 + i % 3000);
    for (int i = 0; i < BLOCKS; i += 2)
        if (i % 190 >= 16)
            free(ours[i]);
    free(one);
    for (int i = 0; i < 200; i++)
        free(malloc(1));
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
}
int main(int count, char **arguments) {
    pthread_t thread;
    for (int i = 0; i < BLOCKS; i++)
        ours[i] = malloc(i % 190 + 1);
    for (int i = 0; i < 1000; i++)
        more[i] = malloc(200);
    one = malloc(1);
    char *large[] = {malloc(20000), malloc(300000), calloc(1, 5 << 20), malloc(70 << 20)};
    for (int i = 0; i < 20; i++)
        free(malloc(200000));
    free(malloc(400000));
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, work, NULL);
    pthread_barrier_wait(&barrier);
    close(creat(arguments[1], 0600));
    for (;;)
        pause();
}
C
}

# dump FILE: the core of $process, which stays as it is. gdb writes memory that nothing may access, too, as zeros.
dump() {
    command -v gdb >/dev/null || {
        echo "not installed: gdb (tools/bootstrap test installs it)" >&2
        exit 77
    }
    gdb -nx -batch -p "$process" -ex "generate-core-file $1.full" >"$work/gdb" 2>&1 </dev/null || true
    [ -s "$1.full" ] || { cat "$work/gdb" >&2; fail "gdb writes no core"; }
    cp --sparse=always "$1.full" "$1"
    rm "$1.full"
}
