#!/bin/bash
# top --once: the numbers of a stopped process are those of stat and explain; what calls is seen calling; the list of
# processes. On a terminal (script of util-linux): each key, sizes down to one cell, and the terminal is left as it was,
# whatever ends it.
# timeout: 300
# alone: compaction, which others set off, moves pages of a stopped process too; one on its way is in no page table
. "$(dirname "$0")/support.bash"

compile sleeper -pthread <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char *kept[3000], *large, *huge;
static pthread_barrier_t barrier;
static void *work(void *unused) {
    for (int i = 0; i < 1000; i++)
        free(kept[i * 2]);
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
}
int main(int count, char **arguments) {
    pthread_t thread;
    for (int i = 0; i < 3000; i++)
        kept[i] = memset(malloc(i % 3 == 0 ? 48 : 3000), 1, 40);
    large = memset(malloc(500000), 1, 500000);
    huge = memset(malloc(9000000), 1, 5000000);
    free(malloc(1500000));
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, work, NULL);
    pthread_setname_np(thread, "a \033[31mworker");
    pthread_barrier_wait(&barrier);
    creat(arguments[1], 0600);
    for (;;)
        pause();
}
C

# is_stopped: nothing of it runs any more.
is_stopped() {
    local task
    for task in "/proc/$process"/task/*; do
        grep -q '^State:.T' "$task/status" || return 1
    done
}
start_stopped() {
    start "$work/ready" env LD_PRELOAD="$TEST_SO" "$work/sleeper" "$work/ready"
    kill -STOP "$process"
    until is_stopped; do sleep 0.01; done
}

start_stopped
expect 0 "$TEST_CLI" verify --pid "$process"
out_has '^PROVED'
expect 0 "$TEST_CLI" stat --json "$process"
mv "$work/out" "$work/stat"
expect 0 "$TEST_CLI" explain --json "$process"
mv "$work/out" "$work/explain"
expect 0 "$TEST_CLI" explain "$process"
mv "$work/out" "$work/explained"

# agree: what --once has printed is what stat and explain have.
agree() {
    python3 - "$work/out" "$work/stat" "$work/explain" "$process" <<'PY'
import json, sys
lines = [line.rstrip("\n") for line in open(sys.argv[1])]
stat, explain, pid = json.load(open(sys.argv[2])), json.load(open(sys.argv[3])), sys.argv[4]
def below(title):
    """The lines below the one that starts so, in words, up to an empty one."""
    at = next(i for i, line in enumerate(lines) if line.split()[:len(title.split())] == title.split()) + 1
    end = next((i for i in range(at, len(lines)) if not lines[i]), len(lines))
    return [line.split() for line in lines[at:end]]
def kib(number): return str((number + 512) // 1024)
def same(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found} instead of {wanted}")

same("pid", lines[0].split()[0], pid)
assert f"with caches {stat['threads']} " in lines[1] and "threads 2," in lines[1], lines[1]
words = ["live_bytes", "active_bytes", "resident_bytes", "retained_bytes", "mapped_bytes", "metadata_bytes"]
same("memory", below("KiB RSS")[0], [kib(explain["kernel_rss_bytes"])] + [kib(stat[word]) for word in words])
same("rates", set(below("per second")[0]) - {"-"}, {"0"})

part = {row["part"]: row["bytes"] for row in explain["parts"]}
groups = [["live"], ["thread_caches", "spare_runs", "transfer_caches", "outboxes"],
          ["free_slots", "tails"], ["retained", "huge_page_slack"],
          ["metadata", "page_map", "library"], ["stacks", "files", "shared", "libc_heap", "anonymous"]]
same("parts", sorted(sum(groups, [])), sorted(part))
sums = [sum(part[name] for name in group) for group in groups]
same("bar", below("RSS L live")[0], ["KiB"] + [kib(number) for number in sums])
same("percent", below("RSS L live")[1], ["%"] + [f"{100 * number / sum(sums):.1f}" for number in sums])
bar = next(line for line in lines if line.startswith("LL"))
same("length of the bar", len(bar), 80)
for letter, number in zip("Lcfrm.", sums):
    assert abs(bar.count(letter) - 80 * number / sum(sums)) <= 1, (letter, bar)
same("order of the bar", "".join(sorted(bar, key="Lcfrm.".index)), bar)

tiers = [[t["tier"], kib(t["live_bytes"]), str(t["live_blocks"]), "0", "0"] for t in stat["tiers"]]
same("tiers", below("tier"), tiers)
classes = [[str(c["block_bytes"]), kib(c["live_bytes"]), str(c["live_blocks"]), "0",
            kib(c["slab_bytes"] - c["live_bytes"]),
            f'{100 * (c["slab_bytes"] - c["live_bytes"]) / c["slab_bytes"]:.1f}', str(c["slabs"])]
           for c in sorted(stat["classes"], key=lambda c: -c["live_bytes"]) if c["slab_bytes"]]
same("classes", [row for row in below("block bytes") if row[-1] != "0"], classes)
threads = below("thread")
same("threads", len(threads), stat["threads"])
same("names", sorted(" ".join(row[4:]) for row in threads), ["a ?[31mworker", "sleeper"])
assert all(row[1:3] == ["0", "0"] for row in threads), threads
PY
}
expect 0 "$TEST_CLI" top --once --interval 0.01 "$process"
agree || fail "top --once and stat or explain differ"
sed -i 's/^\( *tiny *\)\([0-9]\)/\11\2/' "$work/out"
agree 2>/dev/null && fail "a wrong number of tier tiny would not be seen"
# Without a terminal it is the same, and where one cannot draw.
expect 0 "$TEST_CLI" top --interval 0.01 "$process"
agree || fail "top without a terminal and stat or explain differ"

# ---- on a terminal ----

export LC_ALL=C.UTF-8 TERM=xterm
mkfifo "$work/keys"
screen=$work/screen

# on_terminal COMMAND: starts it on a terminal of 24 times 80, $top being the process of the command.
on_terminal() {
    rm -f "$work"/{before,after,status,tty,pid}
    : >"$screen"
    seen=0
    cat >"$work/session" <<SH
stty rows 24 cols 80
stty -g >'$work/before'
tty >'$work/tty'
cd '$work'
sh -c 'echo \$\$ >$work/pid; exec $1'
status=\$?
stty -g >'$work/after'
exit \$status
SH
    script -qefc "sh '$work/session'" "$screen" <"$work/keys" >/dev/null 2>&1 &
    session=$!
    started+=("$session")
    exec 9>"$work/keys"
}
# shows TEXT: what has come to the terminal since the last time has it by now or soon.
shows() {
    local i
    for ((i = 0; i < 2000; i++)); do
        if tail -c +$((seen + 1)) "$screen" | grep -aqF -- "$1"; then
            seen=$(stat -c %s "$screen")
            return 0
        fi
        sleep 0.01
    done
    cp "$screen" "$work/out"
    fail "does not show '$1'"
}
# press KEYS: and then control-L, so that what is to be seen comes whole.
press() { printf '%b\f' "$1" >&9; }
# has_ended STATUS: with this one, and the terminal is as before.
has_ended() {
    local status=0 i
    for ((i = 0; i < 2000; i++)); do
        kill -0 "$session" 2>/dev/null || break
        sleep 0.01
    done
    cp "$screen" "$work/out"
    [ $i != 2000 ] || fail "does not end on a terminal"
    wait "$session" || status=$?
    exec 9>&-
    local one others=()
    for one in "${started[@]}"; do
        [ "$one" = "$session" ] || others+=("$one")
    done
    started=("${others[@]}")
    [ "$status" = "$1" ] || fail "exit status $status instead of $1 on a terminal"
    cmp -s "$work/before" "$work/after" || fail "the terminal is not left as it was"
    # Back from the screen of its own, the cursor visible.
    if grep -aqF $'\033[?1049h' "$screen"; then
        python3 -c 'import sys; s = open(sys.argv[1], "rb").read()
sys.exit(not s.rfind(b"\x1b[?1049l") > s.rfind(b"\x1b[?1049h") or s.rfind(b"\x1b[?25l") > s.rfind(b"\x1b[?25h"))' \
            "$screen" || fail "the screen is not left as it was"
    fi
}
top_on_terminal() { on_terminal "$TEST_CLI top $*"; }

top_on_terminal --interval 0.5 "$process"
shows "not hakmem's"
grep -aqF '█' "$screen" || fail "no block elements where there is UTF-8"
press ''
shows 'live KiBv'
for order in 'calls/sv' 'unused KiBv' 'block bytesv' 'live KiBv'; do
    press s
    shows "$order"
done
press '\033OD'
shows 'block bytesv'
press '\033OA'
shows 'block bytes^'
press '\033OB\033OC'
shows 'live KiBv'
press p
shows 'PAUSED'
press p+
shows 'every 1 s'
press --
shows 'every 0.25 s'
press '?'
shows 'up, down'
press x
shows "not hakmem's"
press w
shows "wrote hakmem-top-$process-1.txt"
press w
shows "wrote hakmem-top-$process-2.txt"
# Sizes, and back.
for size in '10 30' '1 1' '2 200' '60 200' '24 80'; do
    # shellcheck disable=SC2086
    set -- $size
    stty -F "$(cat "$work/tty")" rows "$1" cols "$2"
    press ''
    shows $'\033[H\033[2J'
done
press ''
shows "not hakmem's"
printf q >&9
has_ended 0
written=$work/hakmem-top-$process-1.txt
sed -n '/^{$/,$p' "$written" | cmp -s - "$work/stat" || fail "w has not written what stat --json tells"
sed '/^{$/,$d' "$written" | grep -v ' due' | sed '$d' | cmp -s - <(grep -v ' due' "$work/explained") ||
    fail "w has not written what explain tells"
grep -q "the kernel's RSS" "$work/explained" || fail "explain has told nothing"

# Where a file cannot be written; where the terminal cannot draw, and one that has neither colours nor Unicode.
on_terminal "env -C /proc LC_ALL=C TERM=vt100 $TEST_CLI top $process"
shows "not hakmem's"
press w
shows "cannot write hakmem-top-$process-1.txt: "
! grep -aqF '█' "$screen" || fail "block elements where there is no UTF-8"
printf q >&9
has_ended 0
on_terminal "env TERM=dumb $TEST_CLI top --interval 0.01 $process"
has_ended 0
! grep -aqF $'\033' "$screen" || fail "escape sequences for a terminal that is dumb"
tr -d '\r' <"$screen" | sed '/^Script /d' >"$work/out"
agree || fail "top on a dumb terminal and stat or explain differ"

# A signal ends it well; so does the end of the process.
for signal in TERM INT HUP; do
    top_on_terminal "$process"
    shows "not hakmem's"
    kill -$signal "$(cat "$work/pid")"
    has_ended 0
done
top_on_terminal --interval 0.1 "$process"
shows "not hakmem's"
stop
shows "has ended"
has_ended 0

# ---- who runs on hakmem ----

LD_PRELOAD="$TEST_SO" "$work/sleeper" "$work/first" &
first=$!
"$work/sleeper" "$work/on_libc" &
other=$!
started+=("$first" "$other")
until [ -e "$work/first" ] && [ -e "$work/on_libc" ]; do sleep 0.01; done
start_stopped
expect 0 "$TEST_CLI" stat --json "$process"
live=$(($(field 'r["live_bytes"] + 512') / 1024))
expect 0 "$TEST_CLI" top
rss=$(sed -n -E 's/^VmRSS:\s+([0-9]+) kB$/\1/p' "/proc/$process/status")
out_has "^  $process +$rss +$live  $work/sleeper $work/ready$"
out_has "^  $first .* $work/first$"
out_lacks "^  $other "
expect 0 "$TEST_CLI" top --once
out_has "^  $process "
if [ "$(id -u)" = 0 ]; then
    expect 1 unshare --fork --pid --mount-proc "$TEST_CLI" top
    err_has '^hakmem: no process runs on hakmem$'
    out_is_empty
    expect 0 setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$TEST_CLI top || [ \$? = 1 ]"
    cat "$work/out" >>"$work/err"
    err_has 'may not be looked at: run this command as root \(sudo\)$'
fi

# Others may run on hakmem meanwhile: down to ours.
top_on_terminal
shows '> '
for ((i = 0; i < 500; i++)); do
    press ''
    shows 'program'
    tail -c 4000 "$screen" | grep -aqF "> $process " && break
    printf '\033OB' >&9
done
press '\n'
shows "not hakmem's"
grep -aqF "$process  $work/sleeper" "$screen" || fail "not the process that was chosen"
printf q >&9
has_ended 0
stop
kill -KILL "$first" "$other"
wait "$first" "$other" 2>/dev/null || true

# ---- rates ----

compile_busy
start "$work/ready" env LD_PRELOAD="$TEST_SO" "$work/busy" "$work/ready"
for ((i = 0; i < 200; i++)); do # where the machine is busy it may not have run at all
    expect 0 "$TEST_CLI" top --once --interval 0.1 "$process"
    ! grep -qE "^ +$process +[1-9][0-9]{3,} " "$work/out" || break
done
out_has "^ +$process +[1-9][0-9]{3,} +[1-9][0-9]{3,} +[0-9]+  busy$"
out_has '^ +[1-9][0-9]{3,} +[1-9][0-9]{3,} +[1-9][0-9]{2,} '
out_has '^ +tiny +[0-9]+ +[0-9]+ +[1-9][0-9]{3,} +[1-9][0-9]{3,}$'
stop
