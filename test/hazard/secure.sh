#!/bin/bash
# secure.sh
# Purpose.     In a program that runs with more rights than its user (AT_SECURE), the environment has no say: options
#              are ignored, without a word, also those that would report a bad free instead of ending the program.
# Design.      A preload does not reach such a program, so a small one is linked with the library, and made setuid
#              root and run as another user; or, without root, setgid to another group of the user's.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
chmod 755 "$directory"
cp "$TEST_SO" "$directory/libhakmem.so"

cat > "$directory/program.c" <<'PROGRAM'
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
int main(int argc, char **argv) {
    char *volatile local = (char *)&argc;
    printf("AT_SECURE %lu\n", getauxval(AT_SECURE));
    fflush(stdout);
    free(malloc(100));
    if (argc > 1 && argv[1][0] == 'm') {
        free(local);
    }
    return 0;
}
PROGRAM
"${CC:-cc}" -O1 -w "$directory/program.c" -o "$directory/program" "$directory/libhakmem.so" -Wl,-rpath,"$directory"

# Runs the program with options that would show. Prints its output; its status is in $directory/status.
run() {
    set +e
    ( ulimit -c 0; HAKMEM_CONFIRM=1 HAKMEM_ON_ERROR=report HAKMEM_NO_SUCH_OPTION=1 "$@" ) 2>&1
    echo $? > "$directory/status"
    set -e
}

expect() {
    if [ "$1" != "$2" ]; then
        echo "$3: '$1' instead of '$2'"
        exit 1
    fi
}

# Without AT_SECURE the options do show: the rest of this test could fail.
plain=$(run "$directory/program" misuse)
expect "$(cat "$directory/status")" 0 "status of a reported misuse"
echo "$plain" | grep -q 'not a block of hakmem' || { echo "no report: $plain"; exit 1; }
echo "$plain" | grep -q 'NO_SUCH_OPTION' || { echo "no word of a bad option: $plain"; exit 1; }

if [ "$(id -u)" = 0 ]; then
    chmod 4755 "$directory/program"
    as_user="setpriv --reuid=65534 --regid=65534 --clear-groups"
else
    own=$(id -g)
    other=$(id -G | tr ' ' '\n' | grep -vx "$own" | head -n 1)
    [ -n "$other" ] || { echo "neither root nor in two groups"; exit 77; }
    chgrp "$other" "$directory/program"
    chmod 2755 "$directory/program"
    as_user=
fi
quiet=$(run $as_user "$directory/program" fine)
case $quiet in
"AT_SECURE 0"*) echo "this file system gives no rights to programs"; exit 77 ;;
esac
expect "$quiet" "AT_SECURE 1" "output with AT_SECURE"
expect "$(cat "$directory/status")" 0 "status with AT_SECURE"
run $as_user "$directory/program" misuse > "$directory/output"
expect "$(cat "$directory/status")" 134 "status of a misuse with AT_SECURE"
expect "$(grep -c 'not a block of hakmem' "$directory/output")" 1 "lines about the misuse"
expect "$(grep -c -v -e '^AT_SECURE 1$' -e 'not a block of hakmem' -e '^Aborted' "$directory/output")" 0 "other lines"
