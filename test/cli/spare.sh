#!/bin/bash
# stat tells of runs that one thread has left for another; where nobody takes them, the background thread gives them
# back.
. "$(dirname "$0")/support.bash"
cd "$work"
compile passer -pthread <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
enum { PASSED = 60000, PLACES = 64 };
static _Atomic(char *) places[PLACES];
static void *make(void *unused) {
    for (long i = 0; i < PASSED; i++) {
        char *block = malloc(40000 + i % 6 * 60000);
        block[0] = 1;
        while (places[i % PLACES] != NULL)
            sched_yield();
        places[i % PLACES] = block;
    }
    return unused;
}
int main(int count, char **arguments) {
    pthread_t maker;
    pthread_create(&maker, NULL, make, NULL);
    for (long i = 0; i < PASSED; i++) {
        char *block;
        while ((block = places[i % PLACES]) == NULL)
            sched_yield();
        places[i % PLACES] = NULL;
        free(block);
    }
    pthread_join(maker, NULL);
    close(creat(arguments[count - 1], 0600));
    for (;;)
        pause();
}
C

spare_granules() {
    "$TEST_CLI" stat --json "$process" | python3 -c 'import json, sys
print(sum(row["granules"] for row in json.load(sys.stdin)["granules"] if row["use"] == "spare"))'
}

start "$work/idle" env LD_PRELOAD="$TEST_SO" "$work/passer" "$work/idle"
[ "$(spare_granules)" -gt 0 ] || fail "no runs wait in a program that sleeps"
stop

start "$work/watched" env HAKMEM_BACKGROUND_THREAD=1 LD_PRELOAD="$TEST_SO" "$work/passer" "$work/watched"
for ((i = 0; i < 200; i++)); do
    [ "$(spare_granules)" != 0 ] || break
    sleep 0.1
done
[ "$(spare_granules)" = 0 ] || fail "$(spare_granules) spare granules after 20 s"
stop
