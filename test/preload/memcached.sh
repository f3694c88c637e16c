#!/bin/bash
# memcached: four threads, eight clients that write, read back and compare, more data than fits.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require memcached python3

cat >"$work/client.py" <<'PY'
import hashlib, socket, sys, threading

path, errors, totals = sys.argv[1], [], {}

def client(index):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    f = s.makefile("rb")
    found = 0
    for i in range(1500):
        key = "k%d-%d" % (index, i % 700)
        value = hashlib.sha256(("%s %d" % (key, i)).encode()).hexdigest().encode() * (1 + (i * 37) % 300)
        s.sendall(b"set %s 0 0 %d\r\n%s\r\nget %s\r\n" % (key.encode(), len(value), value, key.encode()))
        if f.readline() != b"STORED\r\n":
            errors.append("not stored: " + key)
            return
        head = f.readline().split()
        if head[:1] != [b"VALUE"] or f.read(int(head[3]) + 2) != value + b"\r\n" or f.readline() != b"END\r\n":
            errors.append("wrong value: " + key)
            return
        found += 1
        if i % 10 == 0:
            s.sendall(b"delete %s\r\n" % key.encode())
            if f.readline() != b"DELETED\r\n":
                errors.append("not deleted: " + key)
                return
    totals[index] = found

threads = [threading.Thread(target=client, args=(i,)) for i in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sorted(totals.items()), errors)
s = socket.socket(socket.AF_UNIX)
s.connect(path)
s.sendall(b"stats\r\nquit\r\n")
stats = dict(line.split()[1:3] for line in s.makefile("r") if line.startswith("STAT"))
print({name: stats[name] for name in ("cmd_set", "cmd_get", "get_hits", "delete_hits", "threads")})
sys.exit(bool(errors))
PY

up() {
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$1"
}

for provider in libc hakmem; do
    as=()
    [ "$(id -u)" != 0 ] || as=(-u root)
    serve "$provider" "$work/$provider.log" memcached "${as[@]}" -s "$work/$provider.sock" -t 4 -m 64
    await up "$work/$provider.sock"
    python3 "$work/client.py" "$work/$provider.sock" >"$work/$provider.talk" || fail "$(cat "$work/$provider.talk")"
    prove_server memcached "$provider" "$server"
    kill -TERM "$server"
    stopped "$server" || fail "$provider: memcached ended with status $?: $(tail -n 5 "$work/$provider.log")"
done
diff -u "$work/libc.talk" "$work/hakmem.talk" >&2 || fail "memcached: answers differ from those on libc"
