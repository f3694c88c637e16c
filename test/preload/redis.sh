#!/bin/bash
# redis-server: redis-benchmark on a unix socket, values checked, a background save (fork) in between, shutdown, reload.
# Debian's redis brings jemalloc along; it is preloaded over like any other allocator.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require redis-server redis-cli redis-benchmark

cli_at() {
    redis-cli -s "$work/$1.sock" "${@:2}"
}

start() {
    local provider=$1
    serve "$provider" "$work/$provider.log" redis-server --port 0 --unixsocket "$work/$provider.sock" --daemonize no \
        --save '' --dir "$work/$provider" --dbfilename dump.rdb --loglevel warning
    await cli_at "$provider" PING
}

# A transcript of everything a client sees. redis-benchmark's own numbers are times.
talk() {
    local provider=$1
    redis-benchmark -s "$work/$provider.sock" -q -n 20000 -c 20 -P 8 -r 5000 -d 100 \
        -t set,get,incr,lpush,rpush,lpop,sadd,hset,zadd,lrange_100,mset >"$work/$provider.bench" 2>&1 ||
        fail "redis-benchmark: $(tail -n 3 "$work/$provider.bench")"
    cli_at "$provider" FLUSHALL
    seq 1 20000 | awk '{
        printf "SET key:%d %s\n", $1, sprintf("%0*d", $1 % 500 + 1, $1)
        printf "RPUSH list:%d a%d b%d\n", $1 % 50, $1, $1 * 7
        printf "HSET hash:%d f%d %d\n", $1 % 100, $1, $1 * 3
        printf "ZADD zset %d m%d\n", $1 * 7919 % 10007, $1
        if ($1 % 3 == 0) printf "DEL key:%d\n", $1 - 1
        if ($1 % 100 == 0) printf "APPEND key:%d %s\n", $1, sprintf("%0*d", $1 % 3000, 5)
    }' | cli_at "$provider" | sort | uniq -c
    cli_at "$provider" BGSAVE >/dev/null
    cli_at "$provider" LRANGE list:7 0 5
    cli_at "$provider" GET key:1900 | cksum
    cli_at "$provider" HGETALL hash:42 | sort | cksum
    cli_at "$provider" ZRANGE zset 100 110 WITHSCORES
    cli_at "$provider" STRLEN key:20000
    await saved "$provider"
    cli_at "$provider" DBSIZE
    cli_at "$provider" DEBUG DIGEST 2>/dev/null || true
}

saved() {
    cli_at "$1" INFO persistence | tr -d '\r' | grep -qx 'rdb_bgsave_in_progress:0' &&
        cli_at "$1" INFO persistence | tr -d '\r' | grep -qx 'rdb_last_bgsave_status:ok' && [ -s "$work/$1/dump.rdb" ]
}

for provider in libc hakmem; do
    mkdir "$work/$provider"
    start "$provider"
    talk "$provider" >"$work/$provider.talk"
    prove_server redis "$provider" "$server"
    cli_at "$provider" SHUTDOWN NOSAVE >/dev/null 2>&1 || true
    stopped "$server" || fail "$provider: redis-server ended with status $?: $(tail -n 5 "$work/$provider.log")"
    start "$provider"
    { cli_at "$provider" DBSIZE; cli_at "$provider" GET key:1900 | cksum; } >>"$work/$provider.talk"
    prove_server redis "$provider" "$server"
    cli_at "$provider" SHUTDOWN NOSAVE >/dev/null 2>&1 || true
    stopped "$server" || fail "$provider: redis-server ended with status $? after its reload"
done
diff -u "$work/libc.talk" "$work/hakmem.talk" >&2 || fail "redis: answers differ from those on libc"
grep -qx 13485 "$work/hakmem.talk" || fail "redis: wrong number of keys: $(tail -n 3 "$work/hakmem.talk")"
