# Sourced by the tests of this folder. Purpose: a temporary folder, compiled helper programs, checks that say what
# they saw. A failed check ends the test with status 1. Needs HAKMEM_CLI and HAKMEM_SO.
set -u
: "${HAKMEM_CLI:?the command to test}" "${HAKMEM_SO:?the library to test}"
CC=${CC:-cc}
CXX=${CXX:-c++}
export -n HAKMEM_CLI HAKMEM_SO # the library takes every HAKMEM_ name for an option
unset LD_PRELOAD HAKMEM_CONF
ulimit -c 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    [ -s "$work/out" ] && sed 's/^/  | /' "$work/out" >&2
    [ -s "$work/err" ] && sed 's/^/  ! /' "$work/err" >&2
    exit 1
}

# compile NAME [FLAGS]: the program whose source is on standard input, as $work/NAME.
compile() {
    local name=$1
    shift
    "$CC" -D_GNU_SOURCE -fno-builtin -w -O1 -x c - -o "$work/$name" "$@" || fail "cannot compile $name"
}
compile_cxx() {
    local name=$1
    shift
    "$CXX" -w -O1 -x c++ - -o "$work/$name" "$@" || fail "cannot compile $name"
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

run() { "$HAKMEM_CLI" run --lib "$HAKMEM_SO" "$@"; }
verify() { "$HAKMEM_CLI" verify --lib "$HAKMEM_SO" "$@"; }

# json FILE EXPRESSION: what the Python expression says of the report, named r.
json() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }
json_is() {
    local found
    found=$(json "$work/out" "$1") || fail "no JSON, or no $1 in it"
    [ "$found" = "$2" ] || fail "$1 is $found instead of $2"
}
