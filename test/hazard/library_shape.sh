#!/bin/sh
# library_shape.sh
# Purpose.     What the shared library asks of a process: libc and nothing else, at most 64 bytes of thread-local
#              storage, no relocations in its code, no executable stack; and that it stays when a program unloads it.
set -eu

fail() {
    echo "$TEST_SO: $1"
    exit 1
}

needed=$(readelf -dW "$TEST_SO" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[ -n "$needed" ] || fail "no needed libraries: is it a shared object?"
for library in $needed; do
    case $library in
    libc.so.6 | ld-linux*) ;;
    *) fail "needs $library" ;;
    esac
done

tls=$(readelf -lW "$TEST_SO" | awk '$1 == "TLS" { print $6 }')
[ -n "$tls" ] || fail "has no thread-local storage, which cannot be"
[ $((tls)) -le 64 ] || fail "has $((tls)) bytes of thread-local storage"

flags=$(readelf -dW "$TEST_SO")
echo "$flags" | grep -q 'FLAGS_1.*NODELETE' || fail "can be unloaded"
echo "$flags" | grep -q 'TEXTREL' && fail "has relocations in its code"
stack=$(readelf -lW "$TEST_SO" | awk '$1 == "GNU_STACK" { print $7 }')
[ "$stack" = RW ] || fail "has stack flags '$stack'"

undefined=$(readelf --dyn-syms -W "$TEST_SO" | awk '$7 == "UND" { print $8 }' | sed 's/@.*//')
for name in malloc calloc realloc free __libc_malloc __libc_calloc __libc_realloc __libc_free; do
    echo "$undefined" | grep -qx "$name" && fail "calls $name"
done
echo "needs: $needed; thread-local storage: $((tls)) bytes"
