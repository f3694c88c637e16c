#!/bin/bash
# nginx: master and two workers, compressed pages and a proxied one under ab, reloads under load, graceful end.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require nginx ab python3

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

fetch() {
    python3 - "$1" <<'PY'
import gzip, hashlib, http.client, sys
for path in ("/", "/big.txt", "/proxy/big.txt", "/missing"):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    encoding = answer.getheader("Content-Encoding")
    body = gzip.decompress(body) if encoding == "gzip" else body
    print(path, answer.status, encoding, len(body), hashlib.sha256(body).hexdigest()[:16])
PY
}

# The processes of a master: itself and its workers.
family() {
    echo "$1"
    tr ' ' '\n' <"/proc/$1/task/$1/children" | grep .
}

ended() {
    local pid
    for pid in "$@"; do
        [ ! -e "/proc/$pid" ] || return 1
    done
}

# New workers for old, and the old ones gone.
reload() {
    local old
    mapfile -t old < <(family "$1" | tail -n +2)
    kill -HUP "$1"
    await ended "${old[@]}"
}

for provider in libc hakmem; do
    root=$work/$provider
    port=$(free_port)
    mkdir -p "$root/html"
    chmod 755 "$work" "$root" "$root/html"
    echo '<h1>hello</h1>' >"$root/html/index.html"
    seq 1 40000 >"$root/html/big.txt"
    cat >"$root/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid $root/nginx.pid;
error_log $root/error.log warn;
events { worker_connections 256; }
http {
    access_log $root/access.log;
    client_body_temp_path $root/body; proxy_temp_path $root/proxy; fastcgi_temp_path $root/fastcgi;
    uwsgi_temp_path $root/uwsgi; scgi_temp_path $root/scgi;
    gzip on; gzip_types *; gzip_min_length 100;
    server {
        listen 127.0.0.1:$port;
        root $root/html;
        location /proxy/ { proxy_pass http://127.0.0.1:$port/; proxy_buffers 16 4k; }
    }
}
CONF
    serve "$provider" "$root/log" nginx -e "$root/error.log" -p "$root" -c "$root/nginx.conf"
    await fetch "$port"
    fetch "$port" >"$root.talk"
    ab -q -n 1000 -c 8 -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/proxy/big.txt" >"$root.ab1" 2>&1 &
    load=$!
    for _ in 1 2 3; do
        reload "$server"
    done
    wait "$load" || fail "$provider: ab: $(tail -n 3 "$root.ab1")"
    ab -q -k -n 6000 -c 8 "http://127.0.0.1:$port/" >"$root.ab2" 2>&1 || fail "$provider: ab: $(tail -n 3 "$root.ab2")"
    for report in "$root.ab1" "$root.ab2"; do
        grep -E '^(Complete requests|Failed requests|Non-2xx)' "$report" >>"$root.talk"
    done
    fetch "$port" >>"$root.talk"
    for pid in $(family "$server"); do
        prove_server nginx "$provider" "$pid"
    done
    kill -QUIT "$server"
    stopped "$server" || fail "$provider: nginx ended with status $?: $(tail -n 5 "$root/error.log")"
    grep -E 'signal|alert|emerg' "$root/error.log" && fail "$provider: a worker died"
done
diff -u "$work/libc.talk" "$work/hakmem.talk" >&2 || fail "nginx: answers differ from those on libc"
[ "$(grep -c '^Failed requests: *0$' "$work/hakmem.talk")" = 2 ] || fail "nginx: $(cat "$work/hakmem.talk")"
