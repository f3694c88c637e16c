#!/bin/bash
# The checks of support/preload.sh can fail: each case below must be refused, and for the right reason.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require sqlite3 perl memcached python3
here=$(cd "$(dirname "$0")" && pwd)

# refused NAME PATTERN COMMAND...: the command fails, and its output has the pattern.
refused() {
    local name=$1 pattern=$2
    shift 2
    # What the loader says of a failed preload belongs to the case, so it stays in the file.
    if ("$@") >"$work/$name.log" 2>&1 </dev/null; then
        fail "$name: was let through"
    fi
    grep -qE "$pattern" "$work/$name.log" || {
        grep -v 'ld.so' "$work/$name.log" >&2
        fail "$name: refused, but not for the reason '$pattern'"
    }
    echo "$name: refused"
}

script() {
    TEST_SO=$1 TEST_CLI=$cli "$here/$2.sh"
}

# A library that is not there; one that loads but is no allocator; a broken file.
other=$(ldd /usr/bin/perl | sed -nE 's/.* => (\/[^ ]*libm\.so[^ ]*) .*/\1/p' | head -n 1)
[ -n "$other" ] || fail "found no other library to preload"
echo 'not a library' >"$work/broken.so"
refused missing 'did not serve|cannot read' script /nonexistent/libhakmem.so sqlite
refused other 'did not serve' script "$other" perl
refused broken 'did not serve' script "$work/broken.so" perl
refused server_missing 'has not mapped' script /nonexistent/libhakmem.so memcached
refused server_other 'does not serve' script "$other" memcached

# A command that runs, but sheds the preload on the way.
refused shed 'did not serve' on_hakmem shed env -u LD_PRELOAD perl -e 'print 1'

# Output, errors, exit status and files that differ from those on libc.
cat >"$work/differs.sh" <<'SH'
case $1 in
    out) echo "preload: ${LD_PRELOAD:+yes}" ;;
    err) echo "preload: ${LD_PRELOAD:+yes}" >&2 ;;
    status) [ -z "${LD_PRELOAD:-}" ] ;;
    file) echo "preload: ${LD_PRELOAD:+yes}" >file ;;
    fails) exit 9 ;;
esac
SH
for part in out err status; do
    refused "differs_$part" "differs from libc in $part" both "differs_$part" bash "$work/differs.sh" $part
done
both differs_file bash "$work/differs.sh" file
refused differs_file 'differs from libc' same_files differs_file file
refused fails 'status 9 on libc' both fails bash "$work/differs.sh" fails

# And the checks let pass what is right.
both right perl -e 'print join(",", map { 2 * length } 1 .. 1000), "\n"'
