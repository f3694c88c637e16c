#!/bin/bash
# summary: redis-server: 60,000 commands of a file, 200,000 of 50 clients
# needs: redis-server redis-cli redis-benchmark awk
# Models.      A server with a table of small strings, lists and hashes that are replaced all the time.
# Design.      The commands of the file decide the result: their digest, asked for before redis-benchmark comes, which
#              draws its keys by the clock. Debian's programs are linked with jemalloc: where no other allocator is
#              preloaded, libc (and libstdc++ for new) is, so that the row of libc is libc's.
# Cannot show. The server alone: the clients run on the same processors and under the same allocator.
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    awk 'BEGIN {
        for (i = 1; i <= 20000; i++) {
            printf "SET key:%d %0*d\n", i, i * 31 % 500 + 1, i
            printf "RPUSH list:%d a%d b%d\n", i % 50, i, i * 7
            printf "HSET hash:%d f%d %d\n", i % 400, i, i * 3
        }
        for (i = 1; i <= 20000; i += 3)
            printf "DEL key:%d\n", i
    }' >commands
    ldd /usr/bin/redis-server | awk '$1 == "libc.so.6" || $1 == "libstdc++.so.6" { print $3 }' >libc_own
}

cli() { redis-cli -s redis.sock "$@"; }

await_server() {
    local try
    for ((try = 0; try < 500; try++)); do
        if [ -S redis.sock ] && cli PING >answer 2>&1; then
            return
        fi
        sleep 0.02
    done
    stop 1 "redis-server does not answer: $(tail -n 1 answer server.log)"
}

run() {
    local own server
    if [ -z "${LD_PRELOAD:-}" ]; then
        own=$(<libc_own)
        export LD_PRELOAD=${own//$'\n'/:}
    fi
    rm -f redis.sock
    redis-server --port 0 --unixsocket redis.sock --save '' --dir . --enable-debug-command local --loglevel warning \
        >server.log 2>&1 </dev/null &
    server=$!
    trap 'kill "$server" 2>/dev/null || true' EXIT
    await_server
    cli --pipe <commands >answer 2>&1 || stop 1 "redis-cli: $(tail -n 1 answer)"
    cli DBSIZE
    cli DEBUG DIGEST
    redis-benchmark -s redis.sock -q -n 50000 -c 50 -P 16 -r 20000 -d 200 -t set,get,lpush,hset >answer 2>&1 ||
        stop 1 "redis-benchmark: $(tail -n 1 answer)"
    cli LLEN mylist
    cli SHUTDOWN NOSAVE >answer 2>&1 || true
    wait "$server" || stop 1 "redis-server ended with status $?: $(tail -n 1 server.log)"
    trap - EXIT
}

app "$@"
