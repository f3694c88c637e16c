# shellcheck shell=bash
# preload.sh: sourced by test/preload/*.sh
# Purpose.     Runs real programs on libc and on a preloaded hakmem, proves who served them, and compares.
# Design.      The run on hakmem goes through `hakmem verify`, which looks at every process that the command starts;
#              servers are preloaded as a user would do it and looked at while they run. Both runs see the same
#              directory name and environment, so that whatever they print or write can be compared byte by byte.
#              The dynamic loader only warns about a preload that fails: nothing here passes without a proof.
# Use.         require PROGRAM...; both NAME COMMAND...; same NAME; see the functions.

set -euo pipefail

if [ -z "${TEST_SO:-}" ] || [ -z "${TEST_CLI:-}" ]; then
    echo "TEST_SO and TEST_CLI must name the library and the command" >&2
    exit 2
fi

# Under these names they would reach the library too, which takes HAKMEM_* for options.
so=$TEST_SO cli=$TEST_CLI
unset TEST_SO TEST_CLI TEST_PROVIDER

work=$(mktemp -d "${TMPDIR:-/tmp}/hakmem-preload.XXXXXX")
servers=()

cleanup() {
    local status=$? pid
    trap - EXIT
    for pid in "${servers[@]}"; do
        # Workers do not end with a master that is killed. A server that ended has no children to find.
        # shellcheck disable=SC2046
        kill -KILL "$pid" $(cat "/proc/$pid/task/$pid/children" 2>/dev/null) 2>/dev/null || true
    done
    cd /
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# What differs between machines and users must not reach the programs.
mkdir "$work/home"
export HOME=$work/home LC_ALL=C.UTF-8 TZ=UTC PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset LD_PRELOAD PYTHONPATH PYTHONHOME PERL5LIB NODE_PATH GIT_DIR GIT_CONFIG

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Status 77 tells the test driver that the machine lacks something. In CI that counts as a failure.
require() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || {
            echo "not installed: $program (tools/bootstrap test installs it)" >&2
            exit 77
        }
    done
}

# field FILE EXPRESSION: a value out of a JSON report, `r` being the report.
field() {
    python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}

# Every run gets the same empty directory, which is kept under another name afterwards.
run_dir=$work/run

enter_run() {
    rm -rf "$run_dir" "$work/$1.dir"
    mkdir "$run_dir"
    cd "$run_dir"
}

leave_run() {
    cd "$work"
    mv "$run_dir" "$work/$1.dir"
}

# on_libc NAME COMMAND...: leaves NAME.libc.{out,err,status,dir} in $work.
on_libc() {
    local name=$1.libc status=0
    shift
    enter_run "$name"
    "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null || status=$?
    leave_run "$name"
    echo "$status" >"$work/$name.status"
}

# on_hakmem NAME COMMAND...: leaves NAME.hakmem.{out,err,status,dir,json} in $work. Fails unless hakmem served every
# process, some calls at least, and saw no pointer of another allocator.
on_hakmem() {
    local name=$1.hakmem verdict=0
    shift
    enter_run "$name"
    "$cli" verify --lib "$so" --json --output "$work/$name.json" -- "$@" \
        >"$work/$name.out" 2>"$work/$name.err" </dev/null || verdict=$?
    leave_run "$name"
    if [ "$verdict" != 0 ]; then
        if [ -s "$work/$name.json" ]; then
            field "$work/$name.json" '[(p["program"], p["culprits"]) for p in r["processes"] if p["culprits"]]' >&2
        fi
        tail -n 20 "$work/$name.err" >&2
        fail "$name: hakmem did not serve every process (verify: status $verdict)"
    fi
    prove "$name" "$work/$name.json"
    field "$work/$name.json" 'r["exit_status"]' >"$work/$name.status"
}

# prove NAME REPORT: the report of `hakmem verify` says that hakmem served the calls, and some there were.
prove() {
    local proved allocations foreign errors
    proved=$(field "$2" 'r["proved"]')
    allocations=$(field "$2" 'r["total"]["allocations"]')
    foreign=$(field "$2" 'r["total"]["foreign_frees"]')
    errors=$(field "$2" 'r["total"]["errors"]')
    echo "$1: proved $proved, $allocations allocations, $foreign foreign frees, $errors errors," \
        "$(field "$2" 'len(r["processes"])') processes"
    if [ "$proved" != True ] || [ "$allocations" = 0 ] || [ "$foreign" != 0 ] || [ "$errors" != 0 ]; then
        fail "$1: no proof that hakmem served it"
    fi
}

# same NAME [SED_SCRIPT]: both runs wrote the same to stdout and stderr and ended alike; the script takes out times and
# the like.
same() {
    local name=$1 script=${2:-} part side
    for part in out err status; do
        for side in libc hakmem; do
            sed -E "$script" "$work/$name.$side.$part" >"$work/$name.$side.$part.compared"
        done
        diff -u "$work/$name.libc.$part.compared" "$work/$name.hakmem.$part.compared" | head -n 40 >&2 ||
            fail "$name: differs from libc in $part"
    done
}

# ok NAME: the run ended with status 0. Two runs that fail alike prove nothing.
ok() {
    local status
    status=$(cat "$work/$1.libc.status")
    [ "$status" = 0 ] || {
        tail -n 20 "$work/$1.libc.out" "$work/$1.libc.err" >&2
        fail "$1: status $status on libc"
    }
}

# same_files NAME FILE...: the files that the runs left in their directories are identical.
same_files() {
    local name=$1 file
    shift
    for file in "$@"; do
        cmp "$work/$name.libc.dir/$file" "$work/$name.hakmem.dir/$file" || fail "$name: $file differs from libc"
    done
}

# both NAME COMMAND...: runs on libc and on hakmem, equal output, status 0.
both() {
    on_libc "$@"
    ok "$1"
    on_hakmem "$@"
    same "$1"
}

# serve PROVIDER LOG COMMAND...: starts a server on `libc` or `hakmem` in the background; its process id is $server.
serve() {
    local provider=$1 log=$2 preload=
    shift 2
    [ "$provider" = libc ] || preload=$so
    LD_PRELOAD=$preload "$@" >"$log" 2>&1 </dev/null &
    server=$!
    servers+=("$server")
}

# await COMMAND...: until it succeeds, or 20 s.
await() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    fail "waited in vain for: $*"
}

# prove_server NAME PROVIDER PID: on hakmem, the library is mapped and serves the process; on libc, it is not there.
prove_server() {
    local name=$1 provider=$2 pid=$3 mapped=0 library
    library=$(readlink -f "$so") || library=$so
    awk -v library="$library" '$6 == library { found = 1 } END { exit !found }' "/proc/$pid/maps" && mapped=1
    if [ "$provider" = libc ]; then
        [ $mapped = 0 ] || fail "$name: runs on hakmem, not on libc"
        return
    fi
    [ $mapped = 1 ] || fail "$name: process $pid has not mapped $so"
    "$cli" verify --json --output "$work/$name.json" --pid "$pid" >&2 || {
        field "$work/$name.json" '[p["culprits"] for p in r["processes"]]' >&2
        fail "$name: hakmem does not serve process $pid"
    }
    prove "$name" "$work/$name.json"
}

# stopped PID: waits for a server that was told to end, and gives its exit status.
stopped() {
    local status=0
    wait "$1" || status=$?
    return $status
}
